"""K5: a corpus of letters as people and machines send them, broken ones among them, each with what must come out.

`mail_corpus/expected.yaml` says it; a letter is added by a file and an entry there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from contracts.inbound import MailBody
from services.channels.mail.reading.company import Company
from services.channels.mail.reading.letter import Letter, read_letter
from services.channels.mail.taking import written

CORPUS = Path(__file__).parent / "mail_corpus"
EXPECTED: dict[str, dict[str, Any]] = yaml.safe_load((CORPUS / "expected.yaml").read_text("utf-8"))
COMPANY = Company.of(["leads@firma.example", "info@firma.example"])
EMPTY = {"bounced": [], "files": [], "thread": None, "list_id": None, "loop": False}
"""What is so of every letter whose entry does not say else."""


def read(name: str) -> Letter:
    wanted = EXPECTED[name]
    return read_letter(
        (CORPUS / name).read_bytes(),
        COMPANY,
        recipients=wanted.get("_recipients", ["leads@firma.example"]),
        return_path=wanted.get("_return_path", "anna@client.example"),
        own_domain="id.firma.example",
    )


def found(letter: Letter) -> dict[str, Any]:
    """A letter in the words of `expected.yaml`."""
    return {
        **{name: getattr(letter, name) for name in Letter.__slots__},
        "sent_at": letter.sent_at.isoformat() if letter.sent_at else None,
        "files": [[file.name, file.media_type, len(file.content())] for file in letter.files],
        "bounced": [[failure.address, failure.status, failure.permanent] for failure in letter.bounced],
        "loop": letter.loop is not None,
        "defects": len(letter.defects),
        "text_length": len(letter.text),
        "text_ends": letter.text[-3:],
    }


def test_K5_each_letter_of_the_corpus_has_its_expectation() -> None:
    assert sorted(EXPECTED) == sorted(file.name for file in CORPUS.glob("*.eml"))
    assert len(EXPECTED) >= 60


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_K5_a_letter_is_read_as_it_was_meant(name: str) -> None:
    letter = read(name)
    said = found(letter)
    for field, wanted in {**EMPTY, **EXPECTED[name]}.items():
        if field == "defects" and wanted == "some":
            assert said["defects"], field
        elif not field.startswith("_") and wanted != "any":
            assert said[field] == wanted, (field, letter.defects)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_K5_a_letter_fits_the_contract_or_waits_in_quarantine_for_its_sender(name: str) -> None:
    raw = (CORPUS / name).read_bytes()
    letter = read(name)
    text, blobs = written(letter, raw)
    assert blobs[0].content() == raw, "the original is kept"
    if letter.sender is None:
        with pytest.raises(ValidationError, match="sender"):
            MailBody.model_validate_json(text)
        return
    body = MailBody.model_validate_json(text)
    assert (body.sender, body.text, body.raw_blob) == (letter.sender, letter.text, blobs[0].blob)
    assert [file.blob for file in body.attachments] == [blob.blob for blob in blobs[1:]]
    assert len({blob.blob for blob in blobs}) == len(blobs)

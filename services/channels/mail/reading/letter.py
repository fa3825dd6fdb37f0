"""A whole letter: what stands in `contracts.inbound.MailBody`, and the files that came with it.

Pure. Invariants: any bytes give a `Letter`, in bounded time; what is broken is named in `defects` and stays readable in the
original. A letter without a sender anywhere has `sender` None: it will wait in quarantine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from contracts.inbound_mail import TEXT_CHARS
from services.channels.mail.reading import bounces, headers, kinds, quoting
from services.channels.mail.reading.charsets import keepable
from services.channels.mail.reading.company import Company, without_token
from services.channels.mail.reading.html import text_of_html
from services.channels.mail.reading.mime import Part, read_message, read_parts

READ_CHARS = 400_000
"""How much of a letter's text is read before quoted history is cut."""
CUT = "[…]"
FILES = 200
FILE_NAME_CHARS = 255

_SHOWN_TYPES = frozenset({"text/plain", "text/html", "text/enriched"})
_EXTENSIONS = {
    "message/rfc822": ".eml",
    "text/calendar": ".ics",
    "text/html": ".html",
    "text/plain": ".txt",
    "application/pdf": ".pdf",
    "application/pkcs7-signature": ".p7s",
    "application/pkcs7-mime": ".p7m",
    "application/ms-tnef": ".dat",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
}


@dataclass(frozen=True, slots=True)
class File:
    """An attachment. `content` decodes it on demand, so that one file at a time is in memory."""

    name: str
    media_type: str
    content: Callable[[], bytes] = field(repr=False)


@dataclass(slots=True)
class Letter:
    """What was read of a letter; the names are those of `MailBody`."""

    message_id: str | None = None
    sender: str | None = None
    sender_name: str | None = None
    reply_to: str | None = None
    to: list[str] = field(default_factory=list)
    cc: list[str] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    subject: str = ""
    text: str = ""
    whole: str = field(default="", repr=False)
    """The text with its quoted history, up to `READ_CHARS`; a bounce is read in it."""
    chars_read: int = 0
    sent_at: datetime | None = None
    in_reply_to: str | None = None
    references: list[str] = field(default_factory=list)
    thread: str | None = None
    kind: Literal["letter", "auto_reply", "bounce"] = "letter"
    bounced: list[bounces.Failure] = field(default_factory=list)
    list_id: str | None = None
    files: list[File] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    loop: str | None = None
    """Why it must not be taken; see `kinds.loop_of`."""
    account: str = ""
    """Which of our addresses it was written to; the first in To, then Cc, then the envelope. Empty: none is known."""
    likeness: bytes = b""
    """32 bytes, the same for each delivery of one letter, whatever servers put on its head."""


def read_letter(
    raw: bytes,
    company: Company,
    *,
    recipients: Collection[str] = (),
    return_path: str | None = None,
    own_domain: str = "",
) -> Letter:
    """Read a letter. `recipients`, `return_path`: the envelope's; `return_path` empty: the null sender, None: unknown.

    `own_domain`: of the Message-IDs we make ourselves, by which a loop is known.
    """
    letter = Letter(recipients=[a for a in map(headers.normal_address, recipients) if a][: headers.ADDRESSES])
    letter.likeness = hashlib.sha256(raw).digest()
    try:
        root, letter.defects = read_parts(raw)
    except Exception as error:  # a fault of ours must not lose a letter: it is kept whole and shown to a person
        letter.defects.append(f"it could not be read ({type(error).__name__}); the original is kept")
        _read_company(letter, company)
        return letter
    if return_path is None and (noted := root.get("return-path")) is not None:
        return_path = headers.line(headers.text_of(noted)).strip("<> ")
    steps: tuple[Callable[[], None], ...] = (
        lambda: _read_names(letter, root, return_path),
        lambda: _read_company(letter, company),
        lambda: _read_thread(letter, root),
        lambda: _read_content(letter, root),
        lambda: _read_kind(letter, root, return_path),
        lambda: _read_returned(letter, root),
        lambda: _read_loop(letter, root, own_domain),
        lambda: _read_likeness(letter, root),
    )
    for step in steps:
        try:
            step()
        except Exception as error:  # as above; what the other steps read stays
            letter.defects.append(f"a part of it could not be read ({type(error).__name__}); the original is kept")
    return letter


def _read_names(letter: Letter, root: Part, return_path: str | None) -> None:
    letter.subject = headers.text_of(root.get("subject"))
    letter.to = [address for _, address in headers.addresses(root.get_all("to"))]
    letter.cc = [address for _, address in headers.addresses(root.get_all("cc"))]
    letter.sent_at = headers.moment(root.get("date"))
    senders = headers.addresses(root.get_all("from"))
    if len(senders) > 1:
        letter.defects.append("several senders in From: the one named by Sender, or the first, is taken")
        named = {address for _, address in headers.addresses(root.get_all("sender"))}
        senders.sort(key=lambda pair: pair[1] not in named)
    if not senders:
        letter.defects.append("no sender's address in From")
        senders = headers.addresses(root.get_all("sender")) or headers.addresses(root.get_all("reply-to"))
        if not senders and return_path and (address := headers.normal_address(return_path)):
            senders = [("", address)]
    if senders:
        name, letter.sender = senders[0]
        letter.sender_name = name or None
    answers_to = headers.addresses(root.get_all("reply-to"))
    letter.reply_to = next((address for _, address in answers_to if address != letter.sender), None)


def _read_company(letter: Letter, company: Company) -> None:
    ours = company.written_to([*letter.to, *letter.cc], letter.recipients)
    pairs = [without_token(address) for address in ours]
    letter.account = pairs[0][0] if pairs else ""
    letter.thread = next((token for _, token in pairs if token), None)


def _read_thread(letter: Letter, root: Part) -> None:
    letter.message_id = next(iter(headers.message_ids(root.get_all("message-id")[:1])), None)
    letter.references = headers.message_ids(root.get_all("references"))
    answered = headers.message_ids(root.get_all("in-reply-to"))
    letter.in_reply_to = answered[0] if answered else None


def _read_content(letter: Letter, root: Part) -> None:
    texts: list[str] = []
    if root.media_type in _SHOWN_TYPES and root.disposition != "attachment":
        texts.append(_shown(root))
    else:
        texts += _texts(root, letter)
    text = "\n\n".join(text.strip("\n") for text in texts if text.strip())
    text = keepable(text)
    letter.whole = text
    letter.text = _cut(quoting.written(text, letter.subject))


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_CHARS else text[: TEXT_CHARS - len(CUT)] + CUT


def _texts(part: Part, letter: Letter) -> list[str]:
    """The texts to show of a part, in order; its files are put into the letter."""
    if not part.parts:
        if part.media_type in _SHOWN_TYPES and part.disposition != "attachment" and not part.filename:
            if letter.chars_read > READ_CHARS:
                return []
            text = _shown(part)
            letter.chars_read += len(text)
            return [text]
        _keep_file(part, letter)
        return []
    if part.media_type == "multipart/alternative":
        return _chosen(part, letter)
    if part.media_type == "multipart/report":
        return _texts(part.parts[0], letter)  # the others are for machines, or a copy of our own letter
    if part.media_type == "multipart/related":
        first, *others = part.parts
        texts = _texts(first, letter)
        for other in others:
            for leaf in other.walk():
                if not leaf.parts:
                    _keep_file(leaf, letter)
        return texts
    return [text for child in part.parts for text in _texts(child, letter)]


def _chosen(part: Part, letter: Letter) -> list[str]:
    """One of the ways a multipart/alternative says the same: the plain one, unless it is empty (RFC 2046 5.1.4)."""
    plain: list[str] = []
    other: list[str] = []
    for child in part.parts:
        texts = [text for text in _texts(child, letter) if text.strip()]
        if child.media_type == "text/plain":
            plain = plain or texts
        elif texts:
            other = texts
    return plain or other


def _shown(part: Part) -> str:
    text = part.text()[: READ_CHARS * 5].replace("\x00", "")
    if part.media_type == "text/html":
        return text_of_html(text)[:READ_CHARS]
    if part.media_type == "text/enriched":
        return text_of_html(text.replace("<<", "&lt;"))[:READ_CHARS]
    if part.parameters.get("format", "").lower() == "flowed":
        text = quoting.unflowed(text[:READ_CHARS], delete_space=part.parameters.get("delsp", "").lower() == "yes")
    return text[:READ_CHARS]


def _keep_file(part: Part, letter: Letter) -> None:
    if len(letter.files) >= FILES:
        if not any("attachments" in defect for defect in letter.defects):
            letter.defects.append(f"more than {FILES} attachments: the others are in the original only")
        return
    letter.files.append(File(_file_name(part, len(letter.files) + 1), part.media_type[:255], part.content))


def _file_name(part: Part, number: int) -> str:
    """The sender's name for a file, as one path component; made up where there is none."""
    given = part.filename or ""
    if "=?" in given:
        given = headers.text_of(given.encode("utf-8", "replace"))
    name = headers.line(given).replace("\\", "/").rpartition("/")[2].strip(". ")
    if not name and part.media_type == "message/rfc822":
        name = headers.text_of(read_message(part).get("subject"))[:100].replace("/", "_").replace("\\", "_").strip(". ")
        name = f"{name}.eml" if name else ""
    if not name:
        return f"file-{number}{_EXTENSIONS.get(part.media_type, '')}"
    if len(name) <= FILE_NAME_CHARS:
        return name
    stem, dot, ending = name.rpartition(".")
    kept = dot + ending if stem and len(ending) <= 10 else ""
    return name[: FILE_NAME_CHARS - len(kept)] + kept


def _read_kind(letter: Letter, root: Part, return_path: str | None) -> None:
    letter.list_id = kinds.list_of(root)
    reports = bounces.report_of(root)
    looks = bounces.looks_like_bounce(root, letter.subject, letter.sender, return_path)
    if reports:
        letter.bounced = bounces.reported(reports)
        # a report that names only addresses that were reached is a receipt
        told = b"failed" in (said := b" ".join(r.content()[:10_000] for r in reports).lower()) or b"delayed" in said
        failed = bool(letter.bounced) or told or (looks and not bounces.tells_of_arrival(reports))
        letter.kind = "bounce" if failed else "auto_reply"
    elif looks:
        letter.kind = "bounce"
    elif kinds.is_auto_reply(root, letter.subject, return_path, answers=bool(letter.in_reply_to or letter.references)):
        letter.kind = "auto_reply"
    if letter.kind == "bounce" and not letter.bounced:
        ours = {a.lower() for a in (letter.sender or "", *letter.to, *letter.cc, *letter.recipients)}
        letter.bounced = bounces.guessed(root, letter.subject, letter.whole, ours)


def _read_returned(letter: Letter, root: Part) -> None:
    """A report seldom says in its own header which letter it is about; the letter that it gives back does."""
    if letter.kind == "bounce":
        returned = bounces.returned_ids(root, letter.whole)
        letter.in_reply_to = letter.in_reply_to or next(iter(returned), None)
        letter.references = list(dict.fromkeys([*letter.references, *returned]))[-headers.REFERENCES :]


def _read_loop(letter: Letter, root: Part, own_domain: str) -> None:
    letter.loop = kinds.loop_of(root, own_domain)


def _read_likeness(letter: Letter, root: Part) -> None:
    """By what the sender wrote, not by what servers added; without a Message-ID only the very same bytes are a repeat."""
    if letter.message_id is None:
        return
    digest = hashlib.sha256()
    for name in ("message-id", "from", "to", "cc", "date", "subject"):
        digest.update(name.encode() + b"\0")
        for value in root.get_all(name):
            digest.update(b" ".join(value.split()) + b"\0")
    digest.update(root.raw[root.start :].replace(b"\r\n", b"\n").rstrip())
    letter.likeness = digest.digest()

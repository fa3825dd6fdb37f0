"""K5: whatever bytes come, a letter is read or kept as malformed: never an error, never without end."""

from __future__ import annotations

import time
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.inbound import MailBody
from services.channels.mail.reading import charsets, headers, html, quoting
from services.channels.mail.reading.company import Company
from services.channels.mail.reading.letter import Letter, read_letter
from services.channels.mail.reading.mime import parameters
from services.channels.mail.taking import written
from tests.beside_others import room

COMPANY = Company.of(["@firma.example"])
SEEDS = [
    file.read_bytes()
    for file in sorted((Path(__file__).parent / "mail_corpus").glob("*.eml"))
    if file.stat().st_size < 20_000
]
SECONDS = 20.0
"""For the worst letters of megabytes on a busy machine; each takes well under two on a quiet one."""

PIECES = st.sampled_from(
    [
        *[
            b"\r\n",
            b"\n",
            b"\r",
            b"\0",
            b"--b",
            b"--b--",
            b"<",
            b">",
            b"@",
            b",",
            b'"',
            b"(",
            b")",
            b"\xff\xfe",
            b"+AD4-",
        ],
        *[b"=?utf-8?B?", b"?=", b"=?koi8-r?Q?=C1?=", "Привет".encode("cp1251"), "Привет".encode(), b"a@client.example"],
        *[b"From: ", b"To: ", b"Subject: ", b"Date: ", b"References: <", b"Message-ID: <a@b>\r\n", b"begin 644 a\n"],
        *[b"charset=utf-7;", b"format=flowed\r\n", b"Content-Disposition: attachment; filename*0*=utf-8''%D0"],
        b"Content-Type: text/html\r\n",
        b"Content-Type: multipart/mixed; boundary=b\r\n",
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n",
        b"Content-Type: message/delivery-status\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Transfer-Encoding: x-uuencode\r\n",
        b"Final-Recipient: rfc822; a@b.c\r\n",
    ]
)
BYTES = st.lists(PIECES | st.binary(max_size=8), max_size=60).map(b"".join)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A letter of the corpus with something cut out, put in or put twice."""
    raw = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 4))):
        at, to = sorted((draw(st.integers(0, len(raw))), draw(st.integers(0, len(raw)))))
        raw = raw[:at] + draw(PIECES | st.binary(max_size=20)) + raw[draw(st.sampled_from([at, to])) :]
    return raw


def misfits(text: bytes) -> set[tuple[int | str, ...]]:
    """The places in which a body does not fit the contract."""
    try:
        MailBody.model_validate_json(text)
    except ValidationError as error:
        return {found["loc"] for found in error.errors()}
    return set()


def check(raw: bytes) -> Letter:
    letter = read_letter(raw, COMPANY, recipients=["leads@firma.example"], own_domain="id.firma.example")
    text, blobs = written(letter, raw)
    ours = [
        defect for defect in orjson.loads(text).get("defects", []) if "could not be" in defect or "not kept" in defect
    ]
    assert not ours, "a fault of the reader, not of the letter"
    text.decode("utf-8")
    assert blobs[0].content() == raw
    assert misfits(text) == (set() if letter.sender else {("sender",)})
    assert len(letter.likeness) == 32
    return letter


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=300) | BYTES)
def test_K5_any_bytes_are_read_or_kept(raw: bytes) -> None:
    check(raw)


@settings(max_examples=600, deadline=None)
@given(damaged())
def test_K5_a_damaged_letter_is_read_or_kept(raw: bytes) -> None:
    check(raw)


@settings(max_examples=200, deadline=None)
@given(damaged(), st.lists(st.sampled_from([b"Received: x", b"Return-Path: <a@b>", b"X-Spam: no"]), max_size=3))
def test_K5_what_servers_put_on_its_head_does_not_make_it_another_letter(raw: bytes, added: list[bytes]) -> None:
    plain = read_letter(raw, COMPANY)
    assert read_letter(raw, COMPANY).likeness == plain.likeness
    if plain.message_id is not None and raw[:1].isalpha() and not raw.startswith((b"From ", b">From ")):
        carried = read_letter(b"".join(line + b"\r\n" for line in added) + raw, COMPANY)
        assert carried.likeness == plain.likeness


@given(st.text(), st.sampled_from(["utf-8", "koi8-r", "cp1251", "utf-16", None, "x-unknown", "\0", "base64", "idna"]))
def test_K5_text_comes_out_of_any_charset(text: str, declared: str | None) -> None:
    raw = text.encode("utf-8", "replace")
    charsets.decode(raw, declared).encode("utf-8")
    charsets.decode(raw[1:], declared).encode("utf-8")


RUSSIAN = st.text("оеаинтсрвлкмдпуяыьгзбчйхжшюц ", min_size=25, max_size=80).filter(lambda text: len(set(text)) > 8)


@pytest.mark.parametrize("codec", ["cp1251", "koi8-r"])
@pytest.mark.parametrize(
    "text",
    [
        "Здравствуйте! Хочу заказать кухню, перезвоните мне, пожалуйста.",
        "Просим выставить счёт на оплату по договору № 15",
        "Добрый день. Интересует цена",
        "СРОЧНО! ПЕРЕЗВОНИТЕ ПО ЗАКАЗУ",
        "Во сколько обойдётся доставка в Нижний Новгород?",
    ],
)
@pytest.mark.parametrize("declared", [None, "us-ascii", "iso-8859-1", "windows-1251", "koi8-r", "utf-8", "x-unknown"])
def test_K5_russian_is_read_under_any_label(text: str, codec: str, declared: str | None) -> None:
    assert charsets.decode(text.encode(codec, "replace"), declared) == text.encode(codec, "replace").decode(codec)


@given(st.binary(max_size=200))
def test_K5_headers_of_any_bytes_give_one_line(value: bytes) -> None:
    assert "\n" not in headers.text_of(value)
    for name, address in headers.addresses([value]):
        assert "\n" not in name
        assert headers.normal_address(address) == address
    headers.message_ids([value])
    headers.moment(value)
    parameters(value.decode("latin-1"))


@given(st.text(max_size=300))
def test_K5_html_and_quotation_of_any_text_give_text(text: str) -> None:
    assert html.QUOTE_MARK not in quoting.written(html.text_of_html(text), text)
    quoting.unflowed(text, delete_space=True)


NEST = 3_000
REPORT = (
    b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
)
HUGE: dict[str, bytes] = {
    "nested parts": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(NEST)
    ),
    "many parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 300_000,
    "many text parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    + (b"--b\r\n\r\n" + b"\xd0" * 9_000 + b"\r\n") * 500,
    "alternatives in alternatives": b"".join(
        b"Content-Type: multipart/alternative; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(15)
    )
    + b"x\r\n" * 2_000_000,
    "many headers": b"X: y\r\n" * 300_000,
    "one folded header": b"Subject: a\r\n" + b" folded\r\n" * 300_000,
    "encoded words": b"Subject: " + b"=?utf-8?B?" * 100_000 + b"\r\n\r\n",
    "question marks": b"Subject: =?utf-8?q?" + b"?" * 500_000 + b"\r\n\r\n",
    "open brackets": b"From: " + b"<" * 500_000 + b"\r\n\r\n",
    "open comments": b"From: " + b"(" * 500_000 + b"\r\n\r\n",
    "open quotes": b"From: " + b'"' * 500_000 + b"\r\n\r\n",
    "groups": b"To: " + b"a:" * 200_000 + b"\r\n\r\n",
    "commas": b"To: " + b"," * 500_000 + b"\r\n\r\n",
    "at signs": b"From: " + b"@" * 500_000 + b"\r\nTo: " + b"a@" * 200_000 + b"\r\n\r\n",
    "many addresses": b"To: " + b", ".join(b"a%d@client.example" % n for n in range(50_000)) + b"\r\n\r\n",
    "references": b"References: " + b"<a@b> " * 100_000 + b"\r\n\r\n",
    "parameters": b"Content-Type: text/plain" + b"; a*0*=x" * 100_000 + b"\r\n\r\n",
    "html tags without end": b"Content-Type: text/html\r\n\r\n" + b"<a " * 1_000_000,
    "html comments": b"Content-Type: text/html\r\n\r\n" + b"<!-- " * 600_000,
    "html links": b"Content-Type: text/html\r\n\r\n" + b"<a href=http:x></a>" * 100_000,
    "html quotes": b"Content-Type: text/html\r\n\r\n" + b'<a href="' * 200_000 + b">",
    "quotation": b"Content-Type: text/plain\r\n\r\n" + b"On 1.1.2026 10:00 a@b.c wrote:\r\n> x\r\n" * 50_000,
    "attributions": b"Content-Type: text/plain\r\n\r\n" + (b"On " + b"wrote " * 60 + b"\r\n") * 3_000,
    "outlook": b"Content-Type: text/plain\r\n\r\n" + b"From: a\r\nx\r\n" * 100_000,
    "flowed": b"Content-Type: text/plain; format=flowed\r\n\r\n" + b"> a \r\n" * 500_000,
    "delivery status": REPORT + b"Final-Recipient: rfc822; a@b.c\r\n\r\n" * 100_000,
    "blank lines of a report": REPORT + b"A: b" + b"\r\n \t" * 500_000 + b"x",
    "a bounce's text": b"From: mailer-daemon@b.c\r\nSubject: failure notice\r\n\r\n"
    + b"a@" * 500_000
    + b"-- " * 100_000,
    "a bounce's dashes": b"From: mailer-daemon@b.c\r\nSubject: failure notice\r\n\r\n" + b"-" * 300_000 + b" copy",
    "no line ends": b"a" * 30_000_000,
    "only line ends": b"From: a@b.c\r\n\r\n" + b"\r\n" * 5_000_000,
    "bad base64": b"Content-Transfer-Encoding: base64\r\n\r\n" + b"*" * 10_000_000,
    "bad quoted-printable": b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=" * 10_000_000,
    "uuencoded": b"Content-Type: a/b\r\nContent-Transfer-Encoding: x-uue\r\n\r\nbegin 644 a\n" + b"M\n" * 1_000_000,
}


@pytest.mark.parametrize("name", sorted(HUGE))
def test_K5_a_hostile_letter_takes_no_longer_than_its_size(name: str) -> None:
    begun = time.monotonic()
    check(HUGE[name])
    assert time.monotonic() - begun < room(SECONDS)

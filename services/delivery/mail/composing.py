"""A letter as the bytes that go out, and its envelope (R3, RFC 5322, 2045-2047, 2369, 3834, 8058).

Pure. Invariants: the same letter gives the same bytes at every try; nothing that a person typed can begin a header or a
command (names and subjects become one line, addresses are taken apart and put together again); every line is ASCII of less
than 998 characters, but for an address that has no ASCII form (`needs_utf8`, RFC 6531). What cannot be a letter raises
`UnsendableError` with a code that holds nothing personal.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC
from email import policy, quoprimime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final
from urllib.parse import quote
from uuid import UUID

from email_validator import EmailNotValidError, validate_email

from services.delivery.port import Letter
from services.ways_out import OutgoingMail

SUBJECT_CHARS = 2_000
NAME_CHARS = 200
LOCAL_OCTETS = 64
"""RFC 5321 4.5.3.1.1."""
LINE_CHARS = 76
CUT = "…"
UNSUBSCRIBE_SUBJECT: Final = "unsubscribe"
"""Of a letter that asks for no more; `services.leads.domain.refusal_words` knows it."""

_WORD_BYTES = 39
"""Of UTF-8 in one encoded word: with its frame and the field's name it stays below the 76 characters of RFC 2047."""
_NOT_SHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
"""Controls, line ends, and what turns the direction of writing (a name could show itself as an address)."""
_NOT_IN_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_PLAIN = re.compile(r"[\x20-\x7e]*")
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]{1,200}@[A-Za-z0-9.\-]{1,200}>")
_TOKEN = re.compile(r"[A-Za-z0-9._\-]{1,128}")
_WAY_OUT = re.compile(r"(?:https?://|mailto:)[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+;=%]{1,900}")
"""RFC 3986 without the comma, which parts the ways in a header."""


class UnsendableError(ValueError):
    """No letter can be made of it. `code`: short words without anything personal."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Written:
    """A letter ready to go. `needs_utf8`: only to a server that offers SMTPUTF8."""

    raw: bytes = field(repr=False)
    """CRLF line ends; not dot-stuffed."""
    sender: str = field(repr=False)
    """The envelope's: reports of what did not arrive come to it, with the conversation's token (as VERP names the recipient)."""
    recipient: str = field(repr=False)
    needs_utf8: bool = False


def compose(letter: Letter, mail: OutgoingMail) -> Written:
    """The letter's bytes and envelope. Raises UnsendableError."""
    recipient, needs_utf8 = _recipient(letter.to)
    if not _MESSAGE_ID.fullmatch(letter.message_id):
        raise UnsendableError("message_id_unusable")
    head = [
        _mailbox("From", mail.from_name, mail.from_address),
        _mailbox("To", letter.to_name or "", recipient),
        _line("Subject", one_line(letter.subject, SUBJECT_CHARS)),
    ]
    if letter.written_at is not None:
        head.append(f"Date: {format_datetime(letter.written_at.astimezone(UTC))}")
    head.append(f"Message-ID: {letter.message_id}")
    answers_to = with_token(mail.answers_to, letter.thread)
    if answers_to != mail.from_address:
        head.append(f"Reply-To: {answers_to}")
    head.append("Auto-Submitted: auto-generated")
    if letter.unsubscribe is not None:
        head += _unsubscribing(letter.unsubscribe, with_token(mail.answers_to, letter.thread))
    raw = "".join(f"{line}\r\n" for line in head).encode() + _content(letter).as_bytes()
    sender = with_token(mail.reports_to, letter.thread if mail.envelope_token else None)
    return Written(raw, sender, recipient, needs_utf8)


def with_token(address: str, token: str | None) -> str:
    """`local+TOKEN@domain` (RFC 5233), by which the door finds the conversation. Raises UnsendableError for what is no token."""
    if token is None:
        return address
    local, _, domain = address.rpartition("@")
    tokened = f"{local}+{token}"
    if not _TOKEN.fullmatch(token) or len(tokened) > LOCAL_OCTETS:
        raise UnsendableError("thread_unusable")
    return f"{tokened}@{domain}"


def unsubscribe_by_letter(address: str) -> str:
    """The mailto: address that ends letters where there is no public address of the door (RFC 6068)."""
    return f"mailto:{quote(address, safe='@+')}?subject={UNSUBSCRIBE_SUBJECT}"


def one_line(text: str, most: int) -> str:
    """A text as one line: no controls, one space where there were several, cut with an ellipsis."""
    clean = " ".join(_NOT_SHOWN.sub(" ", text).split()).encode("utf-8", "replace").decode()
    return clean if len(clean) <= most else clean[: most - 1] + CUT


def _recipient(given: str) -> tuple[str, bool]:
    """The address with its domain in ASCII, and whether its local part needs SMTPUTF8."""
    try:
        found = validate_email(
            given,
            check_deliverability=False,
            globally_deliverable=False,
            allow_smtputf8=True,
            allow_quoted_local=True,
        )
    except EmailNotValidError:
        raise UnsendableError("address_unusable") from None
    local = found.ascii_local_part or found.local_part
    if len(local.encode()) > LOCAL_OCTETS or _NOT_SHOWN.search(local):
        raise UnsendableError("address_unusable")
    return f"{local}@{found.ascii_domain}", not local.isascii()


def _mailbox(field_name: str, name: str, address: str) -> str:
    shown = one_line(name, NAME_CHARS)
    if not shown:
        return f"{field_name}: {address}"
    if _PLAIN.fullmatch(shown) and "=?" not in shown and len(shown) <= LINE_CHARS - len(field_name) - 4:
        phrase = '"' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'
    else:
        phrase = _encoded(shown)
    return f"{field_name}: {phrase}\r\n <{address}>"


def _line(field_name: str, text: str) -> str:
    words = text.split(" ")
    if not _PLAIN.fullmatch(text) or "=?" in text or max(map(len, words)) > LINE_CHARS - len(field_name) - 2:
        return f"{field_name}: {_encoded(text)}"
    lines = [f"{field_name}:"]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > LINE_CHARS:
            lines.append("")
        lines[-1] += f" {word}"
    return "\r\n".join(lines)


def _encoded(text: str) -> str:
    """The text as encoded words, a line each; no character is cut in two (RFC 2047 5)."""
    words, held = [], b""
    for character in text:
        octets = character.encode()
        if len(held) + len(octets) > _WORD_BYTES:
            words.append(held)
            held = b""
        held += octets
    words.append(held)
    return "\r\n ".join(f"=?utf-8?B?{b64encode(word).decode()}?=" for word in words)


def _unsubscribing(way: str, by_letter: str) -> list[str]:
    """A link with a letter beside it for the programs that know only that, or the letter alone."""
    if not _WAY_OUT.fullmatch(way):
        raise UnsendableError("unsubscribe_unusable")
    if way.startswith("mailto:"):
        return [f"List-Unsubscribe: <{way}>"]
    both = f"List-Unsubscribe: <{way}>,\r\n <{unsubscribe_by_letter(by_letter)}>"
    # RFC 8058 3.1: one click is promised of an https address only
    return [both, "List-Unsubscribe-Post: List-Unsubscribe=One-Click"] if way.startswith("https:") else [both]


def _content(letter: Letter) -> EmailMessage:
    made = EmailMessage(policy=policy.SMTP)
    _set_text(made, letter.text, "plain")
    if letter.html is not None:
        made.make_alternative()
        part = EmailMessage(policy=policy.SMTP)
        _set_text(part, letter.html, "html")
        made.attach(part)
        made.set_boundary(_boundary(letter.effect))
    return made


def _set_text(part: EmailMessage, text: str, subtype: str) -> None:
    clean = _NOT_IN_TEXT.sub("", text).encode("utf-8", "replace").decode()
    octets = clean.replace("\r", "").replace("\n", "").encode()
    # whichever is shorter; neither can hold the boundary, which has `=_` in it (RFC 2045 6.7)
    cte = "quoted-printable" if quoprimime.body_length(octets) * 3 <= len(octets) * 4 else "base64"
    part.set_content(clean, subtype=subtype, charset="utf-8", cte=cte)


def _boundary(effect: UUID) -> str:
    return f"=_leadline_{effect.hex}"

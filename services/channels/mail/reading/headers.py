"""Header values: encoded words (RFC 2047), addresses, message ids, dates, as leniently as they are written.

Pure. Invariants: never raises; texts hold no control characters; an address that is given out has a local part and a domain.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import getaddresses, parsedate_tz
from itertools import islice
from urllib.parse import unquote_to_bytes

from services.channels.mail.reading.charsets import decode, keepable
from services.channels.mail.reading.mime import lenient_base64

LINE_CHARS = 998
VALUE_BYTES = 64 * 1024
"""How much of one header value is read."""
ADDRESSES = 200
"""The most addresses of a letter's To or Cc that are kept."""
NAME_CHARS = 500
MAILBOXES = 1_000
"""How many are looked at to find them."""
REFERENCES = 100

_WORD = re.compile(rb"=\?([^?\s]{1,60})\?([BbQq])\?([^?]{0,4000}(?:\?(?!=)[^?]{0,4000}){0,8})\?=")
_CONTROL = re.compile("[\x00-\x1f\x7f\x80-\x9f\u2028\u2029]+")
_ADDRESS = re.compile(
    r'(?:"[^"\x00-\x1f\x7f]{1,64}"|[^\s\x00-\x1f\x7f<>()\[\],;:"@\\]{1,64})'
    r"@(?:[^\s\x00-\x1f\x7f<>()\[\],;:\"'@\\]{1,253}|\[[0-9A-Fa-f:.]{3,60}\])"
)
_MESSAGE_ID = re.compile(r"<\s*([^<>\s]{1,900})\s*>")
_DEPTH_OF_COMMENTS = 50


def text_of(value: bytes | None) -> str:
    """A header value as a line to show, encoded words decoded."""
    return line(_unencoded((value or b"")[:VALUE_BYTES]))[:LINE_CHARS]


def line(text: str) -> str:
    """One line without control characters."""
    return _CONTROL.sub(" ", keepable(text)).strip()


def _unencoded(value: bytes) -> str:
    """Encoded words decoded; those next to each other in one charset together, because senders cut characters in two."""
    out: list[str] = []
    held: bytes = b""
    charset: bytes | None = None
    end = 0
    for found in _WORD.finditer(value):
        between = value[end : found.start()]
        language_free = found[1].partition(b"*")[0].lower()
        if charset is not None and (between.strip() or language_free != charset):
            out.append(decode(held, charset.decode("ascii", "replace")))
            held, charset = b"", None
        if between.strip() or (between and not out and not held):
            out.append(decode(between))
        held += _word(found[2], found[3])
        charset, end = language_free, found.end()
    if charset is not None:
        out.append(decode(held, charset.decode("ascii", "replace")))
    out.append(decode(value[end:]))
    return "".join(out)


def _word(encoding: bytes, text: bytes) -> bytes:
    if encoding in b"Bb":
        return lenient_base64(text)
    return unquote_to_bytes(text.replace(b"%", b"%25").replace(b"_", b" ").replace(b"=", b"%"))


def addresses(values: Iterable[bytes]) -> list[tuple[str, str]]:
    """(display name, address) of each mailbox, in order, each address once; what is no address is left out."""
    found: dict[str, str] = {}
    for value in values:
        for name, given in _mailboxes(value[:VALUE_BYTES]):
            if (address := normal_address(given)) and address not in found:
                found[address] = line(name)[:NAME_CHARS]
            if len(found) >= ADDRESSES:
                return [(name, address) for address, name in found.items()]
    return [(name, address) for address, name in found.items()]


def _mailboxes(value: bytes) -> list[tuple[str, str]]:
    # ASCII with encoded words still encoded: a decoded name may hold commas and quotes that are no syntax
    text = value.decode("ascii") if value.isascii() else decode(value)
    text = keepable(text)
    pairs: list[tuple[str, str]] = []
    if text.count("(") <= _DEPTH_OF_COMMENTS:
        try:
            pairs = [(_shown_name(name), given) for name, given in getaddresses([text])[:MAILBOXES] if given]
        except (ValueError, IndexError, RecursionError, AttributeError):
            pairs = []
    if any(normal_address(given) for _, given in pairs):
        return pairs
    shown, end = _unencoded(value), 0
    pairs = []
    for at in islice(_ADDRESS.finditer(shown), MAILBOXES):
        pairs.append((line(shown[max(end, at.start() - NAME_CHARS) : at.start()].strip(' <>,;"')), at[0]))
        end = at.end()
    return pairs


def _shown_name(name: str) -> str:
    return _unencoded(name[:LINE_CHARS].encode("utf-8", "replace")).strip().strip('"')


def normal_address(given: str) -> str | None:
    """The address with its domain in lower case; None when it is none."""
    given = given.strip().strip("<>'").strip()
    if len(given) > 320 or not _ADDRESS.fullmatch(given):
        return None
    local, _, domain = given.rpartition("@")
    domain = domain.lower().rstrip(".")
    return f"{local}@{domain}" if domain and not domain.startswith(".") and ".." not in domain else None


def addresses_in(text: str) -> list[str]:
    """All addresses that stand in a text, in order, each once."""
    found = (normal_address(at[0].rstrip(".")) for at in _ADDRESS.finditer(text))
    return list(dict.fromkeys(address for address in found if address))


def message_ids(values: Iterable[bytes]) -> list[str]:
    """Message ids without their brackets, in order, each once; the newest `REFERENCES` of them."""
    found: list[str] = []
    for value in values:
        text = line(decode(value[:VALUE_BYTES]))
        named = _MESSAGE_ID.findall(text)
        found += named or [word.strip("<>,;") for word in text.split() if "@" in word.strip("<>@")]
    kept = dict.fromkeys(item[:900] for item in found if item)
    return list(kept)[-REFERENCES:]


def moment(value: bytes | None) -> datetime | None:
    """The instant of a Date header; None where it names none. Without a zone it is read as UTC (RFC 5322 3.3)."""
    if value is None:
        return None
    try:
        parsed = parsedate_tz(line(decode(value[:200])))
        if parsed is None:
            return None
        offset = parsed[9] or 0
        naive = datetime(*parsed[:6], tzinfo=UTC)
        return datetime.fromtimestamp(naive.timestamp() - offset, UTC)
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None

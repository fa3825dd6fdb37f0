"""The parts of a letter (RFC 5322, RFC 2045, 2046, 2231), read as leniently as mail is written.

Pure. Our own reader and not the standard library's, because that one takes time quadratic in nesting and raises on what
people's mailers really send. Invariants: never raises; the time is bounded by bytes × `DEPTH`; parts are places in the
letter's bytes, so nesting copies nothing. What is beyond a limit stays in the original and is named in `defects`.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from services.channels.mail.reading.charsets import decode

DEPTH = 20
"""How deep parts may be nested."""
PARTS = 500
"""The most parts of a letter."""
HEADER_BYTES = 1024 * 1024
"""The longest header section that is read."""
HEADERS = 2_000
PARAMETER_CHARS = 8_192
"""How much of a Content-Type or Content-Disposition is read."""

_END_OF_HEADERS = re.compile(rb"\r?\n(?=\r?\n)|\r(?=\r(?!\n))")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_FIELD = re.compile(rb"([!-9;-~]{1,200})[ \t]*:[ \t]*(.*)", re.DOTALL)
_GUESSED_BOUNDARY = re.compile(rb"^--([^\s-][^\r\n]{4,68}?)[ \t]*(?=\r?$)", re.MULTILINE)
_PARAMETER = re.compile(r';\s*([^\s=;"]{1,80})\s*=\s*("(?:[^"\\]|\\.)*"?|[^;]*)', re.DOTALL)
_TYPE = re.compile(r"\s*([a-z0-9!#$&^_.+\-]{1,100})/([a-z0-9!#$&^_.+\-]{1,100})", re.IGNORECASE)
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_UU_BEGIN = re.compile(rb"^begin [0-7]{3,4} ([^\r\n]{1,200})\r?\n", re.MULTILINE)


@dataclass(slots=True)
class Part:
    """A letter or one part of it. `start`, `end`: its content's place in `raw`, still in its transfer encoding."""

    raw: bytes = field(repr=False)
    fields: list[tuple[str, bytes]] = field(repr=False)
    """Header fields in their order: the name in lower case, the value unfolded."""
    start: int
    end: int
    media_type: str = "text/plain"
    parameters: dict[str, str] = field(default_factory=dict)
    disposition: str = ""
    filename: str | None = None
    parts: list[Part] = field(default_factory=list)

    def get(self, name: str) -> bytes | None:
        """The first field of this name."""
        return next((value for known, value in self.fields if known == name), None)

    def get_all(self, name: str) -> list[bytes]:
        """All fields of this name."""
        return [value for known, value in self.fields if known == name]

    def walk(self) -> Iterator[Part]:
        """This part and all below it, in the letter's order."""
        todo = [self]
        while todo:
            part = todo.pop()
            yield part
            todo += reversed(part.parts)

    def content(self) -> bytes:
        """The content, decoded from its transfer encoding; what cannot be decoded stays as it is."""
        return _transferred(self.raw[self.start : self.end], self.get("content-transfer-encoding"))

    def text(self) -> str:
        """The content as text, in the declared charset or the one it is really in, line ends as \\n."""
        text = decode(self.content(), self.parameters.get("charset"))
        return text.replace("\r\n", "\n").replace("\r", "\n")


def read_parts(raw: bytes) -> tuple[Part, list[str]]:
    """The letter with its parts, and what was broken in it."""
    defects: list[str] = []
    start = 0
    if raw.startswith((b"From ", b">From ")):  # an mbox line, put before the letter by old delivery programs
        found = _LINE_END.search(raw)
        start = found.end() if found else len(raw)
    letter = _read_part(raw, start, len(raw), "text/plain", defects)
    todo, count = [(letter, 1)], 1
    while todo:
        part, depth = todo.pop()
        if not part.media_type.startswith("multipart/"):
            continue
        if depth > DEPTH:
            _note(defects, "nested too deeply: the inner parts are in the original only")
            part.media_type = "application/octet-stream"
            continue
        inside = "message/rfc822" if part.media_type == "multipart/digest" else "text/plain"
        for begin, end in _delimited(part, defects):
            count += 1
            if count > PARTS:
                _note(defects, f"more than {PARTS} parts: the others are in the original only")
                return letter, defects
            child = _read_part(raw, begin, end, inside, defects)
            part.parts.append(child)
        todo += [(child, depth + 1) for child in reversed(part.parts)]
        if not part.parts:
            _note(defects, "a multipart without parts: read as text")
            part.media_type = "text/plain"
    return letter, defects


def read_message(part: Part) -> Part:
    """The letter inside a message/rfc822 or text/rfc822-headers part: its own fields, its parts unread."""
    content = part.content()
    return _read_part(content, 0, len(content), "text/plain", [])


def read_fields(raw: bytes, start: int, end: int, defects: list[str]) -> tuple[list[tuple[str, bytes]], int]:
    """Header fields from `start`, and where the content begins."""
    if (empty := _LINE_END.match(raw, start, end)) is not None:
        return [], empty.end()
    window = min(end, start + HEADER_BYTES)
    ended = _END_OF_HEADERS.search(raw, start, window)
    stop = content = window
    if ended is not None:
        stop, content = ended.start(), ended.end()
        if (empty := _LINE_END.match(raw, content, end)) is not None:
            content = empty.end()
    elif window < end:
        _note(defects, "the header section is too long: its end was not looked for")
    lines = _LINE_END.split(raw[start:stop])
    named = [None if line[:1] in (b" ", b"\t") else _FIELD.fullmatch(line) for line in lines]
    if named[0] is None and (ended is None or not any(named[1:5])):
        return [], start  # no header at all: all of it is content
    fields: list[tuple[str, list[bytes]]] = []
    for line, found in zip(lines, named, strict=True):
        if found is not None:
            if len(fields) >= HEADERS:
                _note(defects, f"more than {HEADERS} header fields: the others are in the original only")
                break
            fields.append((found[1].decode("ascii").lower(), [found[2]]))
            continue
        if line.strip() and line[:1] not in (b" ", b"\t"):
            _note(defects, "a header line without a name: read as part of the line above")
        if fields:
            fields[-1][1].append(line.strip())
    return [(name, b" ".join(values)) for name, values in fields], min(content, end)


def _read_part(raw: bytes, start: int, end: int, default: str, defects: list[str]) -> Part:
    fields, content = read_fields(raw, start, end, defects)
    part = Part(raw, fields, content, end)
    given = part.get("content-type")
    part.media_type, part.parameters = default, {}
    if given is not None:
        text = decode(given[:PARAMETER_CHARS])
        matched = _TYPE.match(text)
        if matched is not None:
            part.media_type = f"{matched[1]}/{matched[2]}".lower()
        elif text.strip().lower().startswith("text"):
            part.media_type = "text/plain"
        part.parameters = parameters(text)
    shown = part.get("content-disposition")
    named = part.parameters.get("name")
    if shown is not None:
        text = decode(shown[:PARAMETER_CHARS])
        part.disposition = text.partition(";")[0].strip().lower()
        named = parameters(text).get("filename") or named
    part.filename = named
    return part


def _delimited(part: Part, defects: list[str]) -> Iterator[tuple[int, int]]:
    """The places of a multipart's parts."""
    boundary = part.parameters.get("boundary", "").rstrip()
    delimiters = _delimiters(part, boundary.encode("utf-8", "replace")) if boundary else []
    if not delimiters:
        guessed = _GUESSED_BOUNDARY.search(part.raw, part.start, part.end)
        if guessed is not None:
            delimiters = _delimiters(part, guessed[1])
        _note(defects, "a multipart whose boundary does not stand in it")
    elif not delimiters[-1][1]:
        _note(defects, "a multipart without its closing boundary: it may have been cut off")
    for number, (found, closing) in enumerate(delimiters):
        if closing:
            return
        following = delimiters[number + 1][0] if number + 1 < len(delimiters) else None
        ended = _LINE_END.match(part.raw, found.end(), part.end)
        begin = ended.end() if ended else found.end()
        end = part.end if following is None else following.start()
        if following is not None:
            end -= 2 if part.raw[end - 2 : end] == b"\r\n" else 1
        yield begin, max(begin, end)


def _delimiters(part: Part, boundary: bytes) -> list[tuple[re.Match[bytes], bool]]:
    line = re.compile(rb"^--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r?$)", re.MULTILINE)
    found: list[tuple[re.Match[bytes], bool]] = []
    for match in line.finditer(part.raw, part.start, part.end):
        found.append((match, match[1] is not None))
        if match[1] is not None or len(found) > PARTS:
            break
    return found


def parameters(text: str) -> dict[str, str]:
    """Parameters of a Content-Type or Content-Disposition, with RFC 2231 continuations and charsets; names in lower case."""
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    for matched in _PARAMETER.finditer(text[:PARAMETER_CHARS]):
        name, value = matched[1].lower(), matched[2].strip()
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:].removesuffix('"'), flags=re.DOTALL)
        base, star, rest = name.partition("*")
        if not star:
            plain.setdefault(base, value)
            continue
        number, encoded = rest.rstrip("*"), rest.endswith("*") or not rest
        if not number or (number.isascii() and number.isdigit() and len(number) < 4):
            pieces.setdefault(base, {}).setdefault(int(number or 0), (value, encoded))
    for base, numbered in pieces.items():
        plain[base] = _joined([numbered[number] for number in sorted(numbered)])
    return plain


def _joined(pieces: list[tuple[str, bool]]) -> str:
    """The value of an RFC 2231 parameter."""
    charset, whole = None, b""
    for number, (value, encoded) in enumerate(pieces):
        if encoded and number == 0 and value.count("'") >= 2:
            charset, _, value = value.split("'", 2)
        whole += unquote_to_bytes(value) if encoded else value.encode("utf-8", "surrogateescape")
    return decode(whole, charset)


def _transferred(content: bytes, encoding: bytes | None) -> bytes:
    name = (encoding or b"").partition(b";")[0].strip().strip(b'"').lower()
    if name == b"base64":
        return lenient_base64(content)
    if name == b"quoted-printable":
        return binascii.a2b_qp(content)
    if name in (b"x-uuencode", b"uuencode", b"x-uue", b"uue"):
        return _uudecoded(content)
    return content


def lenient_base64(text: bytes) -> bytes:
    """As many bytes as base64 text gives; strange characters are skipped, a cut-off end is dropped."""
    clean = _NOT_BASE64.sub(b"", text)
    if len(clean) % 4 == 1:
        clean = clean[:-1]
    return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))


def _uudecoded(content: bytes) -> bytes:
    begun = _UU_BEGIN.search(content)
    if begun is None:
        return content
    decoded = bytearray()
    for line in content[begun.end() :].splitlines():
        if line.strip() in (b"end", b"`", b""):
            break
        try:
            decoded += binascii.a2b_uu(line)
        except binascii.Error:
            length = (((line[0] - 32) & 63) * 4 + 5) // 3  # a workaround old encoders need (as in Python's own `uu`)
            try:
                decoded += binascii.a2b_uu(line[:length])
            except binascii.Error:
                return content
    return bytes(decoded)


def _note(defects: list[str], text: str) -> None:
    if text not in defects:
        defects.append(text)

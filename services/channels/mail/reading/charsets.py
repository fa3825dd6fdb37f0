"""Bytes to text when the label may be wrong or missing: UTF-8, the Cyrillic eight-bit charsets, then whatever is declared.

Pure. Invariants: never raises, and the text never holds NUL or lone surrogates, which no table and no JSON could keep. Russian
mail lies about its charset often enough (koi8-r as windows-1251, windows-1251 as latin-1 or without a word) that the
bytes are asked: valid UTF-8 is UTF-8; runs of eight-bit letters are Cyrillic, read the way that gives the likeliest letters.
"""

from __future__ import annotations

import codecs
import math
import re

CYRILLIC = ("cp1251", "koi8-r", "cp866", "iso8859-5", "mac-cyrillic")
SAMPLE_BYTES = 4_000
"""How much of a text is looked at to judge it."""
SURE = 0.35
"""By how much, per letter, another Cyrillic charset must be likelier than the declared one to be taken instead."""
FEW = 6
"""With fewer eight-bit letters a declared charset that decodes is believed."""

_ALIASES = {
    "win-1251": "cp1251",
    "windows1251": "cp1251",
    "cp-1251": "cp1251",
    "x-cp1251": "cp1251",
    "win1251": "cp1251",
    "koi8": "koi8-r",
    "koi8r": "koi8-r",
    "x-koi8-r": "koi8-r",
    "dos-866": "cp866",
    "x-mac-cyrillic": "mac-cyrillic",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "utf-8-mac": "utf-8",
    "utf8mb4": "utf-8",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "ansi": "",
    "default": "",
    "unknown": "",
    "unknown-8bit": "",
    "x-unknown": "",
    "x-user-defined": "",
    "us-ascii": "",
    "ascii": "",
    "binary": "",
}
_NOT_TEXT = frozenset({"base64", "bz2", "hex", "quopri", "rot13", "uu", "zlib", "idna", "punycode", "undefined"})
_STATEFUL = re.compile(r"utf.?7|utf.?16|utf.?32|2022|^hz")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_RUN = re.compile(rb"[\x80-\xff]{3,}")
_HIGH = re.compile(rb"[\x80-\xff]")
_UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")

_COUNTS = (
    1097, 845, 801, 735, 670, 626, 547, 473, 454, 440, 349, 321, 298, 281, 262, 201, 190, 174, 170, 165, 159, 144, 121, 97, 94,
    73, 64, 48, 36, 32, 26, 4, 4,
)  # fmt: skip
_LETTERS = dict(zip("оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё", _COUNTS, strict=True))
"""How often each letter stands in ten thousand of Russian text."""
_LIKELY = {letter: math.log(count / 300) for letter, count in _LETTERS.items()}
_ODD, _CASE_JUMP = -6.0, -3.0


def decode(raw: bytes, declared: str | None = None) -> str:
    """The text of these bytes. `declared`: the charset's name as the letter gives it, if any."""
    return keepable(_decoded(raw, codec_of(declared)))


def keepable(text: str) -> str:
    """The text without what cannot be kept: NUL goes, half a surrogate pair becomes the replacement character."""
    if _UNKEEPABLE.search(text) is None:
        return text
    return _UNKEEPABLE.sub(lambda found: "" if found[0] == "\x00" else "\ufffd", text)


def codec_of(declared: str | None) -> str:
    """Python's name of a charset, empty for none and for those nobody knows."""
    name = (declared or "").strip().strip("\"'").lower()[:60]
    name = _ALIASES.get(name, name)
    try:
        found = codecs.lookup(name).name if name else ""
    except (LookupError, ValueError, UnicodeError):
        return ""
    return "" if found.partition("_")[0] in _NOT_TEXT else found


def _decoded(raw: bytes, codec: str) -> str:
    for mark, name in _BOMS:
        if raw.startswith(mark):
            return raw[len(mark) :].decode("utf-8", "replace") if name == "utf-8" else raw.decode(name, "replace")
    if _STATEFUL.search(codec):
        return raw.decode(codec, "replace")
    if raw.isascii():
        return raw.decode("ascii")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        broken_at = error.start
    if codec in CYRILLIC:
        return raw.decode(_likeliest(raw, codec), "replace")
    if codec and codec not in ("utf-8", "cp1252"):
        return raw.decode(codec, "replace")
    high = len(_HIGH.findall(raw[:SAMPLE_BYTES])) or 1
    if codec == "utf-8" and broken_at > 0 and _mostly_utf8(raw):
        return raw.decode("utf-8", "replace")  # one character cut in two, not another charset
    if sum(len(run) for run in _RUN.findall(raw[:SAMPLE_BYTES])) / high > 0.6 or not codec:
        return raw.decode(_likeliest(raw, "cp1251"), "replace")
    return raw.decode(codec, "replace")


def _mostly_utf8(raw: bytes) -> bool:
    """Whether nearly all eight-bit characters are whole ones of UTF-8."""
    text = raw[:SAMPLE_BYTES].decode("utf-8", "replace")
    return text.count("\ufffd") * 10 <= sum(not char.isascii() for char in text)


def _likeliest(raw: bytes, declared: str) -> str:
    """The Cyrillic charset in which the bytes are the likeliest Russian; the declared one unless another is surely better."""
    sample = raw[:SAMPLE_BYTES]
    if len(_HIGH.findall(sample)) < FEW:
        return declared
    scores = {name: _likelihood(sample.decode(name, "replace")) for name in CYRILLIC}
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] > scores[declared] + SURE else declared


def _likelihood(text: str) -> float:
    """Mean log-likelihood of the characters that are not ASCII, as Russian."""
    score, count, before = 0.0, 0, ""
    for char in text:
        if not char.isascii():
            count += 1
            score += _LIKELY.get(char.lower(), 0.0 if char in "«»—–№…\xa0" else _ODD)
            if char.isupper() and before.islower():
                score += _CASE_JUMP
        before = char
    return score / count if count else 0.0

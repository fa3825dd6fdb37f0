"""What a person wrote in this letter, without the history quoted below or between it; the history stays in the original.

Pure. Invariants: never raises, linear time; a letter that is nothing but quotation is shown whole, so is one that was
forwarded, for there the quotation is the message. Signatures stay: they hold phones and names.
"""

from __future__ import annotations

import re

from services.channels.mail.reading.html import QUOTE_MARK

_QUOTED = re.compile(r"^\s{0,3}(?:>|[|]\s)")
_ATTRIBUTION = re.compile(
    r"^\s*(?:(?:On|Am|Le)\s.{4,200}?(?:wrote|schrieb|a écrit)\s?:"
    r"|.{0,80}(?:\d{1,2}[:.]\d{2}|\b20\d\d\b).{0,120}<[^<>\s]{3,100}@[^<>\s]{3,100}>\s?:"
    r"|.{4,200}?(?:пишет|написала?|написал\(а\)|писала?|wrote)\s?:)\s*$",
    re.IGNORECASE,
)
_DIVIDER = re.compile(
    r"^\s*[-_*=]{2,}\s*(?:original message|исходное сообщение|ursprüngliche nachricht|message d'origine|"
    r"первоначальное сообщение|оригинальное сообщение)\s*[-_*=]{2,}\s*$",
    re.IGNORECASE,
)
_FORWARD = re.compile(
    r"^\s*(?:[-_*=]{2,}\s*(?:forwarded message|пересылаемое сообщение|пересланное сообщение|перенаправленное сообщение|"
    r"начало переадресованного сообщения)\b|begin forwarded message:|начало переадресованного сообщения:)",
    re.IGNORECASE,
)
_OUTLOOK = re.compile(r"^\s*\*?(?:From|От|Von|De)\s?:\*?\s.{0,300}$", re.IGNORECASE)
_OUTLOOK_NEXT = re.compile(
    r"^\s*\*?(?:Sent|Date|To|Отправлено|Дата|Кому|Послано|Gesendet|An|Envoyé)\s?:\*?\s", re.IGNORECASE
)
_FORWARDED_SUBJECT = re.compile(r"^\s*(?:fwd?|пересл|fw)\s*:", re.IGNORECASE)
_LONG_LINE = 400


def unflowed(text: str, *, delete_space: bool) -> str:
    """The text of a format=flowed part (RFC 3676) with its paragraphs in one line each."""
    out: list[str] = []
    depth_before, open_line = 0, False
    for given in text.split("\n"):
        bare = given.lstrip(">")
        depth = len(given) - len(bare)
        bare = bare.removeprefix(" ")
        flows = bare.endswith(" ") and bare != "-- "
        piece = bare[:-1] if flows and delete_space else bare
        if open_line and depth == depth_before and bare != "-- ":
            out.append(piece)
        else:
            out.append(("\n" if out else "") + (">" * depth + " " if depth else "") + piece)
        depth_before, open_line = depth, flows
    return "".join(out)


def written(text: str, subject: str = "") -> str:
    """The text without quoted history."""
    if _FORWARDED_SUBJECT.match(subject):
        return _clean(text)
    lines = text.split("\n")
    kept: list[str] = []
    number = 0
    while number < len(lines):
        line = lines[number]
        if _FORWARD.match(line[:_LONG_LINE]):
            kept += lines[number:]
            break
        if QUOTE_MARK in line or _DIVIDER.match(line[:_LONG_LINE]):
            break
        if _outlook_header(lines, number):
            while kept and re.fullmatch(r"\s*_*\s*", kept[-1]):
                kept.pop()
            break
        taken = _attribution(lines, number)
        if taken:
            following = next((later for later in lines[number + taken : number + taken + 5] if later.strip()), "")
            if not _QUOTED.match(following):
                break  # the quotation is not marked: all that follows is it
            number += taken
            continue
        if not _QUOTED.match(line):
            kept.append(line)
        number += 1
    shown = _clean("\n".join(kept))
    return shown or _clean(text)


def _attribution(lines: list[str], number: int) -> int:
    """How many lines the «On …, X wrote:» at this place takes; 0 where there is none."""
    line = lines[number]
    if not line.strip() or len(line) > _LONG_LINE:
        return 0
    if _ATTRIBUTION.match(line) and _says_who(line):
        return 1
    if number + 1 < len(lines) and line.strip().lower().startswith(("on ", "am ", "le ")):
        both = f"{line} {lines[number + 1]}"[:_LONG_LINE]
        if _ATTRIBUTION.match(both) and _says_who(both):
            return 2
    return 0


def _says_who(line: str) -> bool:
    """Whether an attribution names a date or an address: «Иван написал:» alone may be what a person wrote."""
    return "@" in line or re.search(r"\d{1,2}[:.]\d{2}|\b(?:19|20)\d\d\b", line) is not None


def _outlook_header(lines: list[str], number: int) -> bool:
    """Whether a block From/Sent/To/Subject begins here, as Outlook puts it over what it quotes."""
    if not _OUTLOOK.match(lines[number][:_LONG_LINE]):
        return False
    following = [line[:_LONG_LINE] for line in lines[number + 1 : number + 6] if line.strip()]
    return sum(_OUTLOOK_NEXT.match(line) is not None for line in following) >= 2


def _clean(text: str) -> str:
    text = text.replace(QUOTE_MARK, "")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in text.split("\n"))).strip("\n")

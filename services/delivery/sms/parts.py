"""How a short message is cut into the parts that a phone network carries, and so what it costs. Pure.

Invariants: a text of the GSM default alphabet and its extension goes as septets, any other whole in UCS-2; the parts put
together are the text; no part ends between an escape and its letter, nor within a surrogate pair. Sources: 3GPP TS 23.038,
6.2.1 (alphabets); TS 23.040, 9.2.3.24.1 (concatenation: its header takes 6 of a part's 140 octets).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

Alphabet = Literal["gsm", "ucs2"]

_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ESCAPE: Final = 0x1B
_GSM: Final[dict[str, bytes]] = {
    **{character: bytes((code,)) for code, character in enumerate(_BASIC) if code != _ESCAPE},
    **{
        character: bytes((_ESCAPE, code))
        for character, code in zip("\f^{}\\[~]|€", b"\x0a\x14\x28\x29\x2f\x3c\x3d\x3e\x40\x65", strict=True)
    },
}
"""Septets of each character, one in an octet: SMPP does not pack them."""

ALONE: Final[dict[Alphabet, int]] = {"gsm": 160, "ucs2": 140}
"""Octets as they stand in SMPP (septets of GSM, two for each UCS-2 unit) of a message in one part."""
JOINED: Final[dict[Alphabet, int]] = {"gsm": 153, "ucs2": 134}
"""The same of each of several parts."""
MOST_PARTS: Final = 255
"""The header counts them in one octet."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A text as parts: `encoded` holds each part's octets as SMPP carries them, without any header."""

    alphabet: Alphabet
    encoded: tuple[bytes, ...]

    @property
    def count(self) -> int:
        """How many the sender pays for."""
        return len(self.encoded)


def cut(text: str) -> Parts:
    """The parts of a text; an empty one is one empty part. More than `MOST_PARTS` may come out: no phone joins those."""
    alphabet: Alphabet = "gsm" if all(character in _GSM for character in text) else "ucs2"
    encode: Callable[[str], bytes] = _GSM.__getitem__ if alphabet == "gsm" else _utf16
    pieces = [encode(character) for character in text]
    if sum(map(len, pieces)) <= ALONE[alphabet]:
        return Parts(alphabet, (b"".join(pieces),))
    parts, part = [], bytearray()
    for piece in pieces:
        if len(part) + len(piece) > JOINED[alphabet]:
            parts.append(bytes(part))
            part.clear()
        part += piece
    return Parts(alphabet, (*parts, bytes(part)))


def _utf16(character: str) -> bytes:
    return character.encode("utf-16-be", "replace")

"""Personal data in events: the type every personal field has from the first event on (decision 13).

Invariants: a personal field holds its value or `ERASED`, never a guess; on the wire it stands, encrypted, in the record's
`personal` object and nowhere else. Code that reads one must say what it does when the person was erased.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Final, Literal, TypeVar

T = TypeVar("T")


class Erased(Enum):
    """The one value a personal field has after its person's key was destroyed (M7)."""

    ERASED = "erased"

    def __repr__(self) -> str:
        return "ERASED"


ERASED: Final[Literal[Erased.ERASED]] = Erased.ERASED


class PersonalMarker:
    """Marks a field of an event as personal: the mapper encrypts it, readers may find it erased."""


Personal = Annotated[T | Erased, PersonalMarker()]
"""`Personal[str]`: a str, or ERASED. For what may be absent write `Personal[str | None]`."""


def known(value: T | Erased) -> T | None:
    """The value, or None when it was erased: for readers to whom absent and erased are the same (CEL, search)."""
    return None if isinstance(value, Erased) else value

"""Our own letters, told by their Message-ID: which lead one was written for, and which effect it was (R3, C9, RFC 5322). Pure.

Invariants: the same letter has the same Message-ID at every try, so that whoever got it twice has one to read; an answer or a
bounce that names it finds the lead without a look-up.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from uuid import UUID

_OURS: Final = re.compile(r"^<?([0-9a-f]{32})\.([0-9a-f]{32})@[^@\s<>]+>?$")


class OwnLetter(NamedTuple):
    """What a Message-ID of ours says."""

    lead: UUID
    effect: UUID


def message_id(lead: UUID, effect: UUID, domain: str) -> str:
    """The Message-ID of a letter, angle brackets included."""
    return f"<{lead.hex}.{effect.hex}@{domain}>"


def read_own(value: str | None) -> OwnLetter | None:
    """The letter of ours that a Message-ID names; None for anybody else's."""
    found = _OURS.match((value or "").strip().lower())
    return OwnLetter(UUID(found[1]), UUID(found[2])) if found else None

"""Step 2 of a batch: the locks that its work names, and what happens when further ones are held by another batch."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from services.database import LOST
from services.eventlog.recording import store as recording
from services.leads.work import ArrivalWork, CommandWork, EraseWork, ImportWork, Work


class LocksMissedError(Exception):
    """Streams found after the locks were taken are held by another batch: begin again with these locks too."""

    def __init__(self, numbers: set[int]) -> None:
        super().__init__(f"{len(numbers)} further locks")
        self.numbers = numbers


CONFLICTS = (
    asyncpg.UniqueViolationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
)
"""What another batch got in the way of: this one is done again."""
BATCHS_OWN = (LocksMissedError, *CONFLICTS, *LOST)
"""What is the whole batch's trouble, whichever piece of work met it: nothing is kept aside for it."""


def lock_numbers(work: Sequence[Work]) -> set[int]:
    """Numbers of the locks on the streams and identities that the work names."""
    names: set[int] = set()
    for piece in work:
        match piece:
            case CommandWork():
                names.add(recording.lock_number(piece.command.lead.bytes))
                names.update(recording.lock_number(identity.hmac) for identity in piece.identities)
            case ArrivalWork():
                hmacs = [i.hmac for i in piece.identities] + [r.hmac for r in piece.references]
                names.update(recording.lock_number(hmac) for hmac in hmacs)
            case EraseWork():
                names.add(recording.lock_number(piece.command.contact.bytes))
            case ImportWork():
                names.add(recording.lock_number(piece.row.lead.bytes))
                names.update(recording.lock_number(identity.hmac) for identity in piece.row.identities)
    return names

"""Reading a lead from its events, now or as of a past moment: the history, the state (K6, M1).

Reads only the event store, so what it says is the truth whatever a projection shows. Invariants: personal fields of an erased
person come out as ERASED; an unknown lead gives an empty history and no state.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.database import Database
from services.eventlog.mapper import Recorded, decode, keys_of, peek
from services.eventlog.recording import store as recording
from services.leads.domain.deals import with_lead
from services.leads.domain.state import LeadState, lead_from
from services.privacy.store import KeyRing


async def read_history(
    database: Database, ring: KeyRing, stream: UUID, as_of: datetime | None = None, *, happened: bool = False
) -> list[Recorded]:
    """The events of a stream in order, all or those up to a moment (decision 12).

    That is what was known then (recorded up to it), or, with `happened`, what is known now to have happened by then.
    """
    stored = await recording.load_until(database, stream, None if happened else as_of)
    records = [peek(event.state) for event in stored]
    await ring.load(database, keys_of(records))
    history = [decode(record, ring) for record in records]
    if happened and as_of is not None:
        return [recorded for recorded in history if recorded.meta.happened_at <= as_of]
    return history


async def read_lead(
    database: Database, ring: KeyRing, lead: UUID, as_of: datetime | None = None, *, happened: bool = False
) -> tuple[list[Recorded], LeadState] | None:
    """A lead or a deal: its history and what that makes of it, a deal with what its lead said by then (decision 7); None when
    there is none (yet, at that moment)."""
    history = await read_history(database, ring, lead, as_of, happened=happened)
    if not history or history[0].meta.kind not in ("lead", "deal"):
        return None
    state = lead_from(history)
    assert state is not None, "a history that is not empty has a state"
    if state.deal_of is None:
        return history, state
    of_lead = await read_history(database, ring, state.deal_of, as_of, happened=happened)
    return history, with_lead(state, lead_from(of_lead))


async def lead_state(
    database: Database, ring: KeyRing, lead: UUID, as_of: datetime | None = None, *, happened: bool = False
) -> LeadState | None:
    """The lead, or the deal, as `read_lead` gives it."""
    found = await read_lead(database, ring, lead, as_of, happened=happened)
    return found[1] if found is not None else None

"""Which of a person's leads their own word brings back, and to which stage (P4).

Pure. Invariant: only the lead that was closed last is looked at; where its stage does not let the client bring it back, none
comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from contracts.pipeline import Pipeline
from services.leads.domain.arrivals import Returning
from services.leads.domain.state import LeadState


def brought_back(leads: Iterable[LeadState], pinned: Callable[[LeadState], Pipeline | None]) -> Returning | None:
    """The person's lead that ended last, where its stage lets the client bring it back. `pinned`: the version a lead stands in;
    None for what takes none back."""
    ended = [
        lead
        for lead in leads
        if not lead.is_open and lead.merged_into is None and not lead.erased and pinned(lead) is not None
    ]
    if not ended:
        return None
    last = max(ended, key=lambda lead: (lead.root_at or lead.captured_at, lead.lead))
    known = pinned(last)
    stands = known.by_id.get(last.stage) if known is not None else None
    if known is None or stands is None or stands.reopen is None or not stands.reopen.client:
        return None
    # Where the stage it left is not known to the pipeline any more, work starts again at its first stage.
    stage = known.by_id.get(stands.reopen.to or last.left_open_stage or "") or known.first
    return Returning(last.lead, stage)

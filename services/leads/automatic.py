"""What a lead does by itself once everything is there (P3), in the transaction of whatever completed it.

Invariants: an automatic move is decided by the same rules as everyone's; each carries how many there were since a person or an
inbound message acted (`autodepth`), and the eleventh is refused where everyone sees it (decision 8, N3). Nothing is undone by
the refusal: the lead stays where the tenth brought it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from contracts.commands import Refusal
from contracts.events import Event
from contracts.meta import Actor
from contracts.pipeline import Pipeline
from services.leads.answers import tell_refusal
from services.leads.domain.decide import automatic_move

if TYPE_CHECKING:
    from services.leads.batch import LeadBatch

PIPELINE_RULES: Final = Actor(id="pipeline-rules", kind="system")
"""Who moves a lead that moves by itself."""
MOST: Final = 10
"""Automatic moves in a row; the next one is a loop (decision 8)."""


def follow(batch: LeadBatch, lead: UUID, events: Sequence[Event], pipeline: Pipeline, envelope: dict[str, Any]) -> None:
    """Let the lead move on by itself after these events, as far as it goes."""
    depth: int = envelope.get("autodepth", 0)
    while True:
        state = batch.lead(lead)
        assert state is not None
        events = automatic_move(state, events, pipeline)
        if not events:
            return
        depth += 1
        if depth > MOST:
            command = uuid5(envelope["command"], f"automatic:{depth}")
            tell_refusal(batch, command, lead, "move", PIPELINE_RULES, _too_many(), state.version)
            return
        batch.record(lead, "lead", state.contact, events, **{**envelope, "actor": PIPELINE_RULES, "autodepth": depth})


def _too_many() -> Refusal:
    return Refusal(
        rules=("N3.no_loop",),
        ru=f"Больше {MOST} автоматических переходов подряд: похоже на петлю в воронке. Лид оставлен на месте.",
        en=f"More than {MOST} automatic moves in a row: the pipeline seems to have a loop. The lead stays where it is.",
    )

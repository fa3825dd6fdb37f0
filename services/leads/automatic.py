"""What a lead does by itself, put among the effects of the batch that caused it (`services.leads.domain.robots.following`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from contracts.commands import Refusal
from contracts.events import Event
from contracts.meta import Actor
from contracts.pipeline import Pipeline
from services.leads import assigning
from services.leads.answers import tell_refusal
from services.leads.domain.decide import MOST_MOVES, Surroundings
from services.leads.domain.permissions import Permission, contactable
from services.leads.domain.robots import following
from services.leads.domain.robots.following import PIPELINE_RULES, Following
from services.leads.domain.state import LeadState
from services.leads.people.deleting import by_itself, deletion, erase_person
from services.subject import spoken

if TYPE_CHECKING:
    from services.leads.batch import LeadBatch


def follow(
    batch: LeadBatch,
    lead: UUID,
    events: Sequence[Event],
    pipeline: Pipeline,
    envelope: dict[str, Any],
    before: LeadState | None,
    *,
    moves: bool = True,
) -> None:
    """Let follow what follows from these events, which are recorded. A loop is refused where everyone sees it (N3)."""
    state, deleted = _state(batch, lead), False
    chooser = assigning.Chooser(batch, pipeline) if batch.assigning is not None else None

    def record(found: Sequence[Event], actor: Actor, depth: int) -> LeadState:
        nonlocal deleted
        if chooser is not None:
            chooser.settle(found)
        now_it = _state(batch, lead)
        deleted |= deletion(batch, now_it, found)[0] and by_itself(batch, now_it, found) is None
        batch.record(lead, "lead", state.contact, found, **{**envelope, "actor": actor, "autodepth": depth})
        return _state(batch, lead)

    now = Following(
        pipeline,
        batch.times,
        lambda: surroundings(batch, state),
        envelope["command"],
        record,
        moves,
        envelope["happened_at"],
        "en" if batch.settings.language == "en" else "ru",
        lambda lead_state, found: by_itself(batch, lead_state, found),
        chooser,
    )
    stopped = following.follow(now, before, state, events, envelope.get("autodepth", 0))
    if stopped is not None:
        command = uuid5(envelope["command"], f"automatic:{stopped}")
        tell_refusal(
            batch,
            command,
            lead,
            "move",
            PIPELINE_RULES,
            _too_many(state.deal_of is not None),
            _state(batch, lead).version,
        )
    if deleted:  # C1: a result of a deadline rejected it as bad data
        erase_person(batch, state.contact, "bad_data", envelope)


def surroundings(batch: LeadBatch, state: LeadState) -> Surroundings:
    """What a decision about a lead needs to know beyond it."""
    held = batch.open_lead_of(state.contact, state.pipeline) if state.deal_of is None else None
    return Surroundings(
        responsibles=batch.people if batch.people is not None else tuple(batch.settings.responsibles),
        other_open_lead=held if held != state.lead else None,
        region=batch.settings.default_region,
        refused=_refused(batch, state),
        language=batch.settings.language,
    )


def _refused(batch: LeadBatch, state: LeadState) -> Mapping[str, Permission]:
    """What the person does not want, where their contact is at hand."""
    contacts = {state.contact, batch.person(state.contact)}
    said = [p for contact in contacts if (known := batch.contact(contact)) is not None for p in known.permissions]
    if not said:
        return {}
    today = batch.times.calendar.local(batch.now).date()
    answers = contactable(said, today)
    return {channel: a.proof for channel, a in answers.items() if not a.allowed and a.proof is not None}


def _state(batch: LeadBatch, lead: UUID) -> LeadState:
    state = batch.lead(lead)
    assert state is not None
    return state


def _too_many(of_deal: bool) -> Refusal:
    return Refusal(
        rules=("N3.no_loop",),
        ru=spoken(
            f"Больше {MOST_MOVES} автоматических переходов подряд: похоже на петлю в воронке. ⟨Лид оставлен|Сделка оставлена⟩ "
            "на месте.",
            of_deal=of_deal,
        ),
        en=spoken(
            f"More than {MOST_MOVES} automatic moves in a row: the pipeline seems to have a loop. The ⟨lead|deal⟩ stays where "
            "it is.",
            of_deal=of_deal,
        ),
    )

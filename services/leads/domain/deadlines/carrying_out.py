"""Where a deadline's result takes the lead: the system moves or rejects it, by everyone's rules (Q4, Q5). Pure.

Invariants: the act is the deadline's own (actor of kind robot, under its id); what the rules refuse becomes a task that says why;
an automatic move over the limit is refused like any other (N3); of a lead that left the stage already nothing is carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid5

from contracts import commands as c
from contracts import events as e
from contracts.commands import Refusal
from contracts.meta import Actor
from contracts.pipeline import DeadlineResult, MoveTo, RejectAs
from services.leads.domain.deadlines.setting import Circumstances, Language
from services.leads.domain.decide import MOST_MOVES, Surroundings, decide
from services.leads.domain.state import LeadState

_REFUSED: Final[dict[Language, str]] = {
    "ru": "Срок «{what}», результат «{result}»: {why}",
    "en": "Deadline “{what}”, result “{result}”: {why}",
}
Allows = Callable[[LeadState, Sequence[e.Event]], Refusal | None]
"""Why these events may not be, for what the domain of one lead does not know; None: they may."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What a result did: events by whom. `moves`: whether the lead changed its stage."""

    actor: Actor
    events: tuple[e.Event, ...]
    moves: bool


def carry_out(
    state: LeadState,
    just: Sequence[e.Event],
    now: Circumstances,
    surroundings: Surroundings,
    command: UUID,
    allows: Allows | None = None,
) -> Iterator[Carried]:
    """What follows from results that were just met."""
    for met in just:
        if not isinstance(met, e.DeadlineMet) or met.result is None or met.visit != state.root:
            continue
        found = now.pipeline.deadlines_by_id.get(met.deadline)
        results = found[1].results if found is not None else ()
        result = next((result for result in results if result.id == met.result), None)
        if result is None or result.then is None or found is None:
            continue
        actor = Actor(id=met.deadline, kind="robot")
        act = c.Command(id=uuid5(met.timer, "act"), lead=state.lead, actor=actor, body=_body(state, result.then))
        decided = _decided(state, act, now, surroundings)
        if not isinstance(decided, Refusal) and allows is not None:
            decided = allows(state, decided) or decided
        if isinstance(decided, Refusal):
            told = _told(met, result, getattr(found[1].titles, now.language), decided, now.language)
            yield Carried(actor, (told,), False)
            continue
        yield Carried(actor, decided, True)
        return


def _body(state: LeadState, then: MoveTo | RejectAs) -> c.CommandBody:
    if isinstance(then, MoveTo):
        return c.Move(to=then.move)
    return c.Reject(status=then.reject, reason=reason_of(state, then))


def reason_of(state: LeadState, reject: RejectAs) -> str | None:
    """The reason of a rejection: the one named, or the one that the card says."""
    return reject.reason if reject.reason_field is None else state.card.get(reject.reason_field) or None


def _decided(
    state: LeadState, act: c.Command, now: Circumstances, surroundings: Surroundings
) -> tuple[e.Event, ...] | Refusal:
    if state.autodepth >= MOST_MOVES:
        return Refusal(
            rules=("N3.no_loop",),
            ru=f"Больше {MOST_MOVES} автоматических переходов подряд: похоже на петлю в воронке.",
            en=f"More than {MOST_MOVES} automatic moves in a row: the pipeline seems to have a loop.",
        )
    return decide(state, act, now.pipeline, now.times.now, surroundings)


def _told(
    met: e.DeadlineMet, result: DeadlineResult, what: str, refusal: Refusal, language: Language
) -> e.ActivityPlanned:
    """A task that says why the lead stays where it is."""
    why = getattr(refusal, language)
    return e.ActivityPlanned(
        activity=uuid5(met.timer, "refused"),
        activity_kind="task",
        reason="deadline",
        text=_REFUSED[language].format(what=what, result=getattr(result.titles, language), why=why),
        visit=met.visit,
        deadline=met.deadline,
    )

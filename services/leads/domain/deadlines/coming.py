"""What becomes of a deadline when its instant has come: it is done, or missed; and of its warning before that (Q4, Q6). Pure.

Asked by `services.leads.domain.robots.firing` for the `fire` commands of the robots service. Invariants: a turn that is due is
closed by exactly one event; one whose deadline its pipeline no longer has is dropped; a notice names the lead by its number
alone, and nothing of the client.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from uuid import uuid5

from contracts import events as e
from contracts.pipeline import Pipeline
from services.leads.domain.deadlines import closing
from services.leads.domain.deadlines.checking import verdict
from services.leads.domain.deadlines.setting import BUILT_IN, WARNING, Circumstances, Language
from services.leads.domain.robots.instants import Times
from services.leads.domain.robots.standing import Armed
from services.leads.domain.state import LeadState
from services.subject import spoken

_WARNS: Final[dict[Language, str]] = {
    "ru": "Срок близко: «{what}», до {until}. ⟨Лид|Сделка⟩ {lead}",
    "en": "A deadline is near: “{what}”, by {until}. ⟨Lead|Deal⟩ {lead}",
}


def come(state: LeadState, turn: e.DeadlineSet, now: Circumstances) -> Iterator[e.Event]:
    """The instant of a turn has come. What was done after it is known already (`reacting`): the lead stands as it stood then."""
    if state.erased:
        yield e.DeadlineDropped(**closing.of(turn), by="erased")
        return
    if state.merged_into is not None:
        yield e.DeadlineDropped(**closing.of(turn), by="merged")
        return
    if turn.deadline not in now.pipeline.deadlines_by_id and turn.deadline not in BUILT_IN:
        yield from closing.dropped(state, turn, "adopted")
        return
    found = verdict(state, turn, now.pipeline)
    yield from closing.met(state, turn, found, now) if found.done else closing.missed(state, turn, found, now)
    yield from closing.warning_over(state, turn)


def is_warning(robot: str) -> bool:
    """Whether a timer of this name is a deadline's warning."""
    return robot.endswith(WARNING)


def warn(state: LeadState, armed: Armed, pipeline: Pipeline, times: Times, language: Language) -> Iterator[e.Event]:
    """A deadline is near: whoever is responsible is told."""
    of = {"robot": armed.robot, "timer": armed.timer, "visit": armed.visit}
    deadline = armed.robot.removesuffix(WARNING)
    turn = state.deadlines.of(armed.visit, deadline)
    if turn is None or turn.due_at <= times.now:
        yield e.RobotCancelled(**of, by="over")
        return
    if state.responsible is None:
        yield e.RobotSkipped(**of, reason="no_address")
        return
    effect = uuid5(armed.timer, "effect")
    found = pipeline.deadlines_by_id.get(deadline)
    what = getattr(found[1].titles, language) if found is not None else deadline
    yield e.EffectRequested(
        effect=effect,
        effect_kind="notice",
        robot=armed.robot,
        visit=armed.visit,
        service=state.responsible,
        language=language,
        text=_told(what, turn, times, state, language),
    )
    late = times.now - armed.due_at
    yield e.RobotRan(
        **of,
        did="warn",
        due_at=armed.due_at,
        late_ms=max(0, int(late.total_seconds() * 1000)),
        effect=effect,
    )


def _told(what: str, turn: e.DeadlineSet, times: Times, state: LeadState, language: Language) -> str:
    until = times.calendar.local(turn.due_at)
    text = spoken(_WARNS[language], of_deal=state.deal_of is not None)
    return text.format(what=what, until=f"{until:%d.%m.%Y %H:%M}", lead=state.lead)

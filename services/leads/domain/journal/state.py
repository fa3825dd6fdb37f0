"""One stream of the incident journal: an employee's quarter, folded from its events (Q6, decision 18).

Pure; never fails on an event of a known type. Invariants: an incident stands under its id once; `strike` is the number that
counts now: the one given when the person was told, or the restated one; None where it counts not. An escalation is told of by
the stream where it was opened, whichever quarter its later misses are in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from contracts import events as e
from contracts.journal import quarter_of, quarter_of_journal
from contracts.meta import Meta
from contracts.recorded import Recorded


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident and what became of it. `at`: when it was recorded."""

    recorded: e.IncidentRecorded
    at: datetime
    due_at: datetime
    """When it was due: as recorded, or as restated."""
    told: Literal["app", "mail"] | None = None
    strike: int | None = None
    acknowledged: bool = False
    excused: bool = False
    restated: e.IncidentRestated | None = None

    @property
    def counts(self) -> bool:
        """Whether it counts as a strike once told."""
        return self.recorded.counts and not self.excused and not self.is_restated_away

    @property
    def is_strike(self) -> bool:
        """Whether it counts as a strike now."""
        return self.strike is not None and not self.excused

    @property
    def is_restated_away(self) -> bool:
        """Whether it was no miss under the corrected calendar."""
        return self.restated is not None and self.restated.verdict != "stands"


@dataclass(frozen=True, slots=True)
class Escalation:
    """An escalation. `due_at`: of the miss that opened it; its period reaches `days` from there, both ways: a miss may be told
    late."""

    escalation: UUID
    due_at: datetime
    days: int
    incidents: tuple[UUID, ...]
    to: str | None = None
    closed: Literal["manager", "nothing_left"] | None = None

    def covers(self, due_at: datetime) -> bool:
        """Whether a miss due then belongs to its period. One of which nothing is left covers nothing."""
        return self.closed != "nothing_left" and abs(due_at - self.due_at) <= timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that somebody of ours is to be told, and how that stands."""

    about: e.NoticeAbout
    to: str
    incident: UUID | None = None
    state: Literal["requested", "done", "failed"] = "requested"


@dataclass(frozen=True, slots=True)
class JournalState:
    """The stream at `version`. `quarter`: the quarter of the year it is of."""

    stream: UUID
    version: int
    employee: str = ""
    quarter: str = ""
    incidents: Mapping[UUID, Incident] = field(default_factory=dict)
    escalations: Mapping[UUID, Escalation] = field(default_factory=dict)
    notices: Mapping[UUID, Notice] = field(default_factory=dict)
    digests: frozenset[tuple[str, date]] = frozenset()
    reviews: Mapping[UUID, bool] = field(default_factory=dict)
    """Reviews of a card, and whether each is done."""


def journal_from(recorded: Iterable[Recorded]) -> JournalState | None:
    """The journal after these events; None for no events."""
    state: JournalState | None = None
    for event in recorded:
        state = evolve_journal(state, event.meta, event.data)
    return state


def evolve_journal(state: JournalState | None, meta: Meta, data: e.Event) -> JournalState:
    """The journal after one more event."""
    if state is None:
        state = JournalState(meta.stream, meta.version)
    change = CHANGES.get(type(data))
    changed = replace(state, version=meta.version)
    return change(changed, meta, data) if change is not None else changed


def _of(state: JournalState, meta: Meta, employee: str) -> JournalState:
    """Whose journal it is: the first event says it. Recorded near a quarter's turn, it may be the journal of the one
    before or after, on the team's clock."""
    if state.employee:
        return state
    quarter = quarter_of_journal(state.stream, employee, meta.recorded_at)
    return replace(state, employee=employee, quarter=quarter or quarter_of(meta.recorded_at))


def _recorded(state: JournalState, meta: Meta, data: e.IncidentRecorded) -> JournalState:
    incident = Incident(data, meta.recorded_at, data.due_at)
    return replace(_of(state, meta, data.employee), incidents={**state.incidents, data.incident: incident})


def _of_incident(change: Callable[[Incident, Any], Incident]) -> Callable[[JournalState, Meta, Any], JournalState]:
    def changed(state: JournalState, _: Meta, data: Any) -> JournalState:
        incident = state.incidents.get(data.incident)
        if incident is None:
            return state
        return replace(state, incidents={**state.incidents, data.incident: change(incident, data)})

    return changed


def _restated(incident: Incident, data: e.IncidentRestated) -> Incident:
    return replace(incident, restated=data, due_at=data.due_at, strike=data.strike)


def _opened(state: JournalState, meta: Meta, data: e.EscalationOpened) -> JournalState:
    opening = state.incidents.get(data.incidents[-1]) if data.incidents else None
    due_at = opening.due_at if opening is not None else meta.recorded_at
    escalation = Escalation(data.escalation, due_at, data.days, data.incidents, data.to)
    return replace(state, escalations={**state.escalations, data.escalation: escalation})


def _of_escalation(
    change: Callable[[Escalation, Any], Escalation],
) -> Callable[[JournalState, Meta, Any], JournalState]:
    def changed(state: JournalState, _: Meta, data: Any) -> JournalState:
        escalation = state.escalations.get(data.escalation)
        if escalation is None:
            return state
        return replace(state, escalations={**state.escalations, data.escalation: change(escalation, data)})

    return changed


def _extended(escalation: Escalation, data: e.EscalationExtended) -> Escalation:
    return replace(escalation, incidents=(*escalation.incidents, data.incident), closed=None)


def _requested(state: JournalState, meta: Meta, data: e.NoticeRequested) -> JournalState:
    whose = state if data.about == "escalation" else _of(state, meta, data.to)  # an escalation is told to somebody else
    return replace(whose, notices={**state.notices, data.effect: Notice(data.about, data.to, data.incident)})


def _notice(
    stands: Literal["requested", "done", "failed"],
) -> Callable[[JournalState, Meta, Any], JournalState]:
    def changed(state: JournalState, _: Meta, data: Any) -> JournalState:
        notice = state.notices.get(data.effect)
        if notice is None:
            return state
        return replace(state, notices={**state.notices, data.effect: replace(notice, state=stands)})

    return changed


def _digest(state: JournalState, _: Meta, data: e.DigestMade) -> JournalState:
    return replace(state, digests=state.digests | {(data.team, data.day)})


def _review(done: bool) -> Callable[[JournalState, Meta, Any], JournalState]:
    def changed(state: JournalState, _: Meta, data: Any) -> JournalState:
        return replace(state, reviews={**state.reviews, data.review: done})

    return changed


CHANGES: Final[dict[type[e.Event], Callable[[JournalState, Meta, Any], JournalState]]] = {
    e.IncidentRecorded: _recorded,
    e.IncidentTold: _of_incident(lambda incident, data: replace(incident, told=data.via, strike=data.strike)),
    e.IncidentAcknowledged: _of_incident(lambda incident, _: replace(incident, acknowledged=True)),
    e.IncidentExcused: _of_incident(lambda incident, _: replace(incident, excused=True)),
    e.IncidentRestated: _of_incident(_restated),
    e.EscalationOpened: _opened,
    e.EscalationExtended: _of_escalation(_extended),
    e.EscalationClosed: _of_escalation(lambda escalation, data: replace(escalation, closed=data.by)),
    e.NoticeRequested: _requested,
    e.NoticeDone: _notice("done"),
    e.NoticeFailed: _notice("failed"),
    e.NoticeRepeated: _notice("requested"),
    e.DigestMade: _digest,
    e.CardReviewDue: _review(False),
    e.CardReviewDone: _review(True),
}
"""How each event changes the journal."""

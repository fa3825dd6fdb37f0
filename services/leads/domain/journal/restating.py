"""A verdict made anew under a corrected calendar (N20, decision 18). Pure.

The term is counted again from the same instant, in the same person's working time, and the lead's events say what was in truth.
Invariants: nothing of the record is changed: the restated verdict stands beside it; numbers of other strikes stay as they were
told; a miss that counts no more closes the escalations of which nothing is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from contracts import events as e
from contracts.pipeline import Period, Pipeline
from contracts.recorded import Recorded
from services.calendars.calendar import Calendar
from services.leads.domain.deadlines.checking import verdict
from services.leads.domain.deals import with_lead
from services.leads.domain.journal.counting import Books, Escalating, Put, emptied, escalate, number
from services.leads.domain.journal.state import Incident, JournalState
from services.leads.domain.journal.words import Saying
from services.leads.domain.robots.instants import Times, due
from services.leads.domain.state import lead_from

Verdict: TypeAlias = Literal["stands", "in_time", "not_due"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the verdict is made from: the events of the lead or deal, of a deal those of its lead too, and the version of the
    pipeline that the miss was decided under."""

    history: Sequence[Recorded]
    of_lead: Sequence[Recorded] = ()
    pipeline: Pipeline | None = None


@dataclass(frozen=True, slots=True)
class Restated:
    """The instant in truth, and the verdict by it."""

    due_at: datetime
    verdict: Verdict


def version_of_miss(incident: Incident, history: Sequence[Recorded]) -> tuple[str, int] | None:
    """The version of the pipeline that the miss was decided under; None where its event is not among these."""
    missed = next((one.meta for one in history if one.meta.event_id == incident.recorded.because), None)
    if missed is None or missed.pipeline is None:
        return None
    name, _, number = missed.pipeline.rpartition("@")
    return name, int(number)


def is_restatable(incident: Incident) -> bool:
    """Whether a calendar has a say in it: a deadline's miss, of a term counted in one."""
    recorded = incident.recorded
    return (
        recorded.incident_kind == "deadline"
        and None not in (recorded.calendar, recorded.term, recorded.begun_at)
        and recorded.lead is not None
    )


def judged(incident: Incident, facts: Facts, calendar: Calendar, now: datetime) -> Restated:
    """The verdict under this calendar."""
    history = facts.history
    recorded = incident.recorded
    assert recorded.term is not None, "is_restatable lets no other through"
    assert recorded.begun_at is not None, "is_restatable lets no other through"
    missed = next((n for n, one in enumerate(history) if one.meta.event_id == recorded.because), len(history))
    turn = _turn(history, missed)
    person = turn.responsible if turn is not None else recorded.employee
    period = Period(**recorded.term.model_dump())
    due_at = due(Times(now, calendar), recorded.begun_at, period, person)
    if due_at <= recorded.due_at:
        return Restated(due_at, "stands")  # what was not done by the later instant was not done by the earlier one
    for one in history[missed + 1 :]:
        if one.meta.happened_at > due_at:
            break
        if (said := _says(one.data, turn, recorded.employee)) is not None:
            return Restated(due_at, said)
    if due_at > now:
        return Restated(due_at, "not_due")
    if turn is not None and not _goes_on(history, missed, turn):
        return Restated(due_at, _as_recorded(facts, turn, due_at))
    return Restated(due_at, "stands")


def _turn(history: Sequence[Recorded], missed: int) -> e.DeadlineSet | None:
    """The turn that was missed, as it was set."""
    event = history[missed].data if missed < len(history) else None
    if not isinstance(event, e.DeadlineMissed):
        return None
    sets = (one.data for one in history[:missed])
    return next((data for data in sets if isinstance(data, e.DeadlineSet) and data.timer == event.timer), None)


def _says(event: e.Event, turn: e.DeadlineSet | None, employee: str) -> Verdict | None:
    """What an event between the miss and the right instant says: done after all; not needed any more; given to somebody else,
    whose it would have been."""
    match event:
        case e.LeadAssigned() if event.to != employee:
            return "not_due"
        case e.DeadlineMet() | e.DeadlineDropped() if turn is not None:
            if (event.deadline, event.visit) == (turn.deadline, turn.visit):
                return "in_time" if isinstance(event, e.DeadlineMet) else "not_due"
    return None


def _goes_on(history: Sequence[Recorded], missed: int, turn: e.DeadlineSet) -> bool:
    """Whether another turn followed, whose end says when it was done."""
    place = (turn.deadline, turn.visit)
    later = (one.data for one in history[missed + 1 :])
    return any(isinstance(data, e.DeadlineSet) and (data.deadline, data.visit) == place for data in later)


def _as_recorded(facts: Facts, turn: e.DeadlineSet, moment: datetime) -> Verdict:
    """The verdict on a turn that no other followed, by what was recorded on the lead up to the right instant."""
    state = lead_from(one for one in facts.history if one.meta.happened_at <= moment)
    if state is None or facts.pipeline is None:
        return "stands"
    if state.deal_of is not None:
        state = with_lead(state, lead_from(one for one in facts.of_lead if one.meta.happened_at <= moment))
    if verdict(state, turn, facts.pipeline).done:
        return "in_time"
    return "stands" if state.root == turn.visit else "not_due"


def restate(
    books: Books,
    book: JournalState,
    incident: Incident,
    restated: Restated,
    calendar: str,
    reason: str,
    rule: Escalating,
    saying: Saying,
) -> Iterator[Put]:
    """The restated verdict, and what it means for escalations; nothing where it is the one that stands already."""
    before, about = incident.restated, incident.recorded.incident
    if before is None and restated == Restated(incident.recorded.due_at, "stands"):
        return  # the calendar that was corrected says the same of this one
    if before is not None and (before.verdict, before.due_at, before.calendar) == (
        restated.verdict,
        restated.due_at,
        calendar,
    ):
        return
    stands = restated.verdict == "stands"
    strike: int | None = None
    within: tuple[UUID, ...] = ()
    moved = replace(incident, due_at=restated.due_at)
    if stands and incident.told is not None and incident.recorded.counts and not incident.excused:
        strike, within = number(books, moved, rule.days)
    yield (
        book.stream,
        e.IncidentRestated(
            incident=about,
            verdict=restated.verdict,
            due_at=restated.due_at,
            calendar=calendar,
            strike=strike,
            reason=reason,
        ),
    )
    if not stands:
        yield from emptied(books, about)
    elif strike is not None and incident.is_restated_away:
        yield from escalate(books, book, replace(moved, strike=strike), within, rule, saying)

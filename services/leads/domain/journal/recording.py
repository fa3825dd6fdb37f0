"""From what happened to a lead to the record in somebody's journal, and the notice of it (Q6, C2, C4, decision 18). Pure.

Invariants: an incident's id follows from what it is about, so it is recorded once, whoever records it and how often. Whose it is
and why stands on the lead already (`DeadlineMissed`); what is nobody's goes to the head who looks after it, and to the journal
of `NOBODY` where there is none. Only a person's own miss counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from contracts import events as e
from contracts.events.deal import OF_DEALS
from contracts.journal import journal_of, quarter_of
from contracts.meta import Meta
from contracts.pipeline import Pipeline
from services.calendars.calendar import Calendar
from services.leads.domain.journal.counting import Books, Escalating, Put, incident_in
from services.leads.domain.journal.words import DEAD_LETTERS, Saying, working_seconds
from services.leads.domain.robots.outward import REFUSED

NOBODY: Final = "nobody"
"""Whose journal has what is nobody's and no head's. No mail goes there."""
POOL: Final = "pool"
"""The deadline of a lead that nobody may have (C4)."""
ERASED: Final = "erased"
"""How the reason of a letter begins that did not go out because its person was erased: nothing went wrong."""
ONE_LETTER_IN: Final = timedelta(days=1)
"""Of letters given up by one way only the first in so long is told by mail: a server that is away fails hundreds."""

_LEADS: Final = (e.DeadlineMissed, e.IncidentRaised, e.EffectFailed)
JOURNALLED: Final[frozenset[type[e.Event]]] = frozenset({*_LEADS, *(OF_DEALS[of] for of in _LEADS)})
"""Events of leads and deals that a journal may have to tell of."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What the record of an event needs to know beyond it. `calendar`: the one its term was counted in, else the team's; `now`:
    when it is recorded; `head`: who looks after what is nobody's."""

    stage: str | None
    pipeline: Pipeline | None
    calendar: Calendar
    head: str | None
    now: datetime
    saying: Saying


def is_one(event: e.Event) -> bool:
    """Whether the event is an incident at all."""
    match event:
        case e.DeadlineMissed():
            return event.incident is not None
        case e.IncidentRaised():
            return True
        case e.EffectFailed():
            return event.effect_kind in DEAD_LETTERS and event.reason != REFUSED and not event.reason.startswith(ERASED)
    return False


def incident_of(meta: Meta, event: e.Event, looked: Looked) -> e.IncidentRecorded:
    """The incident that an event of a lead or deal is (`is_one`)."""
    match event:
        case e.DeadlineMissed():
            return _missed(meta, event, looked)
        case e.IncidentRaised():
            return _raised(meta, event, looked)
        case e.EffectFailed():
            return _dead_letter(meta, event, looked)
    raise AssertionError(f"{meta.type} is no incident")


def _missed(meta: Meta, event: e.DeadlineMissed, looked: Looked) -> e.IncidentRecorded:
    assert event.incident is not None, "is_one lets no other through"
    pooled = event.deadline == POOL
    whose = None if pooled else event.responsible
    cause = event.cause if whose is not None or event.cause != "person" else "nobody_responsible"
    return e.IncidentRecorded(
        incident=event.incident,
        incident_kind="pool" if pooled else "deadline",
        employee=whose or looked.head or NOBODY,
        lead=meta.stream,
        of_deal=meta.kind == "deal",
        pipeline=_pipeline(meta),
        stage=event.stage,
        rule=event.deadline,
        because=meta.event_id,
        due_at=event.due_at,
        missed_s=working_seconds(looked.calendar, event.due_at, looked.now, whose),
        cause=cause,
        counts=whose is not None and cause == "person",
        turn=event.turn,
        begun_at=event.begun_at,
        term=event.term,
        calendar=event.calendar,
        text=looked.saying.title(event.deadline, looked.pipeline, of_deal=meta.kind == "deal"),
    )


def _raised(meta: Meta, event: e.IncidentRaised, looked: Looked) -> e.IncidentRecorded:
    whose = event.responsible
    away = whose is not None and _is_away(whose, looked)
    return e.IncidentRecorded(
        incident=event.incident,
        incident_kind="raised",
        employee=whose or looked.head or NOBODY,
        lead=meta.stream,
        of_deal=meta.kind == "deal",
        pipeline=_pipeline(meta),
        stage=event.stage,
        rule=event.robot,
        because=meta.event_id,
        due_at=meta.happened_at,
        missed_s=0,
        cause="nobody_responsible" if whose is None else "absent" if away else "person",
        counts=whose is not None and not away,
        text=event.text,
    )


def _is_away(person: str, looked: Looked) -> bool:
    today = looked.calendar.local(looked.now).date()
    return looked.calendar.is_working_day(today) and not looked.calendar.is_working_day(today, person)


def _dead_letter(meta: Meta, event: e.EffectFailed, looked: Looked) -> e.IncidentRecorded:
    said = looked.saying.of(DEAD_LETTERS[event.effect_kind])
    return e.IncidentRecorded(
        incident=uuid5(event.effect, f"incident:{meta.event_id}"),
        incident_kind="dead_letter",
        employee=looked.head or NOBODY,
        lead=meta.stream,
        of_deal=meta.kind == "deal",
        pipeline=_pipeline(meta),
        stage=looked.stage,
        rule=event.provider or event.effect_kind,
        because=meta.event_id,
        due_at=meta.happened_at,
        missed_s=0,
        cause="provider",
        counts=False,
        text=f"{said}: {event.reason}"[:1_000],
    )


def _pipeline(meta: Meta) -> str | None:
    return meta.pipeline.rpartition("@")[0] if meta.pipeline is not None else None


def record(
    books: Books, recorded: e.IncidentRecorded, rule: Escalating, now: datetime, saying: Saying
) -> Iterator[Put]:
    """The incident in its employee's journal of the quarter that their team's clock shows, and the notice to them; nothing where
    it is known."""
    if incident_in(books, recorded.incident) is not None:
        return
    stream = journal_of(recorded.employee, quarter_of(now, saying.calendar.zone))
    yield stream, recorded
    if recorded.employee != NOBODY and not _one_of_many(books, recorded):
        subject, text = saying.incident(recorded, rule.misses, rule.days)
        yield (
            stream,
            notice(uuid5(recorded.incident, "notice"), recorded.employee, recorded.incident, saying, subject, text),
        )


def notice(effect: UUID, to: str, incident: UUID, saying: Saying, subject: str, text: str) -> e.NoticeRequested:
    """The request to tell somebody of an incident of theirs."""
    return e.NoticeRequested(
        effect=effect,
        to=to,
        about="incident",
        incident=incident,
        language=saying.language,
        subject=subject,
        text=text,
    )


def _one_of_many(books: Books, recorded: e.IncidentRecorded) -> bool:
    """Whether another letter given up by the same way was recorded shortly before."""
    return recorded.incident_kind == "dead_letter" and any(
        other.recorded.incident_kind == "dead_letter"
        and other.recorded.rule == recorded.rule
        and recorded.due_at - other.due_at < ONE_LETTER_IN
        for book in books
        for other in book.incidents.values()
    )

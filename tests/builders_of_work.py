"""Makes events of work to be done, as the domain does: tasks, deadlines, reviews, leads that arrived, journals of employees."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from contracts import events as e
from contracts.events.deadlines import Term
from contracts.journal import journal_of, quarter_of
from contracts.meta import Actor
from tests.builders import START, Keys, Stream, enter

HOUR = timedelta(hours=1)
HEAD = Actor(id="olga", kind="person")
MACHINE = Actor(id="leadline", kind="system")
TERM = Term(hours=4, working=True)


def arrived(keys: Keys, person: UUID, *, at: datetime = START, source: str = "site", to: str | None = "anna") -> Stream:
    """A lead that came by a channel and stands in the first stage."""
    stream = Stream(keys, person, at=at)
    stream.add(
        e.LeadCaptured(
            pipeline="classic", contact=person, channel="form", source=source, inbound_id=uuid4(), received_at=at,
            name="Анна Иванова", phone="+79161234567",
        )
    )  # fmt: skip
    enter(stream, "new", 1, None)
    if to is not None:
        stream.add(e.LeadAssigned(to=to, reason="in_turn", candidates=("anna", "boris")))
    return stream


def planned(stream: Stream, due: datetime | None, **more: Any) -> UUID:
    """A task is planned."""
    activity = uuid4()
    values = {"activity_kind": "call", "reason": "by_hand", "text": "позвонить Анне Ивановой", "due_at": due, **more}
    stream.add(e.ActivityPlanned(activity=activity, **values))
    return activity


def turn(stream: Stream, number: int, due: datetime, **more: Any) -> dict[str, Any]:
    """A turn of a deadline begins; what its end names of it."""
    of = {"deadline": "take", "timer": uuid4(), "visit": 1, "turn": number, "due_at": due}
    stream.add(
        e.DeadlineSet(
            **of, because="entry" if number == 1 else "again", begun_at=stream.at, term=TERM, calendar="sales@1",
            responsible="anna", **more,
        )
    )  # fmt: skip
    return of


def to_do(stream: Stream) -> None:
    """Tasks, a deadline that was missed and runs on, and a review that waits."""
    done = planned(stream, stream.at + HOUR)
    stream.add(e.ActivityMoved(activity=done, activity_kind="call", due_at=stream.at + 2 * HOUR, times=1))
    stream.add(e.ActivityDone(activity=done, activity_kind="call", reason="by_hand", result="договорились"))
    planned(stream, None, assignee="vera", key=True)
    first = turn(stream, 1, stream.at)
    stream.add(
        e.DeadlineMissed(**first, responsible="anna", stage="new", running=1, begun_at=START, term=TERM, late_ms=7)
    )
    turn(stream, 2, stream.at + HOUR)
    stream.add(e.ReviewOpened(visit=1, status="price", automatic=False, responsible="anna"))


def journal(keys: Keys, employee: str) -> Stream:
    """An employee's journal of the quarter in which the tests are."""
    return Stream(keys, id=journal_of(employee, quarter_of(START)))


def note(stream: Stream, event: e.Event, by: Actor = MACHINE) -> None:
    """The journal's next event: of no person."""
    stream.add(event, person=None, pipeline=None, actor=by)


def recorded(stream: Stream, employee: str, **more: Any) -> UUID:
    """An incident."""
    incident = uuid4()
    values = {
        "incident_kind": "deadline", "lead": uuid4(), "pipeline": "classic", "stage": "new", "rule": "take",
        "due_at": stream.at, "missed_s": 60, "cause": "person", "counts": True, "term": TERM, "calendar": "sales@1",
    }  # fmt: skip
    note(stream, e.IncidentRecorded(incident=incident, employee=employee, **{**values, **more}))
    return incident


def whole_journal(keys: Keys, employee: str) -> Stream:
    """A journal with one of everything: told, noted, excused, restated; an escalation, a digest, a card's review."""
    stream = journal(keys, employee)
    incident, notice, escalation, review = recorded(stream, employee), uuid4(), uuid4(), uuid4()
    note(
        stream,
        e.NoticeRequested(effect=notice, to=employee, about="incident", incident=incident, subject="с", text="т"),
    )
    note(stream, e.NoticeDone(effect=notice, attempts=1, provider="smtp"))
    note(stream, e.IncidentTold(incident=incident, via="mail", strike=1, of=1, days=30))
    note(
        stream,
        e.EscalationOpened(escalation=escalation, employee=employee, strike=1, incidents=(incident,), days=30),
    )
    note(stream, e.IncidentAcknowledged(incident=incident))
    note(
        stream,
        e.IncidentRestated(
            incident=incident, verdict="in_time", due_at=stream.at + HOUR, calendar="sales@2", reason="праздник"
        ),
        by=HEAD,
    )
    note(stream, e.EscalationClosed(escalation=escalation, by="nothing_left"))
    note(stream, e.DigestMade(team="sales", day=date(2026, 3, 2), overdue=3, people={"anna": 2, "vera": 1}))
    period = {"period_start": date(2025, 12, 1), "period_end": date(2026, 3, 1)}
    note(stream, e.CardReviewDue(review=review, pipeline="classic", **period))
    note(stream, e.CardReviewDone(review=review, comment="убрали поле"), by=HEAD)
    return stream

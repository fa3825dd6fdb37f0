"""The journals of one employee as a batch holds them, for tests: what happens is put down, and what was told is seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from contracts import events as e
from contracts import journal as j
from contracts.commands import Refusal, Repeat, Report
from contracts.journal import journal_of, quarter_before, quarter_of, quarters_at
from contracts.meta import Actor, Meta
from services.calendars.calendar import Calendar
from services.leads.domain.journal import judging, opening, recording, restating
from services.leads.domain.journal.counting import Escalating, Put, incident_in, quarters
from services.leads.domain.journal.judging import Judging
from services.leads.domain.journal.state import Escalation, Incident, JournalState, evolve_journal
from services.leads.domain.journal.words import Saying
from tests.unit.given_calendar import MOSCOW, at

ANNA = Actor(id="anna", kind="person", role="seller")
OLGA = Actor(id="olga", kind="person", role="head")
OPS = Actor(id="root", kind="person", role="ops")
DELIVERY = Actor(id="delivery", kind="system")
NOON = at("2026-11-16 12:00")
DAY = timedelta(days=1)
NO_FACTS = restating.Facts(())
PUBLIC = "https://leads.example.org"


def miss(due_at: datetime, **more: Any) -> e.DeadlineMissed:
    """A miss of Anna's."""
    values = {
        "deadline": "qualify",
        "timer": uuid4(),
        "visit": 2,
        "turn": 1,
        "due_at": due_at,
        "incident": uuid4(),
        "responsible": "anna",
        "cause": "person",
        "stage": "in_work",
        "running": 1,
        "begun_at": due_at - DAY,
        "term": e.Term(days=1, working=True),
        "calendar": "sales@1",
        "late_ms": 20,
    }
    return e.DeadlineMissed(**{**values, **more})


def meta_of(stream: UUID, version: int, event: e.Event, at: datetime, **more: Any) -> Meta:
    """An envelope."""
    values = {
        "stream": stream,
        "version": version,
        "kind": event.KIND,
        "type": event.TOPIC,
        "happened_at": at,
        "recorded_at": at,
        "actor": Actor(id="deadlines", kind="system"),
        "command": uuid4(),
        "correlation": "c",
    }
    return Meta(**{**values, **more})


@dataclass
class Desk:
    """An employee's journals, at a moment. `rule`: of the team; `sent`: events put down by what was done last."""

    now: datetime = NOON
    rule: Escalating = field(default_factory=lambda: Escalating(3, 30, "olga"))
    language: Any = "ru"
    calendar: Calendar = MOSCOW
    head: str | None = "olga"
    books: dict[UUID, JournalState] = field(default_factory=dict)
    story: list[tuple[UUID, e.Event]] = field(default_factory=list)
    put: list[e.Event] = field(default_factory=list)

    @property
    def saying(self) -> Saying:
        return Saying(self.language, PUBLIC, self.calendar)

    def missed(self, due_at: datetime, now: datetime | None = None, lead: UUID | None = None, **more: Any) -> UUID:
        """A miss on a lead, recorded `now`, or a moment after it was due; its incident."""
        self.now = max(self.now, now or due_at)
        event = miss(due_at, **more)
        assert event.incident is not None
        self.happened(event, lead)
        return event.incident

    def happened(self, event: e.Event, lead: UUID | None = None, **more: Any) -> list[e.Event]:
        """Something happened on a lead that is an incident."""
        meta = meta_of(lead or uuid4(), 7, event, self.now, **{"pipeline": "countertops@2", **more})
        assert recording.is_one(event)
        looked = recording.Looked("in_work", None, self.calendar, self.head, self.now, self.saying)
        recorded = recording.incident_of(meta, event, looked)
        return self.record(recorded)

    def record(self, recorded: e.IncidentRecorded) -> list[e.Event]:
        """An incident comes to the journal."""
        books = self.of(recorded.employee, self.this_and_last())
        return self.down(recording.record(books, recorded, self.rule, self.now, self.saying))

    def this_and_last(self) -> tuple[str, ...]:
        """The quarters that a batch looks at."""
        shown = quarters_at(self.now)
        return quarter_before(shown[0]), *shown

    def of(self, employee: str, which: Iterable[str]) -> list[JournalState]:
        """The journals that there are of these quarters."""
        return [book for q in which if (book := self.books.get(journal_of(employee, q))) is not None]

    def down(self, puts: Iterable[Put]) -> list[e.Event]:
        """Put events down."""
        self.put = []
        for stream, event in tuple(puts):
            before = self.books.get(stream)
            meta = meta_of(stream, (before.version if before else 0) + 1, event, self.now)
            self.books[stream] = evolve_journal(before, meta, event)
            self.story.append((stream, event))
            self.put.append(event)
        return self.put

    def find(self, incident: UUID) -> tuple[JournalState, Incident]:
        """Where an incident stands."""
        found = incident_in(list(self.books.values()), incident)
        assert found is not None
        return found

    def incident(self, incident: UUID) -> Incident:
        return self.find(incident)[1]

    def look(self, book: JournalState, actor: Actor, due_at: datetime | None = None) -> Judging:
        around = quarters(due_at, self.rule.days, self.now) if due_at is not None else [book.quarter]
        return Judging(book, self.of(book.employee, {*around, book.quarter}), actor, self.rule, self.saying)

    def told(self, incident: UUID, by: Actor = ANNA) -> list[e.Event] | Refusal:
        """The application showed it."""
        book, known = self.find(incident)
        return self._done(judging.told(self.look(book, by, known.due_at), j.Told(incident=incident)))

    def acknowledge(self, incident: UUID, by: Actor = ANNA, comment: str | None = None) -> list[e.Event] | Refusal:
        book, known = self.find(incident)
        body = j.Acknowledge(incident=incident, comment=comment)
        return self._done(judging.acknowledge(self.look(book, by, known.due_at), body))

    def excuse(self, incident: UUID, by: Actor = OLGA, reason: str = "сбой телефонии") -> list[e.Event] | Refusal:
        book, known = self.find(incident)
        body = j.Excuse(incident=incident, reason=reason)
        return self._done(judging.excuse(self.look(book, by, known.due_at), body))

    def close(self, escalation: UUID, by: Actor = OLGA) -> list[e.Event] | Refusal:
        book = next(book for book in self.books.values() if escalation in book.escalations)
        return self._done(judging.close_escalation(self.look(book, by), j.CloseEscalation(escalation=escalation)))

    def report(self, effect: UUID, outcome: Any = "done") -> list[e.Event] | Refusal:
        """What the delivery service says of a notice."""
        book = next(book for book in self.books.values() if effect in book.notices)
        reason = "recipient_refused: 550" if outcome == "failed" else None
        body = Report(effect=effect, outcome=outcome, attempts=1, reason=reason)
        incident = book.notices[effect].incident
        due_at = book.incidents[incident].due_at if incident in book.incidents else None
        return self._done(judging.report(self.look(book, DELIVERY, due_at), body))

    def mailed(self, incident: UUID, outcome: Any = "done") -> list[e.Event] | Refusal:
        """What became of the notice of an incident."""
        book, _ = self.find(incident)
        effect = next(
            e for e, notice in book.notices.items() if notice.incident == incident and notice.about == "incident"
        )
        return self.report(effect, outcome)

    def repeat(self, effect: UUID) -> list[e.Event] | Refusal:
        book = next(book for book in self.books.values() if effect in book.notices)
        return self._done(judging.repeat(self.look(book, OLGA), Repeat(effect=effect)))

    def restate(self, incident: UUID, calendar: Calendar, facts: restating.Facts = NO_FACTS) -> list[e.Event]:
        """The verdict under a corrected calendar."""
        book, known = self.find(incident)
        assert restating.is_restatable(known)
        restated = restating.judged(known, facts, calendar, self.now)
        books = self.look(book, OLGA, known.due_at).books
        puts = restating.restate(books, book, known, restated, calendar.version, "праздник", self.rule, self.saying)
        return self.down(puts)

    def opened(self, body: Any, employee: str) -> list[e.Event]:
        """What the incidents service has begin."""
        stream = journal_of(employee, quarter_of(self.now, self.calendar.zone))
        books = self.of(employee, self.this_and_last())
        if isinstance(body, j.Raise):
            return self.down(opening.raise_incident(stream, books, body, self.rule, self.now, self.saying))
        if isinstance(body, j.MakeDigest):
            return self.down(opening.make_digest(stream, books, body, self.saying))
        return self.down(opening.ask_card_review(stream, books, body, self.saying))

    def escalations(self) -> list[Escalation]:
        """All there are, in the order they were opened."""
        return [escalation for book in self.books.values() for escalation in book.escalations.values()]

    def count(self, kind: type[e.Event]) -> int:
        """How many events of a kind were ever put down."""
        return sum(isinstance(event, kind) for _, event in self.story)

    def _done(self, decided: judging.Decided) -> list[e.Event] | Refusal:
        if isinstance(decided, Refusal):
            return decided
        return self.down(decided)

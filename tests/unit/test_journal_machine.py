"""Any order of misses, tellings, excuses, restatements and redeliveries over two quarters, held against an oracle (Q6, N20).

The oracle knows misses as plain rows and counts by pairs of instants; it shares nothing with the production fold or its search.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contracts import events as e
from contracts.commands import Refusal
from services.leads.domain.journal.counting import Escalating
from services.leads.domain.journal.restating import Restated, restate
from tests.unit.given_calendar import at
from tests.unit.given_journal import DAY, OLGA, Desk

START = at("2026-11-20 12:00")


@dataclass
class Miss:
    """What the oracle knows of a miss."""

    due: datetime
    counts: bool
    told: bool = False
    number: int | None = None
    excused: bool = False
    away: bool = False

    @property
    def strike(self) -> bool:
        return self.number is not None and not self.excused


@dataclass
class Case:
    """What the oracle knows of an escalation."""

    anchor: datetime
    misses: list[UUID]
    closed: bool = False
    void: bool = False


@dataclass
class Oracle:
    """Strikes counted by pairs of instants."""

    most: int
    days: int
    misses: dict[UUID, Miss] = field(default_factory=dict)
    cases: list[Case] = field(default_factory=list)
    added: int = 0

    def number(self, incident: UUID, due: datetime) -> int:
        """The most strikes in any stretch of the period's length with this one in it."""
        dues = [due, *(m.due for i, m in self.misses.items() if i != incident and m.strike)]
        length = timedelta(days=self.days)
        return max(
            sum(first <= other <= last for other in dues)
            for first in dues
            for last in dues
            if first <= due <= last <= first + length
        )

    def tell(self, incident: UUID) -> None:
        """The person knows."""
        miss = self.misses[incident]
        if miss.told:
            return
        miss.told = True
        if miss.counts and not miss.excused and not miss.away:
            miss.number = self.number(incident, miss.due)
            self.escalate(incident, miss)

    def escalate(self, incident: UUID, miss: Miss) -> None:
        """The escalation that a new strike means."""
        near = [c for c in self.cases if not c.void and abs(c.anchor - miss.due) <= timedelta(days=self.days)]
        if near:
            case = min(near, key=lambda case: abs(case.anchor - miss.due))
            if incident not in case.misses:
                case.misses.append(incident)
                case.closed = False
                self.added += 1
        elif miss.number is not None and miss.number >= self.most:
            self.cases.append(Case(miss.due, self.members(incident, miss.due)))

    def members(self, incident: UUID, due: datetime) -> list[UUID]:
        """The strikes of the fullest period that holds it, of several the one that begins latest."""
        length = timedelta(days=self.days)
        dues = {i: m.due for i, m in self.misses.items() if m.strike} | {incident: due}
        held = [[i for i, other in dues.items() if first <= other <= first + length] for first in sorted(dues.values())]
        fullest = max(len(these) for these in held if incident in these)
        return next(these for these in reversed(held) if incident in these and len(these) == fullest)

    def gone(self, incident: UUID) -> None:
        """A miss counts no more."""
        for case in self.cases:
            if incident in case.misses and not case.closed and not any(self.misses[i].strike for i in case.misses):
                case.closed = case.void = True


class Journals(RuleBasedStateMachine):
    @initialize(most=st.integers(1, 4), days=st.sampled_from([5, 30]))
    def begin(self, most: int, days: int) -> None:
        self.desk = Desk(now=START, rule=Escalating(most, days, "olga"))
        self.oracle = Oracle(most, days)
        self.recorded: list[e.IncidentRecorded] = []

    @rule(
        hours=st.sampled_from([0, 1, 24, 48, 24 * 5, 24 * 8, 24 * 30]),
        ago=st.sampled_from([0, 0, 1, 24, 48]),
        counts=st.sampled_from([True, True, True, False]),
        at_once=st.booleans(),
    )
    def miss(self, hours: int, ago: int, counts: bool, at_once: bool) -> None:
        self.desk.now += timedelta(hours=hours)
        due = self.desk.now - timedelta(hours=ago)
        incident = self.desk.missed(due, self.desk.now, cause="person" if counts else "absent")
        recorded = self.desk.put[0]
        assert isinstance(recorded, e.IncidentRecorded)
        self.recorded.append(recorded)
        self.oracle.misses[incident] = Miss(due, counts)
        if at_once:
            self.desk.told(incident)
            self.oracle.tell(incident)
            self.number_agrees(incident)

    def some(self, data: Any) -> UUID:
        recorded = data.draw(st.sampled_from(self.recorded))
        return recorded.incident  # type: ignore[no-any-return]

    @precondition(lambda self: self.recorded)
    @rule(data=st.data(), how=st.sampled_from(["told", "mailed", "acknowledge"]))
    def told(self, data: Any, how: str) -> None:
        incident = self.some(data)
        getattr(self.desk, how)(incident)
        self.oracle.tell(incident)
        self.number_agrees(incident)

    def number_agrees(self, incident: UUID) -> None:
        known, miss = self.desk.incident(incident), self.oracle.misses[incident]
        assert (known.told is not None, known.strike) == (miss.told, miss.number)

    @precondition(lambda self: self.recorded)
    @rule(data=st.data())
    def not_delivered(self, data: Any) -> None:
        self.desk.mailed(self.some(data), "failed")

    @precondition(lambda self: self.recorded)
    @rule(data=st.data())
    def redelivered(self, data: Any) -> None:
        recorded = data.draw(st.sampled_from(self.recorded))
        due_in = self.desk.now - recorded.due_at
        if due_in < 80 * DAY:  # the stream of last quarter knows it
            assert self.desk.record(recorded) == []

    @precondition(lambda self: self.recorded)
    @rule(data=st.data())
    def excused(self, data: Any) -> None:
        incident = self.some(data)
        done = self.desk.excuse(incident, OLGA)
        miss = self.oracle.misses[incident]
        assert isinstance(done, Refusal) == miss.excused
        if not miss.excused:
            miss.excused = True
            self.oracle.gone(incident)

    @precondition(lambda self: self.recorded)
    @rule(
        data=st.data(), verdict=st.sampled_from(["stands", "in_time", "not_due"]), hours=st.sampled_from([0, 0, 1, 24])
    )
    def restated(self, data: Any, verdict: Any, hours: int) -> None:
        incident = self.some(data)
        book, known = self.desk.find(incident)
        due = known.recorded.due_at + timedelta(hours=hours)
        look = self.desk.look(book, OLGA, known.due_at)
        puts = restate(look.books, book, known, Restated(due, verdict), f"sales@{hours}", "why", look.rule, look.saying)
        self.desk.down(puts)
        miss = self.oracle.misses[incident]
        if not self.desk.put:
            return
        was_away, miss.away, miss.due, miss.number = miss.away, verdict != "stands", due, None
        if miss.away:
            self.oracle.gone(incident)
        elif miss.told and miss.counts and not miss.excused:
            miss.number = self.oracle.number(incident, due)
            if was_away:
                self.oracle.escalate(incident, miss)
        self.number_agrees(incident)

    @precondition(lambda self: any(not case.closed for case in self.oracle.cases))
    @rule(data=st.data())
    def closed(self, data: Any) -> None:
        case = data.draw(st.sampled_from([case for case in self.oracle.cases if not case.closed]))
        (escalation,) = [one for one in self.desk.escalations() if one.due_at == case.anchor and one.closed is None]
        self.desk.close(escalation.escalation)
        case.closed = True

    @invariant()
    def escalations_as_the_oracle_says(self) -> None:
        if not hasattr(self, "desk"):
            return
        oracle, desk = self.oracle, self.desk
        said = sorted((case.anchor, case.closed, case.void) for case in oracle.cases)
        have = sorted((o.due_at, o.closed is not None, o.closed == "nothing_left") for o in desk.escalations())
        assert have == said
        assert desk.count(e.EscalationOpened) == len(oracle.cases)
        assert desk.count(e.EscalationExtended) == oracle.added

    @invariant()
    def of_which_something_is_left_two_are_further_apart_than_a_period(self) -> None:
        if not hasattr(self, "desk"):
            return
        live = sorted(one.due_at for one in self.desk.escalations() if one.closed != "nothing_left")
        assert all(b - a > timedelta(days=self.oracle.days) for a, b in pairwise(live))

    @invariant()
    def everyone_is_told_of_each_thing_once(self) -> None:
        if not hasattr(self, "desk"):
            return
        asked = [event.effect for _, event in self.desk.story if isinstance(event, e.NoticeRequested)]
        told = [event.incident for _, event in self.desk.story if isinstance(event, e.IncidentTold)]
        assert len(asked) == len(set(asked))
        assert len(told) == len(set(told))
        recorded = self.desk.count(e.IncidentRecorded)
        escalated = self.desk.count(e.EscalationOpened) + self.desk.count(e.EscalationExtended)
        assert len(asked) == recorded + escalated


Journals.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestQ6Journals = Journals.TestCase

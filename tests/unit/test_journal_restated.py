"""N20: a wrong calendar is corrected, and verdicts are restated; the originals stand beside them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pytest

from contracts import events as e
from contracts.recorded import Recorded
from services.leads.domain.journal import recording, restating
from services.leads.domain.journal.counting import Escalating
from services.leads.domain.journal.words import Saying
from tests.unit.given_deadlines import TAKE, Deadlines, at, pipeline_of
from tests.unit.given_journal import PUBLIC, Desk
from tests.unit.given_robots import LEAD, MOSCOW

TAKEN = pipeline_of(TAKE)
ONCE = pipeline_of(f"{TAKE}        again: false\n")
HOLIDAY = replace(MOSCOW, number=MOSCOW.number + 1, days={**MOSCOW.days, date(2026, 3, 2): ()})
"""Monday, the day on which the stories begin, was a day off: an hour ends on Tuesday at ten."""
RIGHT = at(3, 10)


class Office(Desk):
    """The journal that follows a lead's story."""

    story_of: Deadlines
    seen: int = 0

    def facts(self) -> restating.Facts:
        history = [Recorded(meta, event) for meta, event in zip(self.story_of.metas, self.story_of.events, strict=True)]
        return restating.Facts(history, pipeline=self.story_of.pipeline)

    def follow(self) -> Office:
        """What happened on the lead since comes to the journal."""
        saying = Saying("ru", PUBLIC, MOSCOW)
        while self.seen < len(self.story_of.events):
            meta, event = self.story_of.metas[self.seen], self.story_of.events[self.seen]
            self.seen, self.now = self.seen + 1, meta.recorded_at
            if recording.is_one(event):
                looked = recording.Looked("new", self.story_of.pipeline, MOSCOW, "olga", self.now, saying)
                self.record(recording.incident_of(meta, event, looked))
        self.now = self.story_of.now
        return self

    @property
    def first(self) -> e.IncidentRecorded:
        """The first incident."""
        return next(event for _, event in self.story if isinstance(event, e.IncidentRecorded))


def missed(pipeline: object = TAKEN) -> Office:
    """Anna did not take the lead within its hour; it is Monday, two o'clock."""
    office = Office(calendar=MOSCOW)
    office.story_of = Deadlines(pipeline)  # type: ignore[arg-type]
    office.story_of.until(hours=2)
    office.follow()
    office.told(office.first.incident)
    return office


def restated(office: Office) -> e.IncidentRestated:
    put = office.restate(office.first.incident, HOLIDAY, office.facts())
    assert isinstance(put[0], e.IncidentRestated)
    return put[0]


def test_N20_done_by_the_right_instant_it_was_in_time_and_the_original_stands_beside() -> None:
    office = missed()
    office.story_of.given("see").given("accept")
    office.follow()
    recorded = office.first
    found = restated(office)
    assert (found.verdict, found.due_at, found.calendar, found.strike) == ("in_time", RIGHT, HOLIDAY.version, None)
    known = office.incident(recorded.incident)
    assert (known.recorded, known.recorded.due_at, known.recorded.calendar) == (recorded, at(2, 13), MOSCOW.version)
    assert not known.is_strike
    told = next(event for _, event in office.story if isinstance(event, e.IncidentTold))
    assert told.strike == 1, "what was told stays told"


def test_N20_done_at_the_right_instant_is_in_time() -> None:
    office = missed()
    office.story_of.until(RIGHT).given("see").given("accept")
    office.follow()
    assert restated(office).verdict == "in_time"


def test_N20_done_after_the_right_instant_it_stands() -> None:
    office = missed()
    office.story_of.until(at(3, 11)).given("see").given("accept")
    office.follow()
    found = restated(office)
    assert (found.verdict, found.due_at, found.strike) == ("stands", RIGHT, 1)


def test_N20_never_done_it_stands_once_the_right_instant_is_over() -> None:
    office = missed()
    office.story_of.until(at(4, 9))
    office.follow()
    assert restated(office).verdict == "stands"


def test_N20_while_the_right_instant_is_yet_to_come_it_is_not_due() -> None:
    assert restated(missed()).verdict == "not_due"


def test_N20_given_to_somebody_else_before_the_right_instant_it_is_no_miss_of_who_had_it() -> None:
    office = missed()
    office.story_of.given("assign", to="boris")
    office.story_of.until(at(4, 9))
    office.follow()
    assert restated(office).verdict == "not_due"


def test_N20_left_behind_before_the_right_instant_it_was_not_due() -> None:
    office = missed()
    office.story_of.given("reject", status="poor", reason="silent")
    office.story_of.until(at(4, 9))
    office.follow()
    assert restated(office).verdict == "not_due"


@pytest.mark.parametrize(("done_at", "verdict"), [(at(3, 9), "in_time"), (at(3, 11), "stands"), (None, "stands")])
def test_N20_where_no_turn_followed_what_was_recorded_by_the_right_instant_says_it(
    done_at: datetime | None, verdict: str
) -> None:
    office = missed(ONCE)
    assert [event.deadline for event in office.story_of.open] == []
    if done_at is not None:
        office.story_of.until(done_at).given("see").given("accept")
    office.story_of.until(at(4, 9))
    office.follow()
    assert restated(office).verdict == verdict


def test_N20_the_right_instant_was_earlier_it_stands() -> None:
    office = missed()
    found = restating.judged(
        office.incident(office.first.incident), office.facts(), replace(MOSCOW, number=9), office.now
    )
    assert (found.verdict, found.due_at) == ("stands", at(2, 13))


def test_N20_the_same_restatement_again_changes_nothing_and_another_calendar_restates_anew() -> None:
    office = missed()
    assert restated(office).verdict == "not_due"
    assert office.restate(office.first.incident, HOLIDAY, office.facts()) == []
    (again,) = office.restate(office.first.incident, replace(MOSCOW, number=9), office.facts())
    assert isinstance(again, e.IncidentRestated)
    assert (again.verdict, again.strike) == ("stands", 1)


def test_N20_other_strikes_keep_their_numbers_and_an_escalation_of_which_nothing_is_left_is_closed() -> None:
    office = missed()
    office.rule = Escalating(1, 30, "olga")
    other = office.missed(at(2, 15), lead=LEAD)
    office.told(other)
    assert office.incident(other).strike == 2
    put = office.restate(office.first.incident, HOLIDAY, office.facts())
    assert [type(event) for event in put] == [e.IncidentRestated]
    assert office.incident(other).strike == 2
    assert office.count(e.EscalationClosed) == 0
    known = office.find(other)
    puts = restating.restate(
        tuple(office.books.values()),
        *known,
        restating.Restated(RIGHT, "in_time"),
        HOLIDAY.version,
        "праздник",
        office.rule,
        office.saying,
    )
    assert [type(event) for event in office.down(puts)] == [e.IncidentRestated, e.EscalationClosed]


def test_N20_only_a_deadline_counted_in_a_calendar_is_restated() -> None:
    office = Desk()
    plain = office.missed(at(2, 15), calendar=None)
    assert not restating.is_restatable(office.incident(plain))
    pooled = office.missed(at(2, 15), deadline="pool", responsible=None)
    assert not restating.is_restatable(office.incident(pooled))
    assert restating.is_restatable(office.incident(office.missed(at(2, 15))))

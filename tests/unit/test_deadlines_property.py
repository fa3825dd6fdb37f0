"""Q3, Q6: deadlines against an oracle that steps through minutes, over changes of the clocks, holidays and absences.

The oracle knows the wall clock alone (`zoneinfo`): a minute is worked when the clock shows a time within the day's hours, the day
is no day off, and whoever it is counted for is not away. It never asks the production calendar.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from contracts import events as e
from services.calendars.calendar import Calendar, Hours
from tests.unit.given_deadlines import Deadlines, pipeline_of
from tests.unit.given_robots import BEGAN

ZONES = ("Europe/Moscow", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")
MINUTE = timedelta(minutes=1)
FIRST = date(2026, 3, 1)
DAYS = [FIRST + timedelta(days=n) for n in range(60)]


class World:
    """Hours of a team in a zone, days off, and the days on which anna is away."""

    def __init__(self, zone: str, hours: list[tuple[int, int]], off: set[date], away: set[date]) -> None:
        self.zone, self.hours, self.off, self.away = ZoneInfo(zone), hours, off, away

    @property
    def calendar(self) -> Calendar:
        """The same as the production code has it."""
        week = tuple(Hours(time(begin), time(end)) for begin, end in self.hours)
        absences = {"anna": tuple((day, day) for day in sorted(self.away))} if self.away else {}
        days: dict[date, tuple[Hours, ...]] = dict.fromkeys(self.off, ())
        return Calendar("sales", 7, self.zone, (week,) * 5 + ((), ()), days, absences)

    def worked(self, minute: datetime, *, of_anna: bool = True) -> bool:
        """Whether the minute that begins then is worked."""
        local = minute.astimezone(self.zone)
        day = local.date()
        if day.weekday() >= 5 or day in self.off or (of_anna and day in self.away):
            return False
        return any(begin <= local.hour < end for begin, end in self.hours)

    def end(self, begin: datetime, minutes: int) -> datetime | None:
        """When so many worked minutes have passed; None: not within four months."""
        at, left = begin, minutes
        for _ in range(60 * 24 * 120):
            left -= self.worked(at)
            at += MINUTE
            if left == 0:
                return at
        return None

    def minutes(self, begin: datetime, end: datetime) -> int:
        """How many minutes are worked between two instants."""
        return sum(self.worked(minute) for minute in _steps(begin, end))


def _steps(begin: datetime, end: datetime) -> Iterator[datetime]:
    while begin < end:
        yield begin
        begin += MINUTE


@st.composite
def worlds(draw: Any) -> World:
    """Any of them."""
    hours = draw(st.sampled_from([[(9, 18)], [(9, 13), (14, 18)], [(0, 5), (20, 23)], [(1, 4)]]))
    off, away = st.sets(st.sampled_from(DAYS), max_size=6), st.sets(st.sampled_from(DAYS), max_size=6)
    return World(draw(st.sampled_from(ZONES)), hours, draw(off), draw(away))


def deadline(minutes: int) -> str:
    """A deadline of so many working minutes."""
    return f"""
      - id: call_back
        titles: {{ru: "Перезвонить", en: "Call back"}}
        task: {{ru: "Перезвонить", en: "Call back"}}
        within: [{{period: {{minutes: {minutes}, working: true}}}}]
"""


def story_at(world: World, minutes: int, begins: int) -> Deadlines:
    """A lead that enters the stage so many minutes after the stories begin."""
    story = Deadlines(pipeline_of("", deadline(minutes)), calendar=world.calendar)
    story.now = BEGAN + begins * MINUTE
    return story.working()


@settings(max_examples=20, deadline=None)
@given(worlds(), st.integers(1, 16 * 60), st.integers(0, 40 * 24 * 60))
def test_Q3_a_deadline_ends_where_stepping_through_minutes_ends(world: World, minutes: int, begins: int) -> None:
    story = story_at(world, minutes, begins)
    expected = world.end(story.turn.begun_at, minutes)
    assume(expected is not None)
    assert story.turn.due_at == expected
    [task] = story.of(e.ActivityPlanned)
    assert task.due_at == expected


@settings(max_examples=15, deadline=None)
@given(worlds(), st.integers(8, 8 * 60), st.integers(0, 30 * 24 * 60), st.floats(0, 1))
def test_Q6_given_in_the_last_quarter_is_what_stepping_counts(
    world: World, minutes: int, begins: int, share: float
) -> None:
    story = story_at(world, minutes, begins)
    turn = story.turn
    length = int((turn.due_at - turn.begun_at).total_seconds()) // 60
    given_at = turn.begun_at + int(length * share) * MINUTE
    assume(turn.begun_at < given_at <= turn.due_at)
    story.now = given_at
    story.given("assign", to="boris").until(turn.due_at)
    [missed] = story.of(e.DeadlineMissed)
    late = world.minutes(given_at, turn.due_at) * 4 <= world.minutes(turn.begun_at, turn.due_at)
    assert (missed.responsible, missed.cause) == ("boris", "assigned_late" if late else "person")


@settings(max_examples=15, deadline=None)
@given(worlds(), st.integers(1, 8 * 60), st.integers(0, 30 * 24 * 60), st.integers(-3, 3))
def test_Q6_done_until_the_due_instant_is_in_time_and_a_second_later_is_not(
    world: World, minutes: int, begins: int, seconds: int
) -> None:
    story = story_at(world, minutes, begins)
    turn = story.turn
    story.now = turn.due_at + timedelta(seconds=seconds)  # the robots service is late: the lead is told by what happens
    assume(story.now > turn.begun_at)
    story.tick()
    in_time = seconds <= 0
    assert [event.timer for event in story.of(e.DeadlineMet)][:1] == ([turn.timer] if in_time else [])
    assert [event.timer for event in story.of(e.DeadlineMissed)] == ([] if in_time else [turn.timer])
    assert story.turn.due_at > story.now if not in_time else story.open == []


@settings(max_examples=8, deadline=None)
@given(worlds(), st.integers(30, 8 * 60), st.integers(0, 20 * 24 * 60), st.integers(1, 5))
def test_Q4_each_turn_of_the_cycle_is_as_long_as_stepping_counts(
    world: World, minutes: int, begins: int, turns: int
) -> None:
    story = story_at(world, minutes, begins)
    for _ in range(turns):
        turn = story.turn
        expected = world.end(turn.begun_at, minutes)
        assume(expected is not None)
        assert turn.due_at == expected
        story.until(turn.due_at)
        assert story.turn.begun_at == turn.due_at
    assert [missed.running for missed in story.of(e.DeadlineMissed)] == list(range(1, turns + 1))


def test_the_oracle_knows_a_change_of_the_clocks() -> None:
    berlin = World("Europe/Berlin", [(0, 5)], set(), set())
    began = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)  # a Sunday: off
    assert berlin.end(began, 60) == datetime(2026, 3, 29, 23, 0, tzinfo=UTC)

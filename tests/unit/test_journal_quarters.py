"""Q6, decision 18: the quarter of a journal is that of the team's clock, and nothing is lost or counted twice around its turn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts import journal as j
from contracts.journal import journal_of, quarter_after, quarter_before, quarter_of, quarter_of_journal, quarters_at
from services.calendars.calendar import ROUND_THE_CLOCK, Calendar
from services.leads.domain.journal import opening
from services.leads.domain.journal.counting import Escalating, quarters
from tests.unit.given_calendar import MOSCOW
from tests.unit.given_journal import DAY, Desk

ZONES = ("Europe/Moscow", "UTC", "America/Los_Angeles", "Pacific/Kiritimati", "Etc/GMT+12", "Asia/Vladivostok")
TURN = datetime(2027, 1, 1, tzinfo=UTC)


def clock_of(zone: str) -> Calendar:
    """A team that works round the clock, with a wall clock of its own."""
    return Calendar(zone, 1, ZoneInfo(zone), ROUND_THE_CLOCK.week)


def test_Q6_the_first_hours_of_a_quarter_in_moscow_belong_to_it() -> None:
    for utc, quarter in ((20, "2026-Q4"), (21, "2027-Q1"), (23, "2027-Q1")):
        desk = Desk(now=datetime(2026, 12, 31, utc, tzinfo=UTC), calendar=MOSCOW)
        book, _ = desk.find(desk.missed(desk.now))
        assert (book.stream, book.quarter, book.employee) == (journal_of("anna", quarter), quarter, "anna")


def test_Q6_where_it_is_still_yesterday_the_old_quarter_goes_on() -> None:
    desk = Desk(now=datetime(2027, 1, 1, 5, tzinfo=UTC), calendar=clock_of("America/Los_Angeles"))
    book, _ = desk.find(desk.missed(desk.now))
    assert (book.stream, book.quarter) == (journal_of("anna", "2026-Q4"), "2026-Q4")


def test_Q6_what_stands_in_a_journal_that_was_counted_in_utc_stays_there_and_counts() -> None:
    desk = Desk(now=datetime(2026, 12, 31, 22, tzinfo=UTC), calendar=clock_of("UTC"))
    old = desk.missed(desk.now)
    desk.calendar = MOSCOW  # from here on the release counts on the team's clock
    for hours in (1, 2):
        desk.told(desk.missed(desk.now + timedelta(hours=hours)))
    assert {book.quarter for book in desk.books.values()} == {"2026-Q4", "2027-Q1"}
    desk.told(old)
    assert desk.incident(old).strike == 3
    assert len(desk.escalations()) == 1
    again = len(desk.story)
    desk.record(desk.incident(old).recorded)
    assert len(desk.story) == again, "recorded once, whichever journal it would go to now"


@given(
    st.lists(
        st.tuples(st.integers(-40 * 24 * 60, 40 * 24 * 60), st.sampled_from(ZONES), st.integers(0, 3_000)),
        min_size=1,
        max_size=14,
    ),
    st.sampled_from([1, 30, 90]),
)
@example([(-120, "Europe/Moscow", 0), (-60, "UTC", 0), (60, "America/Los_Angeles", 0)], 30)
@settings(max_examples=150, deadline=None)
def test_Q6_numbers_and_escalations_do_not_depend_on_which_quarters_journal_a_miss_stands_in(
    misses: list[tuple[int, str, int]], days: int
) -> None:
    desk = Desk(now=TURN - 60 * DAY, rule=Escalating(3, days, "olga"))
    same = Desk(now=TURN - 60 * DAY, rule=Escalating(3, days, "olga"), calendar=clock_of("UTC"))
    for minutes, zone, late in sorted(misses):
        desk.calendar = clock_of(zone)
        due_at = TURN + timedelta(minutes=minutes)
        told: list[tuple[int | None, int]] = []
        for one in (desk, same):
            incident = one.missed(due_at)
            one.now += timedelta(minutes=late)
            one.told(incident)
            told.append((one.incident(incident).strike, len(one.escalations())))
        assert told[0] == told[1]
    counted = sum(len(book.incidents) for book in desk.books.values())
    assert counted == len(misses), "each stands in one journal"
    for stream, book in desk.books.items():
        assert stream == journal_of("anna", book.quarter)


@given(
    st.integers(0, 20 * 366 * 24 * 60).map(lambda minutes: TURN + timedelta(minutes=minutes)),
    st.sampled_from(ZONES),
    st.integers(0, 90),
)
@settings(max_examples=300, deadline=None)
def test_Q6_whoever_reads_the_log_finds_the_quarter_without_any_calendar(at: datetime, zone: str, days: int) -> None:
    quarter = quarter_of(at, ZoneInfo(zone))
    assert quarter in quarters_at(at)
    assert quarter_of_journal(journal_of("anna", quarter), "anna", at) == quarter
    assert quarter_of_journal(journal_of("boris", quarter), "anna", at) is None
    assert quarter_of_journal(journal_of("anna", quarter_after(quarters_at(at)[-1])), "anna", at) is None
    assert quarter_before(quarter_after(quarter)) == quarter
    assert {quarter, quarter_of(at - 2 * days * DAY, ZoneInfo(zone))} <= set(quarters(at, days, at))


@pytest.mark.parametrize(("quarter", "fits"), [("2026-Q2", False), ("2026-Q4", True), ("2027-Q1", True)])
def test_Q6_a_command_for_a_journal_of_either_side_of_the_turn_is_taken(quarter: str, fits: bool) -> None:
    at = datetime(2027, 1, 1, 22, tzinfo=UTC)
    assert opening.fits(journal_of("olga", quarter), "olga", at) is fits
    assert opening.fits(journal_of("olga", "2027-Q2"), "olga", at) is False


def test_N18_what_no_lead_tells_of_stands_on_the_teams_clock_too_and_once() -> None:
    desk = Desk(now=datetime(2026, 12, 31, 22, tzinfo=UTC), calendar=MOSCOW)
    body = j.Raise(
        incident=uuid4(), kind="silent_channel", employee="olga", rule="site", due_at=desk.now - DAY, text="тишина"
    )
    assert desk.opened(body, "olga")
    [book] = desk.books.values()
    assert book.quarter == "2027-Q1"
    desk.calendar = clock_of("UTC")
    assert desk.opened(body, "olga") == [], "another clock, the same incident"

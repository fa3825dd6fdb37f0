"""What the incidents service looks for: silent channels (N18), the head's digest (D6), cards to be looked over (Q11)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.calendars.calendar import Calendar, Hours
from services.incidents import words
from services.incidents.domain import (
    Channel,
    Overdue,
    ReviewPeriod,
    counted,
    dead_letters_id,
    digest_begins,
    digest_id,
    of_team,
    review_id,
    review_period,
    silences,
)

MOSCOW = ZoneInfo("Europe/Moscow")
WORK = (Hours(time(9), time(18)),)
CALENDAR = Calendar("sales", 1, MOSCOW, (WORK, WORK, WORK, WORK, WORK, (), ()), {date(2026, 3, 9): ()}, {})
HOUR = timedelta(hours=1)
FRIDAY = datetime(2026, 3, 6, 12, 0, tzinfo=MOSCOW)


def channel(last: datetime, every: timedelta = 2 * HOUR, number: int = 40) -> Channel:
    """Something came in every so often of working time, up to `last`."""
    hours, at = [last], last
    while len(hours) < number:
        at -= timedelta(minutes=30)
        if CALENDAR.working_between(at, hours[0]) >= every:
            hours.insert(0, at)
    return Channel("form", "site", tuple(hours), last)


def test_N18_a_channel_that_says_nothing_for_longer_than_ever_is_told_of() -> None:
    seen = channel(FRIDAY)
    assert silences([seen], CALENDAR, FRIDAY + 3 * HOUR) == []
    (silence,) = silences([seen], CALENDAR, FRIDAY + 3 * HOUR + timedelta(seconds=1))
    assert silence.longest == 2 * HOUR
    assert silence.due_at == FRIDAY + 3 * HOUR
    assert silence.channel.name == "form:site"


def test_N18_a_night_a_weekend_and_a_holiday_are_no_silence() -> None:
    """From Friday noon six working hours are left; Monday 9 March is a day off."""
    seen = channel(FRIDAY, every=4 * HOUR)
    assert silences([seen], CALENDAR, datetime(2026, 3, 10, 8, 59, tzinfo=MOSCOW)) == []
    assert silences([seen], CALENDAR, datetime(2026, 3, 10, 9, 0, 1, tzinfo=MOSCOW))


def test_N18_little_known_channels_and_short_silences_conclude_nothing() -> None:
    assert silences([channel(FRIDAY, number=19)], CALENDAR, FRIDAY + timedelta(days=20)) == []
    busy = channel(FRIDAY, every=timedelta(minutes=30))
    assert silences([busy], CALENDAR, FRIDAY + timedelta(minutes=119)) == [], "two working hours at least"
    assert silences([busy], CALENDAR, FRIDAY + timedelta(minutes=121))


def test_N18_each_silence_is_told_once_and_the_next_one_anew() -> None:
    first = silences([channel(FRIDAY)], CALENDAR, FRIDAY + 5 * HOUR)[0]
    later = silences([channel(FRIDAY)], CALENDAR, FRIDAY + timedelta(days=5))[0]
    other = silences([channel(FRIDAY + 6 * HOUR)], CALENDAR, FRIDAY + timedelta(days=5))[0]
    assert first.incident == later.incident != other.incident


@given(st.lists(st.integers(1, 400), min_size=21, max_size=60), st.integers(0, 4_000))
def test_N18_silent_is_exactly_what_lasts_longer_than_half_as_much_again_as_ever(gaps: list[int], waited: int) -> None:
    """Round the clock, so that the oracle is plain arithmetic in minutes."""
    always = Calendar("all", 1, ZoneInfo("UTC"), ((Hours(time(0), time(0)),),) * 7, {}, {})
    at = datetime(2026, 3, 2, tzinfo=UTC)
    hours = [at]
    for gap in gaps:
        hours.append(hours[-1] + timedelta(minutes=gap))
    found = silences([Channel("call", "", tuple(hours), hours[-1])], always, hours[-1] + timedelta(minutes=waited))
    assert bool(found) == (waited > max(1.5 * max(gaps), 120))


def task(number: int, doer: str | None, days: int) -> Overdue:
    return Overdue(UUID(int=number), UUID(int=100 + number), "call", doer, FRIDAY - timedelta(days=days))


TASKS = [task(1, "anna", 1), task(2, "boris", 3), task(3, None, 2), task(4, "stranger", 9)]


def test_D6_a_digest_holds_the_team_s_overdue_tasks_the_longest_overdue_first() -> None:
    team = frozenset({"anna", "boris", "olga"})
    assert [t.lead.int for t in of_team(TASKS, team, all_others=False)] == [2, 1]
    with_nobodys = of_team(TASKS, team, all_others=True)
    assert [t.lead.int for t in with_nobodys] == [2, 3, 1]
    assert counted(with_nobodys) == {"anna": 1, "boris": 1, "nobody": 1}


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (datetime(2026, 3, 6, 8, 59, 59, tzinfo=MOSCOW), None),
        (datetime(2026, 3, 6, 9, 0, tzinfo=MOSCOW), date(2026, 3, 6)),
        (datetime(2026, 3, 6, 23, 0, tzinfo=MOSCOW), date(2026, 3, 6)),
        (datetime(2026, 3, 7, 12, 0, tzinfo=MOSCOW), None),
        (datetime(2026, 3, 9, 12, 0, tzinfo=MOSCOW), None),
    ],
)
def test_D6_it_goes_out_when_a_working_day_begins(at: datetime, day: date | None) -> None:
    assert digest_begins(CALENDAR, at) == day


@pytest.mark.parametrize("language", ["ru", "en"])
def test_D6_it_names_people_and_leads_by_their_links_and_counts_what_does_not_fit(language: str) -> None:
    many = [task(n, "anna", n % 5) for n in range(130)]
    subject, text = words.digest(
        "sales", date(2026, 3, 6), many, counted(many), MOSCOW, language, "https://leads.example.org"
    )
    assert "130" in subject
    assert "anna: 130" in text
    assert f"https://leads.example.org/leads/{UUID(int=7)}" in text
    assert text.count("https://") == 100
    assert "30" in text.splitlines()[-1]
    assert len(text) < 20_000


@pytest.mark.parametrize(
    ("today", "period"),
    [
        (date(2026, 1, 1), ReviewPeriod(date(2025, 10, 1), date(2025, 12, 31))),
        (date(2026, 4, 1), ReviewPeriod(date(2026, 1, 1), date(2026, 3, 31))),
        (date(2026, 6, 30), ReviewPeriod(date(2026, 1, 1), date(2026, 3, 31))),
        (date(2026, 12, 31), ReviewPeriod(date(2026, 7, 1), date(2026, 9, 30))),
    ],
)
def test_Q11_a_card_is_looked_over_every_three_months(today: date, period: ReviewPeriod) -> None:
    assert review_period(today) == period


def test_Q11_D6_ids_follow_from_what_they_are_about() -> None:
    days = [date(2026, 3, 6), date(2026, 3, 7)]
    assert len({digest_id(team, day) for team in ("sales", "support") for day in days}) == 4
    assert len({dead_letters_id(what, day) for what in ("quarantine:form", "parked:leads") for day in days}) == 4
    assert (
        review_id("a", review_period(days[0]))
        == review_id("a", review_period(days[1]))
        != review_id("b", review_period(days[0]))
    )


@pytest.mark.parametrize("language", ["ru", "en"])
def test_N18_words_name_the_channel_and_the_way_out(language: str) -> None:
    (silence,) = silences([channel(FRIDAY)], CALENDAR, FRIDAY + 5 * HOUR)
    for text in (
        words.silent(silence, MOSCOW, language),
        words.unread("form", 3, language),
        words.parked("leads", 2, language),
    ):
        assert len(text) < 1_000
        assert any(name in text for name in ("form", "leads"))

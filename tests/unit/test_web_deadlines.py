"""Q7, S4, Q9: how near a deadline is, in which part of the page a task stands, what the picture of incidents shows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from contracts import events as e
from contracts.pipeline import Words
from contracts.team import Member
from projections.incidents.reading import Counted
from services.calendars.calendar import Calendar
from services.leads.domain.deadlines.account import Due, Turn
from services.web.deadlines_view import light_of
from services.web.pages_incidents import bars
from services.web.pages_work import parts
from services.web.problems import ProblemError
from services.web.reading_reports import period_of
from services.web.shapes_incidents import TaskOut
from services.web.team_view import standing_of
from tests.unit.given_robots import WORKING_HOURS

ZONE = ZoneInfo("Europe/Moscow")
BEGUN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def due(hours: int, warn_before: int | None = None) -> Due:
    """A turn of so many hours."""
    due_at = BEGUN + timedelta(hours=hours)
    turn = e.DeadlineSet(
        deadline="qualify", timer=uuid4(), visit=1, turn=1, due_at=due_at, because="entry", begun_at=BEGUN,
        term=e.Term(hours=hours), warn_at=None if warn_before is None else due_at - timedelta(hours=warn_before),
    )  # fmt: skip
    why = Words(ru="есть телефон", en="there is a phone")
    return Due(Turn(turn, BEGUN, "new", None), timedelta(), False, why, "anna", (), why, None)


@pytest.mark.parametrize(
    ("after", "warn_before", "light"),
    [(0, None, "green"), (5, None, "green"), (6, None, "amber"), (3, 6, "amber"), (1, 6, "green")],
)
def test_Q7_a_deadline_is_quiet_until_its_warning_or_its_last_quarter(
    after: int, warn_before: int | None, light: str
) -> None:
    assert light_of(due(8, warn_before), BEGUN + timedelta(hours=after)) == light


def test_Q7_an_overdue_deadline_is_red() -> None:
    late = due(8)
    overdue = Due(late.turn, timedelta(hours=-1), True, late.why, "anna", (), late.missed, None)
    assert light_of(overdue, BEGUN + timedelta(hours=9)) == "red"


def task(due_at: datetime | None, now: datetime) -> TaskOut:
    return TaskOut(
        what="activity", id=uuid4(), lead=uuid4(), name=None, pipeline="classic", stage="new", amount=None, currency=None,
        deal_of=None, kind="call", titles=None, doer="anna", due_at=due_at, overdue=due_at is not None and due_at < now,
        begun_at=BEGUN,
    )  # fmt: skip


def test_S4_ones_work_stands_by_due_instant_overdue_first_and_undated_last() -> None:
    now = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)  # 23:00 in Moscow
    todo = [task(None, now), *(task(now + timedelta(hours=hours), now) for hours in (2, 0.5, -3, -1))]
    shown = parts(todo, now, ZONE)
    assert [(part, [t.due_at for t in tasks]) for part, tasks in shown] == [
        ("overdue", [now - timedelta(hours=3), now - timedelta(hours=1)]),
        ("today", [now + timedelta(minutes=30)]),
        ("later", [now + timedelta(hours=2)]),
        ("undated", [None]),
    ]
    assert parts([], now, ZONE) == []


def counted(week: date, misses: int, left: int) -> Counted:
    return Counted("anna", "desk", "new", "deadline", "qualify", week, misses, 0, 0, 0, left, 0, 60, {"person": misses})


def test_Q9_the_picture_of_incidents_shows_what_was_recorded_and_what_is_left_by_week() -> None:
    first, second = date(2026, 3, 2), date(2026, 3, 9)
    drawn = bars([counted(second, 2, 1), counted(first, 3, 3), counted(second, 4, 2)])
    assert [(bar["week"], bar["recorded"], bar["left"]) for bar in drawn] == [(first, 3, 3), (second, 6, 3)]
    assert (drawn[1]["width"], drawn[0]["width"]) == (520.0, 260.0)
    assert drawn[1]["left_width"] == 260.0
    assert bars([]) == []


@pytest.mark.parametrize(
    ("more", "hour", "standing"),
    [
        ({}, 9, "here"),
        ({}, 20, "off"),
        ({"left": date(2026, 3, 2)}, 9, "left"),
        ({"since": date(2026, 3, 3)}, 9, "not_yet"),
        ({"name": "vera"}, 9, "away"),
    ],
)
def test_C4_a_team_says_who_is_here_today(more: dict[str, Any], hour: int, standing: str) -> None:
    absent = {"vera": ((date(2026, 3, 1), date(2026, 3, 5)),)}
    calendar = Calendar("sales", 1, ZONE, (WORKING_HOURS,) * 5 + ((), ()), absences=absent)
    now = datetime(2026, 3, 2, hour, 0, tzinfo=UTC)
    assert standing_of(Member(**{"name": "anna", **more}), calendar, now) == standing


def test_S2_a_period_left_out_is_the_last_days_and_a_wrong_one_is_refused() -> None:
    now = datetime(2026, 3, 31, 9, 0, tzinfo=UTC)
    assert period_of(None, None, ZONE, now).since == datetime(2026, 3, 1, tzinfo=ZONE)
    asked = period_of("2026-03-02", "2026-03-03", ZONE, now)
    assert (asked.since, asked.until) == (datetime(2026, 3, 2, tzinfo=ZONE), datetime(2026, 3, 4, tzinfo=ZONE))
    with pytest.raises(ProblemError, match="earlier day first"):
        period_of("2026-03-05", "2026-03-03", ZONE, now)

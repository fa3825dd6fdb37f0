"""Q7, M5: due, left, why this deadline: the account of a lead's deadlines, and how it is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from contracts.recorded import Recorded
from services.leads.domain.deadlines.account import account
from services.web.shapes_deadlines import deadlines_out
from tests.unit.given_deadlines import QUALIFY, TAKE, Deadlines, at, pipeline_of

BOTH = pipeline_of(TAKE, QUALIFY)
MOSCOW = ZoneInfo("Europe/Moscow")


def told(story: Deadlines) -> Any:
    history = [Recorded(meta, event) for meta, event in zip(story.metas, story.events, strict=True)]
    return account(history, story.lead, story.pipeline, story.times), deadlines_out(
        history, story.lead, story.pipeline, story.times, MOSCOW
    )


def test_Q7_an_open_turn_says_due_left_and_why_this_long() -> None:
    story = Deadlines(BOTH).working().until(at(2, 15))
    [due] = told(story)[0].due
    assert (due.turn.set.due_at, due.left, due.overdue) == (at(2, 16), timedelta(hours=1), False)
    assert (due.why.ru, due.why.en) == ("4 рабочих часа, если телефон есть", "4 working hours if phone is known")
    assert [lack.id for lack in due.lacks] == ["result"]
    assert due.responsible == "anna"
    assert due.missed.en == "an incident of the responsible, and the term begins again"


def test_Q7_what_is_left_is_working_time() -> None:
    story = Deadlines(BOTH, phone=None, email=None).working()
    story.now = at(2, 20)
    [due] = told(story)[0].due
    assert (due.turn.set.due_at, due.left) == (at(3, 11), timedelta(hours=2))
    story.now = at(3, 12)
    [late] = told(story)[0].due
    assert (late.left, late.overdue) == (-timedelta(hours=1), True)


def test_M5_every_turn_is_told_with_what_became_of_it() -> None:
    story = Deadlines(BOTH).until(minutes=30).given("see").given("accept").working().until(hours=1).tick()
    story.until(hours=4).given("reject", status="poor", reason="silent")
    _, lines = told(story)
    assert [(line.deadline, line.turn, line.outcome) for line in lines] == [
        ("qualify", 3, "dropped"),
        ("qualify", 2, "missed"),
        ("qualify", 1, "asked"),
        ("take", 1, "met"),
    ]
    missed = lines[1]
    assert missed.ru == "пропущен 02.03.2026 17:30, anna: не сделано ответственным"
    assert missed.incident is not None
    assert lines[3].en == "met, with 0 h 30 min left until 02.03.2026 13:00"
    assert all(line.ru and line.en for line in lines)

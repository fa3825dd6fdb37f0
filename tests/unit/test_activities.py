"""S4, N6, D6: activities are moved, reminded of, planned anew, and closed with their lead. Given, when, then."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import events as e
from services.calendars.calendar import Calendar, Hours
from services.leads.domain.activities import following
from services.leads.domain.activities.standing import Activity
from services.leads.domain.assigning.handing_over import tasks_given_on
from tests.unit.given_pipeline import refused_by
from tests.unit.given_robots import Robots, pipeline_of

STAGES = """
  - id: new
    titles: {ru: "Новый", en: "New"}
    kind: open
    robots:
      - id: leaves
        titles: {ru: "Уходит", en: "Leaves"}
        do: {plan: task, text: {ru: "с роботом", en: "with the robot"}}
      - id: stays
        titles: {ru: "Остаётся", en: "Stays"}
        on_leave: keep
        do: {plan: task, text: {ru: "остаётся", en: "stays"}}
  - {id: work, titles: {ru: "Работа", en: "Work"}, kind: open}
"""
SCHOOL = pipeline_of(STAGES)
BARE = pipeline_of(
    """
  - {id: new, titles: {ru: "Новый", en: "New"}, kind: open}
  - {id: work, titles: {ru: "Работа", en: "Work"}, kind: open}
"""
)


def at(day: int, hour: int, minute: int = 0, month: int = 3) -> datetime:
    """An instant of 2026; in Moscow it is three hours later."""
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def planned(lead: Robots, **more: Any) -> UUID:
    """A call is planned; its id."""
    lead.given("plan", **{"kind": "call", "text": "уточнить", "due_at": at(4, 9), **more})
    return next(reversed(lead.lead.activities))


def activity(lead: Robots, number: UUID) -> Activity:
    """How it stands."""
    return lead.lead.activities[number]


def waiting(lead: Robots) -> list[datetime]:
    """The instants of the reminders that wait."""
    return [armed.due_at for armed in lead.lead.automation.armed.values() if armed.robot == following.REMINDER]


def open_texts(lead: Robots) -> list[str | None]:
    """What is still to be done, by its words."""
    return [found.text for found in lead.lead.activities.values() if found.is_open]


# --- moved, closed -----------------------------------------------------------------------------------------------------------


def test_S4_an_activity_is_moved_with_where_it_stood_before() -> None:
    lead = Robots(BARE)
    call = planned(lead)
    lead.given("replan", activity=call, due_at=at(5, 9), reason="клиент просил").given(
        "replan", activity=call, due_at=at(6, 9)
    )
    first, second = lead.of(e.ActivityMoved)
    assert (first.previous, first.due_at, first.reason, first.times) == (at(4, 9), at(5, 9), "клиент просил", 1)
    assert (second.previous, second.due_at, second.times) == (at(5, 9), at(6, 9), 2)
    assert activity(lead, call).due_at == at(6, 9)
    lead.given("replan", activity=call, due_at=at(6, 9))
    assert len(lead.of(e.ActivityMoved)) == 2, "the same instant is nothing new"
    lead.given("replan", activity=call)
    assert activity(lead, call).due_at is None
    refused_by(lead.give("replan", activity=call, due_at=lead.now), "S4.due_ahead")


def test_S4_what_is_done_or_closed_is_not_moved_and_what_is_closed_is_not_done() -> None:
    lead = Robots(BARE)
    done, closed = planned(lead), planned(lead)
    lead.given("complete", activity=done, result="дозвонился").given("close_activity", activity=closed)
    assert (activity(lead, closed).closed, activity(lead, closed).result) == (True, None)
    for number in (done, closed):
        refused_by(lead.give("replan", activity=number, due_at=at(9, 9)), "S4.still_open")
    refused_by(lead.give("close_activity", activity=done), "S4.still_open")
    refused_by(lead.give("complete", activity=closed, result="поздно"), "S4.still_open")
    events = len(lead.events)
    lead.given("close_activity", activity=closed).given("complete", activity=done, result="ещё раз")
    assert len(lead.events) == events, "a repeat changes nothing"
    refused_by(lead.give("replan", activity=UUID(int=99)), "S4.known_activity")


def test_Q7_the_task_of_a_deadline_is_done_neither_moved_nor_closed() -> None:
    lead = Robots(BARE)
    task = UUID(int=77)
    lead.arrives(e.ActivityPlanned(activity=task, activity_kind="task", reason="deadline", deadline="card"))
    refused_by(lead.give("replan", activity=task, due_at=at(9, 9)), "Q7.task_of_a_deadline")
    refused_by(lead.give("close_activity", activity=task), "Q7.task_of_a_deadline")
    lead.given("complete", activity=task, result="готово")


def test_Q7_a_person_plans_a_key_action_with_its_instant_and_it_stays_one_when_it_recurs() -> None:
    lead = Robots(BARE)
    call = planned(lead, key=True, every={"days": 7})
    assert activity(lead, call).key
    lead.given("complete", activity=call, result="да")
    assert [event.key for event in lead.of(e.ActivityPlanned)] == [True, True]
    with pytest.raises(ValueError, match="key goes with due_at"):
        lead.give("plan", kind="call", key=True)


def test_D6_overdue_is_what_should_have_been_done_by_now() -> None:
    lead = Robots(BARE)
    call = planned(lead)
    assert not activity(lead, call).overdue(at(4, 9)), "at its instant it is in time"
    assert activity(lead, call).overdue(at(4, 9, 1))
    lead.given("complete", activity=call, result="да")
    assert not activity(lead, call).overdue(at(9, 9))


# --- reminders ---------------------------------------------------------------------------------------------------------------


def test_S4_a_reminder_is_a_notice_to_whoever_is_to_do_it_at_its_instant() -> None:
    lead = Robots(BARE)
    call = planned(lead, remind_at=at(4, 8), assignee="boris")
    assert waiting(lead) == [at(4, 8)]
    lead.until(at(4, 7, 59))
    assert lead.of(e.EffectRequested) == []
    lead.until(at(4, 8))
    (notice,) = lead.of(e.EffectRequested)
    assert (notice.effect_kind, notice.service) == ("notice", "boris")
    assert notice.text == "Напоминание: звонок «уточнить», срок 04.03.2026 12:00"
    (ran,) = lead.of(e.RobotRan)
    assert (ran.robot, ran.did, ran.effect, ran.activity) == ("activity.reminder", "warn", notice.effect, call)
    assert waiting(lead) == []


def test_S4_without_an_assignee_the_responsible_is_reminded_else_the_head() -> None:
    lead = Robots(BARE)
    planned(lead, remind_at=at(4, 8))
    lead.given("assign", to="boris").until(at(4, 8))
    assert [notice.service for notice in lead.of(e.EffectRequested)] == ["boris"]


@pytest.mark.parametrize("ends", ["complete", "close_activity", "replan"])
def test_S4_a_reminder_waits_no_more_once_its_activity_is_over_or_moved(ends: str) -> None:
    lead = Robots(BARE)
    call = planned(lead, remind_at=at(4, 8))
    more = {"complete": {"result": "да"}, "replan": {"due_at": None}}.get(ends, {})
    lead.given(ends, activity=call, **more)
    (cancelled,) = lead.of(e.RobotCancelled)
    assert cancelled.by == ("retimed" if ends == "replan" else "over")
    lead.until(at(9, 9))
    assert lead.of(e.EffectRequested) == []


def test_S4_a_moved_activity_is_reminded_of_as_long_before_and_once() -> None:
    lead = Robots(BARE)
    call = planned(lead, remind_at=at(4, 8, 30))
    lead.given("replan", activity=call, due_at=at(6, 12)).given("replan", activity=call, due_at=at(4, 9))
    assert waiting(lead) == [at(4, 8, 30)], "moved back, it waits under a new timer"
    assert len({armed.timer for armed in lead.of(e.RobotArmed)}) == 3
    lead.until(at(9, 9))
    assert len(lead.of(e.EffectRequested)) == 1


def test_S4_a_reminder_stays_when_the_stage_changes_and_when_that_is_undone() -> None:
    lead = Robots(BARE)
    planned(lead, remind_at=at(4, 8))
    lead.given("move", to="work").given("undo").given("move", to="work")
    assert lead.of(e.RobotCancelled) == []
    lead.until(at(4, 8))
    assert len(lead.of(e.EffectRequested)) == 1


def test_S4_a_reminder_lies_between_now_and_the_instant_it_is_due() -> None:
    lead = Robots(BARE)
    refused_by(lead.give("plan", kind="call", due_at=at(4, 9), remind_at=at(4, 10)), "S4.reminder_between")
    refused_by(lead.give("plan", kind="call", remind_at=lead.now - timedelta(minutes=1)), "S4.reminder_between")
    lead.given("plan", kind="call", remind_at=at(4, 10))


def test_N1_a_reminder_that_fires_twice_tells_once() -> None:
    lead = Robots(BARE)
    planned(lead, remind_at=at(4, 8))
    (armed,) = lead.of(e.RobotArmed)
    lead.until(at(4, 8))
    refused_by(lead.fire(armed.timer, armed.robot), "N1.once_per_visit")


# --- recurring ---------------------------------------------------------------------------------------------------------------


def test_S4_a_recurring_activity_is_planned_anew_when_it_is_done() -> None:
    lead = Robots(BARE)
    call = planned(lead, remind_at=at(4, 8), every={"days": 7})
    lead.until(at(5, 9)).given("complete", activity=call, result="да")
    (first, anew) = lead.of(e.ActivityPlanned)
    assert (anew.reason, anew.replaces, anew.due_at, anew.remind_at) == ("recurring", call, at(11, 9), at(11, 8))
    assert (anew.text, anew.activity_kind, anew.every) == ("уточнить", "call", first.every)
    assert waiting(lead) == [at(11, 8)]
    lead.until(at(11, 9)).given("complete", activity=anew.activity, result="да")
    assert lead.of(e.ActivityPlanned)[-1].due_at == at(18, 9)


def test_S4_working_days_are_counted_on_the_teams_calendar() -> None:
    lead = Robots(BARE)
    call = planned(lead, due_at=at(6, 9), every={"days": 1, "working": True})  # a Friday
    lead.given("complete", activity=call, result="да")
    assert lead.of(e.ActivityPlanned)[-1].due_at == at(9, 9), "Monday"
    assert lead.of(e.ActivityPlanned)[-1].calendar == "sales@3"


ROUND = Calendar("sales", 1, ZoneInfo("Europe/Moscow"), ((Hours(time(0), time(23, 59)),),) * 7)
"""Every day is a working day."""


def next_days(first: date, months: int, times: int, late: Sequence[int] = (), moved: int | None = None) -> list[date]:
    """The days on which an activity recurs that is done `late` days after it was due."""
    lead = Robots(BARE, ROUND)
    lead.now = datetime.combine(first, time(8), ROUND.zone) - timedelta(days=1)
    call = planned(lead, due_at=datetime.combine(first, time(9), ROUND.zone), every={"months": months})
    days = []
    for turn in range(times):
        due_at = activity(lead, call).due_at
        assert due_at is not None
        if moved == turn:
            due_at += timedelta(days=3)
            lead.given("replan", activity=call, due_at=due_at)
        lead.now = max(lead.now, due_at + timedelta(days=late[turn] if late else 0))
        lead.given("complete", activity=call, result="да")
        call = list(lead.lead.activities)[-1]
        days.append(ROUND.local(activity(lead, call).due_at).date())  # type: ignore[arg-type]
    return days


def test_S4_a_month_after_the_31st_is_the_last_day_of_february_and_then_the_31st_again() -> None:
    assert next_days(date(2027, 12, 31), 1, 4) == [
        date(2028, 1, 31), date(2028, 2, 29), date(2028, 3, 31), date(2028, 4, 30),
    ]  # fmt: skip
    assert next_days(date(2028, 2, 29), 12, 4)[-1] == date(2032, 2, 29)


def test_S4_one_that_was_moved_recurs_from_where_it_was_moved_to() -> None:
    assert next_days(date(2026, 1, 31), 1, 3, moved=1) == [date(2026, 2, 28), date(2026, 4, 3), date(2026, 5, 3)]


def test_S4_a_day_off_moves_one_time_alone() -> None:
    lead = Robots(BARE)
    call = planned(lead, due_at=at(14, 12), every={"months": 1})  # 14 June 2026 is a Sunday
    for _ in range(4):
        lead.until(activity(lead, call).due_at).given("complete", activity=call, result="да")
        call = list(lead.lead.activities)[-1]
    days = [event.due_at for event in lead.of(e.ActivityPlanned)]
    assert days == [at(14, 12), at(14, 12, month=4), at(14, 12, month=5), at(15, 6, month=6), at(14, 12, month=7)]


@given(
    st.dates(date(2023, 1, 1), date(2100, 12, 31)),
    st.sampled_from([1, 2, 3, 6, 12]),
    st.lists(st.integers(0, 70), min_size=6, max_size=6),
)
@settings(max_examples=150, deadline=None)
def test_S4_what_recurs_by_months_keeps_the_day_of_its_first_time(first: date, months: int, late: list[int]) -> None:
    known = date(first.year, first.month, 1)
    for day in next_days(first, months, len(late), late):
        between = (day.year - known.year) * 12 + day.month - known.month
        assert between > 0
        assert between % months == 0
        assert day.day == min(first.day, monthrange(day.year, day.month)[1])


def test_S4_times_that_are_over_already_are_passed_over() -> None:
    lead = Robots(BARE)
    call = planned(lead, every={"days": 7})
    lead.until(at(26, 9)).given("complete", activity=call, result="поздно")
    assert lead.of(e.ActivityPlanned)[-1].due_at == at(1, 9, month=4)


def test_S4_it_recurs_until_it_is_closed_or_the_lead_is() -> None:
    lead = Robots(BARE)
    call = planned(lead, every={"days": 7})
    lead.given("close_activity", activity=call)
    assert len(lead.of(e.ActivityPlanned)) == 1
    other = planned(lead, every={"days": 7})
    lead.given("reject", status="poor", reason="silent")
    assert activity(lead, other).closed
    assert len(lead.of(e.ActivityPlanned)) == 2
    refused_by(lead.give("complete", activity=other, result="да"), "S4.still_open")


def test_S4_done_in_the_act_that_closes_the_lead_it_recurs_no_more() -> None:
    lead = Robots(BARE)
    call = planned(lead, every={"days": 7})
    first = ({"type": "hold", "kind": "call", "activity": str(call)},)
    lead.given("reject", status="poor", reason="silent", first=first)
    assert activity(lead, call).done_at is not None
    assert not activity(lead, call).closed
    assert len(lead.of(e.ActivityPlanned)) == 1


def test_S4_one_that_recurs_keeps_an_instant() -> None:
    lead = Robots(BARE)
    call = planned(lead, every={"days": 7})
    refused_by(lead.give("replan", activity=call), "S4.recurring_is_due")


# --- with the lead -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("reject", {"status": "poor", "reason": "silent"}),
        ("pause", {"until": "2026-04-01", "reason": "отпуск"}),
        ("convert", {}),
    ],
)
def test_N6_tasks_are_closed_with_their_lead(name: str, body: dict[str, Any]) -> None:
    lead = Robots(SCHOOL).until(minutes=1)
    lead.given("move", to="work")
    planned(lead)
    assert open_texts(lead) == ["остаётся", "уточнить"]
    lead.given(name, **body)
    assert open_texts(lead) == ["остаётся"], "what the policy of its robot keeps stays"
    assert lead.of(e.ActivityClosed)[-1].reason == "lead_closed"


def test_N6_what_is_planned_for_the_closed_stage_itself_stays() -> None:
    lead = Robots(BARE).given("reject", status="poor", reason="silent")
    planned(lead, text="поздравить", due_at=at(30, 9), every={"days": 30})
    assert open_texts(lead) == ["поздравить"]
    number = next(reversed(lead.lead.activities))
    lead.until(at(30, 9)).given("complete", activity=number, result="да")
    assert open_texts(lead) == ["поздравить"], "it recurs there"


def test_N6_a_move_between_open_stages_closes_nothing_that_a_person_planned() -> None:
    lead = Robots(BARE)
    planned(lead)
    lead.given("move", to="work").given("move", to="new")
    assert open_texts(lead) == ["уточнить"]


def test_N12_an_undone_mistake_opens_the_same_activity_as_it_was() -> None:
    lead = Robots(SCHOOL).until(minutes=1)
    call = planned(lead, remind_at=at(4, 8), assignee="boris", every={"days": 7})
    lead.given("replan", activity=call, due_at=at(5, 9))
    before = activity(lead, call)
    lead.given("reject", status="poor", reason="silent")
    assert waiting(lead) == []
    lead.given("undo", reason="не тот лид")
    after = activity(lead, call)
    assert after.is_open
    for name in ("kind", "reason", "due_at", "remind_at", "assignee", "text", "every", "planned_at", "moved"):
        assert getattr(after, name) == getattr(before, name), name
    assert waiting(lead) == [at(5, 8)]
    assert sorted(map(str, open_texts(lead))) == ["остаётся", "с роботом", "уточнить"], "a robot's task too"
    assert lead.of(e.ActivityPlanned)[-1].reason == "undone"
    lead.until(at(5, 8))
    assert len([n for n in lead.of(e.EffectRequested) if n.effect_kind == "notice"]) == 1


def test_Q7_N12_the_task_of_a_deadline_is_opened_again_by_its_deadline_alone() -> None:
    lead, task = Robots(BARE), UUID(int=77)
    lead.arrives(e.ActivityPlanned(activity=task, activity_kind="task", reason="deadline", deadline="card"))
    lead.given("reject", status="poor", reason="silent")
    assert activity(lead, task).is_open, "nor is it closed here"
    lead.arrives(e.ActivityClosed(activity=task, activity_kind="task", reason="lead_closed")).given("undo")
    assert activity(lead, task).closed


def test_N12_what_a_person_had_closed_stays_closed() -> None:
    lead = Robots(BARE)
    call = planned(lead)
    lead.given("close_activity", activity=call).given("reject", status="poor", reason="silent").given("undo")
    assert activity(lead, call).closed


def test_N12_a_reopening_that_was_a_mistake_leaves_no_task_on_the_closed_lead() -> None:
    lead = Robots(BARE).given("reject", status="poor", reason="silent")
    kept = planned(lead, text="поздравить", due_at=at(30, 9))
    lead.given("reopen", reason="перезвонил")
    gone = planned(lead)
    lead.given("undo")
    assert (activity(lead, kept).is_open, activity(lead, gone).closed) == (True, True)


def test_N16_merged_its_tasks_are_closed_and_unmerged_they_are_open_again() -> None:
    lead = Robots(BARE)
    call = planned(lead, remind_at=at(4, 8))
    lead.arrives(e.LeadMerged(into=UUID(int=8), into_contact=UUID(int=9)))
    assert activity(lead, call).closed
    assert waiting(lead) == []
    state = lead.lead
    entered = e.StageEntered(
        stage=state.stage, kind="open", visit=2, cause="unmerged", direction="return", basis="correction"
    )
    lead.arrives(e.LeadUnmerged(into=UUID(int=8)), entered)
    assert activity(lead, call).is_open
    assert waiting(lead) == [at(4, 8)]


def test_M7_nothing_is_left_to_do_for_whoever_is_erased() -> None:
    lead = Robots(BARE)
    call = planned(lead)
    assert following.erased(lead.lead) == (e.ActivityClosed(activity=call, activity_kind="call", reason="erased"),)


def test_Q11_the_clients_view_of_the_questions_is_recorded() -> None:
    lead = Robots(BARE).given("rate_card", ease=5, time=4, comfort=3, comment="быстро")
    (view,) = lead.of(e.ClientViewRecorded)
    assert (view.ease, view.time, view.comfort, view.comment) == (5, 4, 3, "быстро")


def test_C4_S4_a_task_handed_over_stays_the_same_one_with_its_reminder_and_its_repetition() -> None:
    lead = Robots(BARE)
    call = planned(lead, assignee="anna", remind_at=at(4, 8), every={"days": 7})
    lead.given("replan", activity=call, due_at=at(5, 9))
    before = waiting(lead)
    given_on = tasks_given_on(lead.lead, "anna", "boris")
    lead.arrives(*given_on)
    after = activity(lead, call)
    assert (after.assignee, after.due_at, after.text) == ("boris", at(5, 9), "уточнить")
    assert waiting(lead) == before == [at(5, 8)], "one reminder, as it was"
    assert tasks_given_on(lead.lead, "anna", "boris") == (), "nothing of hers is there any more"
    lead.given("complete", activity=call, result="дозвонился")
    again = list(lead.lead.activities.values())[-1]
    assert (again.assignee, again.due_at, again.is_open) == ("boris", at(12, 9), True)

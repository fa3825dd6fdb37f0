"""Q1-Q4, Q6, Q7, N5, N12, M3: deadlines of a stage, from their beginning to whatever ends them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest

from contracts import events as e
from contracts.commands import Refusal
from services.calendars.calendar import Calendar
from services.leads.domain.state import with_
from tests.unit.given_deadlines import QUALIFY, TAKE, Deadlines, at, pipeline_of
from tests.unit.given_pipeline import HEAD, refused_by
from tests.unit.given_robots import CLIENT, MOSCOW

BOTH = pipeline_of(TAKE, QUALIFY)
GOOD: dict[str, Any] = {"fact": "quality", "value": "good"}
POOR: dict[str, Any] = {"fact": "quality", "value": "poor"}


def away(person: str, first: int, last: int) -> Calendar:
    """The calendar with somebody's absence in March."""
    absences = {person: ((date(2026, 3, first), date(2026, 3, last)),)}
    return Calendar("sales", 4, MOSCOW.zone, MOSCOW.week, absences=absences)


# --- Q1, Q3: it begins ---------------------------------------------------------------------------------------------------


def test_Q1_a_new_lead_has_a_task_with_a_deadline_for_its_responsible_and_a_warning() -> None:
    story = Deadlines(BOTH)
    turn = story.turn
    assert (turn.deadline, turn.because, turn.turn, turn.due_at) == ("take", "entry", 1, at(2, 13))
    assert (turn.calendar, turn.responsible, turn.term) == ("sales@3", "anna", e.Term(hours=1, working=True))
    [task] = story.of(e.ActivityPlanned)
    assert (task.reason, task.deadline, task.due_at, task.text, task.activity) == (
        "deadline",
        "take",
        at(2, 13),
        "Взять заявку в работу",
        turn.activity,
    )
    [warning] = story.of(e.RobotArmed)
    assert (warning.robot, warning.because, warning.due_at) == ("take.warning", "warning", at(2, 12, 45))


def test_Q1_the_warning_names_the_lead_and_nothing_of_the_client() -> None:
    story = Deadlines(BOTH).until(minutes=50)
    [told] = story.of(e.EffectRequested)
    assert (told.effect_kind, told.service) == ("notice", "anna")
    assert str(story.lead.lead) in told.text
    assert not any(word in told.text for word in ("Анна", "9161234567", "example"))
    [ran] = story.of(e.RobotRan)
    assert (ran.robot, ran.did) == ("take.warning", "warn")


def test_Q1_seen_and_accepted_meets_it_at_once_ends_its_task_and_its_warning() -> None:
    story = Deadlines(BOTH).until(minutes=20).given("see")
    assert story.told() == ["set:take"]
    story.given("accept")
    [met] = story.of(e.DeadlineMet)
    assert (met.left_s, met.result) == (40 * 60, None)
    assert story.open_tasks() == []
    [done] = story.of(e.ActivityDone)
    assert done.reason == "recorded"
    assert [event.by for event in story.of(e.RobotCancelled, robot="take.warning")] == ["over"]
    assert story.until(days=3).of(e.DeadlineMissed) == []


@pytest.mark.parametrize(
    ("known", "hours", "due"),
    [
        ({}, 4, at(2, 16)),
        ({"phone": None}, 16, at(4, 10)),
        ({"phone": None, "email": None}, 8, at(3, 11)),
        ({"email": None}, 4, at(2, 16)),
    ],
)
def test_Q3_the_term_follows_from_the_contact_data_at_hand(known: dict[str, Any], hours: int, due: Any) -> None:
    turn = Deadlines(BOTH, **known).working().turn
    assert (turn.term.hours, turn.due_at) == (hours, due)


def test_Q3_the_term_is_fixed_when_the_turn_starts_and_the_next_turn_looks_again() -> None:
    story = Deadlines(BOTH, phone=None).working()
    story.given("record", fields={"phone": "+79161234567"})
    assert story.turn.due_at == at(4, 10)
    story.until(at(4, 10))
    assert (story.turn.because, story.turn.due_at, story.turn.clause) == ("again", at(4, 14), "has(lead.phone)")


def test_Q3_it_is_counted_in_the_working_time_of_the_responsible() -> None:
    story = Deadlines(BOTH, calendar=away("anna", 2, 3), phone=None, email=None).working()
    assert story.turn.due_at == at(4, 17)


def test_Q3_a_term_that_would_be_over_already_counts_from_now() -> None:
    story = Deadlines(BOTH)
    story.now += timedelta(hours=30)
    restarted = pipeline_of("", QUALIFY.replace("within:", "start: {fact: agreed}\n        within:"))
    story.pipeline = restarted
    story.working()
    assert story.open == []
    story.given("establish", fact="agreed")
    assert (story.turn.because, story.turn.begun_at) == ("fact", story.now)


# --- Q4: the check ---------------------------------------------------------------------------------------------------------


def test_Q4_a_task_ticked_off_without_a_result_is_not_done() -> None:
    story = Deadlines(BOTH).working().until(hours=1).tick("позвонил")
    [asked] = story.of(e.DeadlineAsked)
    assert (asked.lacks, asked.result) == (("result",), None)
    turn = story.turn
    assert (turn.because, turn.turn, turn.due_at, turn.lacks) == ("asked", 2, at(2, 17), ("result",))
    assert story.open_tasks() == ["Заполнить карточку. Не хватает: результат"]
    assert story.of(e.DeadlineMissed) == []


def test_Q4_good_with_a_mandatory_field_empty_is_asked_again_by_name_without_incident() -> None:
    story = Deadlines(BOTH).working().given("establish", **GOOD).given("record", fields={"size": "3000"})
    assert story.lead.stage == "work"
    story.until(hours=2).tick()
    [asked] = story.of(e.DeadlineAsked)
    assert (asked.lacks, asked.result) == (("budget",), "good")
    assert story.open_tasks() == ["Заполнить карточку. Не хватает: Бюджет"]
    assert story.turn.due_at == at(2, 18)
    assert story.of(e.DeadlineMissed) == []


def test_Q4_good_and_still_incomplete_at_a_deadline_is_a_miss_too() -> None:
    story = Deadlines(BOTH).working().given("establish", **GOOD).until(hours=4)
    [missed] = story.of(e.DeadlineMissed)
    assert (missed.lacks, missed.cause, missed.stage) == (("size", "budget"), "person", "work")
    assert story.open_tasks() == ["Заполнить карточку. Не хватает: Габариты, Бюджет"]


def test_Q4_good_and_complete_goes_on_to_the_next_step_without_a_tick() -> None:
    story = Deadlines(BOTH).working().given("establish", **GOOD)
    story.given("record", fields={"size": "3000", "budget": "100"})
    [met] = story.of(e.DeadlineMet)[-1:]
    assert (met.deadline, met.result, story.lead.stage) == ("qualify", "good", "offer")
    moved = [m.actor for m, event in zip(story.metas, story.events, strict=True) if isinstance(event, e.StageEntered)]
    assert (moved[-1].id, moved[-1].kind) == ("qualify", "robot")
    assert story.open_tasks() == []


def test_Q4_poor_needs_its_reason_and_is_rejected_by_the_system() -> None:
    story = Deadlines(BOTH).working().given("establish", **POOR)
    assert story.lead.stage == "work"
    story.tick()
    assert story.of(e.DeadlineAsked)[0].lacks == ("why_poor",)
    story.given("record", fields={"why_poor": "silent"})
    [rejected] = story.of(e.LeadRejected)
    assert (rejected.status, rejected.reason, story.lead.stage) == ("poor", "silent", "poor")
    assert story.of(e.DeadlineMet)[-1].result == "poor"


def test_Q4_what_the_rules_refuse_becomes_a_task_that_says_why() -> None:
    strict = QUALIFY.replace("mandatory: true", "mandatory: false")
    story = Deadlines(pipeline_of("", strict)).working().given("establish", **GOOD)
    assert (story.lead.stage, story.of(e.DeadlineMet)[-1].result) == ("work", "good")
    [task] = [a for a in story.lead.activities.values() if a.done_at is None]
    assert (task.reason, task.deadline) == ("deadline", "qualify")
    assert "Не хватает: Габариты; Бюджет" in (task.text or "")


def test_Q4_the_cycle_repeats_until_there_is_a_result_each_turn_an_event() -> None:
    story = Deadlines(BOTH).working().until(at(4, 17))
    assert [turn.turn for turn in story.of(e.DeadlineSet) if turn.deadline == "qualify"] == [1, 2, 3, 4, 5, 6]
    assert [missed.running for missed in story.of(e.DeadlineMissed)] == [1, 2, 3, 4, 5]
    assert len(story.open_tasks()) == 1
    story.given("establish", **GOOD).given("record", fields={"size": "1", "budget": "1"})
    assert story.lead.deadlines.running == {}


def test_Q4_later_turns_are_as_long_as_repeat_says() -> None:
    daily = QUALIFY + "        repeat: {days: 1, working: true}\n"
    story = Deadlines(pipeline_of("", daily)).working().until(at(2, 16))
    assert story.turn.due_at == at(3, 16)


def test_Q6_without_again_the_task_stays_overdue_and_nothing_follows() -> None:
    once = QUALIFY + "        again: false\n        incident: false\n"
    story = Deadlines(pipeline_of("", once)).working().until(days=9)
    [missed] = story.of(e.DeadlineMissed)
    assert missed.incident is None
    assert story.open == []
    assert story.open_tasks() == ["Заполнить карточку"]


def test_Q7_a_deadline_with_a_task_alone_is_done_when_it_is_ticked_off() -> None:
    alone = """
      - id: call_back
        titles: {ru: "Перезвонить", en: "Call back"}
        task: {ru: "Перезвонить", en: "Call back"}
        kind: call
        within: [{period: {hours: 2}}]
"""
    story = Deadlines(pipeline_of("", alone)).working().until(hours=1).tick()
    assert story.told() == ["set:call_back", "met:call_back"]
    assert story.open == []


# --- Q6: the due instant, and whose miss it is -----------------------------------------------------------------------------


def test_Q6_done_at_the_due_instant_is_in_time() -> None:
    story = Deadlines(BOTH).until(minutes=59)
    story.now = at(2, 13)
    story.given("see").given("accept")
    assert story.of(e.DeadlineMet)[0].left_s == 0
    assert story.until(days=1).of(e.DeadlineMissed) == []


def test_Q6_a_miss_has_its_incident_once_however_often_it_is_fired() -> None:
    story = Deadlines(BOTH)
    turn = story.turn
    story.until(hours=1)
    for _ in range(3):
        again = story.fire(turn.timer, turn.deadline)
        assert isinstance(again, Refusal)
        assert again.rules == ("N1.once_per_visit",)
    [missed] = story.of(e.DeadlineMissed)
    assert (missed.responsible, missed.running, missed.late_ms, missed.lacks) == ("anna", 1, 0, ("seen", "accepted"))


def test_Q6_it_is_not_fired_before_its_instant() -> None:
    story = Deadlines(BOTH)
    answer = story.fire(story.turn.timer, "take")
    assert isinstance(answer, Refusal)
    assert answer.rules == ("R1.not_due",)


def test_Q6_a_lead_given_away_a_minute_before_is_the_new_ones_miss_given_too_late() -> None:
    story = Deadlines(BOTH).until(minutes=59).given("assign", to="boris").until(minutes=1)
    [missed] = story.of(e.DeadlineMissed)
    assert (missed.responsible, missed.cause) == ("boris", "assigned_late")


@pytest.mark.parametrize(("minutes", "cause"), [(44, "person"), (45, "assigned_late")])
def test_Q6_the_last_quarter_of_the_term_is_too_late(minutes: int, cause: str) -> None:
    story = Deadlines(BOTH).until(minutes=minutes).given("assign", to="boris").until(hours=1)
    assert story.of(e.DeadlineMissed)[0].cause == cause


def test_Q6_the_last_quarter_is_counted_in_working_time() -> None:
    story = Deadlines(BOTH, phone=None, email=None).working()
    assert story.turn.due_at == at(3, 11)
    story.until(at(2, 19)).given("assign", to="boris").until(at(3, 11))
    assert story.of(e.DeadlineMissed)[0].cause == "assigned_late", "two of eight working hours were left"


def test_Q6_somebody_who_was_away_then_is_not_blamed() -> None:
    story = Deadlines(BOTH).working()
    story.calendar = away("anna", 2, 6)
    assert story.until(at(2, 16)).of(e.DeadlineMissed)[0].cause == "absent"


def test_Q6_an_instant_outside_working_hours_is_nobodys_strike() -> None:
    plain = QUALIFY.replace(", working: true", "")
    story = Deadlines(pipeline_of("", plain), phone=None, email=None).working().until(hours=8)
    assert story.of(e.DeadlineMissed)[0].cause == "outside_hours"


def test_Q6_the_end_of_the_working_day_is_working_time() -> None:
    six = QUALIFY.replace("hours: 4", "hours: 6")
    story = Deadlines(pipeline_of("", six)).working().until(at(2, 18))
    assert story.of(e.DeadlineMissed)[0].cause == "person"


def test_Q6_who_left_and_a_lead_of_nobody_have_no_strike() -> None:
    story = Deadlines(BOTH).working()
    story.arrives(e.LeadAssigned(to="zoe", previous="anna", reason="by_hand")).until(hours=4)
    assert (story.of(e.DeadlineMissed)[0].responsible, story.of(e.DeadlineMissed)[0].cause) == ("zoe", "left")
    nobody = Deadlines(BOTH).working()
    nobody.state = with_(nobody.lead, deadlines=with_(nobody.lead.deadlines, given=()))
    missed = nobody.until(hours=4).of(e.DeadlineMissed)[0]
    assert (missed.responsible, missed.cause) == (None, "nobody_responsible")


RESTS = QUALIFY + "        rests_on: [letter]\n"
LETTER = '[{id: letter, titles: {ru: "Письмо", en: "Letter"}, do: {email: hello}}]'


def test_Q6_a_miss_that_rests_on_a_letter_which_did_not_go_is_of_the_delivery() -> None:
    story = Deadlines(pipeline_of("", RESTS, robots=LETTER)).working().until(seconds=1)
    story.report("failed", reason="550 no").until(at(2, 16))
    assert story.of(e.DeadlineMissed)[0].cause == "delivery_failed"
    sent = Deadlines(pipeline_of("", RESTS, robots=LETTER)).working().until(seconds=1).report().until(at(2, 16))
    assert sent.of(e.DeadlineMissed)[0].cause == "person"


def test_Q6_a_miss_that_rests_on_a_robot_which_failed_is_of_the_robot() -> None:
    story = Deadlines(pipeline_of("", RESTS, robots=LETTER))
    story.fill_fails = "the template does not fill"
    story.working().until(at(2, 16))
    assert story.of(e.DeadlineMissed)[0].cause == "robot_failed"


def test_Q6_what_is_filled_in_after_the_instant_but_before_a_late_check_is_not_in_time() -> None:
    story = Deadlines(BOTH)
    turn = story.turn
    story.now = at(2, 14)
    story.given("see").given("accept")
    [missed] = story.of(e.DeadlineMissed)
    assert (missed.timer, missed.late_ms, missed.responsible) == (turn.timer, 3_600_000, "anna")
    assert story.told() == ["set:take", "missed:take", "set:take", "met:take"]
    assert story.of(e.DeadlineMet)[0].turn == 2
    assert story.fire(turn.timer, "take").rules == ("N1.once_per_visit",)
    assert story.open_tasks() == []


def test_Q6_a_lead_moved_on_or_given_away_after_the_instant_leaves_the_miss_where_it_was() -> None:
    for name, more in (
        ("assign", {"to": "boris"}),
        ("move", {"to": "work"}),
        ("reject", {"status": "poor", "reason": "silent"}),
    ):
        story = Deadlines(BOTH)
        story.now = at(2, 14)
        story.given(name, **more)
        [missed] = story.of(e.DeadlineMissed)
        assert (missed.responsible, missed.cause, missed.stage) == ("anna", "person", "new")
        assert [dropped for dropped in story.of(e.DeadlineDropped) if dropped.deadline == "take"] == []


# --- leaving, closing, taking back -----------------------------------------------------------------------------------------


def test_Q7_leaving_the_stage_meets_what_is_done_and_drops_the_rest() -> None:
    story = Deadlines(BOTH).until(minutes=5)
    story.given("move", to="work", first=[{"type": "see"}, {"type": "accept"}])
    assert story.told() == ["set:take", "met:take", "set:qualify"]
    other = Deadlines(BOTH).until(minutes=5).given("move", to="work")
    assert other.told() == ["set:take", "dropped:take", "set:qualify"]
    assert other.of(e.DeadlineDropped)[0].by == "left_stage"
    assert other.open_tasks() == ["Заполнить карточку"]


def test_Q7_a_fact_recorded_in_the_act_of_leaving_counts_for_the_stage_left() -> None:
    story = Deadlines(pipeline_of("", QUALIFY)).working()
    story.given("record", fields={"size": "1", "budget": "1"})
    story.given("move", to="offer", first=[{"type": "establish", **GOOD}])
    assert story.told() == ["set:qualify", "met:qualify"]
    assert story.of(e.DeadlineMet)[0].result == "good"


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("reject", {"status": "poor", "reason": "silent"}),
        ("pause", {"until": "2026-03-20", "reason": "отпуск"}),
        ("convert", {}),
    ],
)
def test_Q7_a_lead_that_is_closed_or_put_off_has_no_open_deadline(name: str, more: dict[str, Any]) -> None:
    story = Deadlines(pipeline_of("", QUALIFY)).working()
    if name == "convert":
        story.given("record", fields={"size": "1", "budget": "1"}).given("move", to="offer").given("move", to="work")
        story.given("move", to="offer")
    else:
        story.given(name, **more)
    dropped = story.of(e.DeadlineDropped)
    assert {event.by for event in dropped} == ({"lead_closed"} if name != "convert" else {"left_stage"})
    assert story.open == []
    assert story.until(days=3).of(e.DeadlineMissed) == []


def test_N12_a_mistake_taken_back_sets_the_deadline_for_the_same_instant() -> None:
    story = Deadlines(BOTH).working().until(hours=1)
    due = story.turn.due_at
    story.given("reject", status="poor", reason="silent").until(minutes=10).given("undo")
    turn = story.turn
    assert (turn.because, turn.due_at, turn.visit) == ("undone", due, 2)
    assert story.open_tasks() == ["Заполнить карточку"]
    dropped = story.of(e.DeadlineDropped)[-1]
    assert turn.replaces == dropped.timer


def test_N12_the_deadlines_of_a_visit_that_was_a_mistake_are_not_needed() -> None:
    story = Deadlines(BOTH).until(minutes=5).working().given("undo")
    assert [(d.deadline, d.by) for d in story.of(e.DeadlineDropped)] == [("take", "left_stage"), ("qualify", "undone")]
    assert (story.turn.deadline, story.turn.because, story.turn.due_at) == ("take", "undone", at(2, 13))
    assert "take.warning" in {armed.robot for armed in story.lead.automation.armed.values()}


def test_N16_a_merged_lead_has_no_deadline_and_one_set_apart_has_it_again() -> None:
    story = Deadlines(BOTH).working().arrives(e.LeadMerged(into=uuid4(), into_contact=uuid4()))
    assert story.of(e.DeadlineDropped)[-1].by == "merged"
    entered = e.StageEntered(
        stage="work", kind="open", visit=3, cause="unmerged", direction="across", from_stage="work", from_visit=2
    )
    story.arrives(e.LeadUnmerged(into=uuid4()), entered)
    assert (story.turn.deadline, story.turn.because) == ("qualify", "undone")


def test_M3_a_deadline_goes_on_under_another_version_where_that_has_it_still() -> None:
    story = Deadlines(BOTH).working()
    turn = story.turn
    adopted = e.LeadAdopted(pipeline="stone", number=2, from_pipeline="stone", from_number=1, reason="published")
    story.arrives(adopted)
    assert story.turn == turn
    story.pipeline = pipeline_of(TAKE, "")
    story.arrives(adopted.model_copy(update={"number": 3, "from_number": 2}))
    assert [(d.deadline, d.by) for d in story.of(e.DeadlineDropped)][-1] == ("qualify", "adopted")
    story.pipeline = BOTH
    story.arrives(adopted.model_copy(update={"number": 4, "from_number": 3}))
    assert story.open == [], "no deadline starts by a publication"


def test_N5_deadlines_are_started_for_open_leads_by_a_person_alone() -> None:
    story = Deadlines(pipeline_of()).working()
    story.pipeline = BOTH
    assert story.until(hours=30).told() == []
    story.given("start_robots")
    assert (story.turn.because, story.turn.begun_at) == ("started", story.now)
    assert len(story.given("start_robots").of(e.DeadlineSet)) == 1


def test_Q7_an_imported_entry_begins_nothing() -> None:
    story = Deadlines(pipeline_of())
    story.pipeline = BOTH
    story.arrives(
        e.StageEntered(
            stage="work", kind="open", visit=2, cause="moved", direction="forward", basis="import", from_stage="new"
        )
    )
    assert story.told() == []


# --- Q7: what begins otherwise -----------------------------------------------------------------------------------------------


def test_Q7_a_deadline_may_begin_with_a_fact_a_robot_or_a_date() -> None:
    more = """
      - id: after_word
        titles: {ru: "После согласия", en: "After consent"}
        task: {ru: "Оформить", en: "Set it up"}
        start: {fact: agreed}
        within: [{period: {hours: 2, working: true}}]
      - id: after_letter
        titles: {ru: "После письма", en: "After the letter"}
        task: {ru: "Позвонить", en: "Call"}
        start: {robot: letter}
        within: [{period: {hours: 3, working: true}}]
      - id: measuring
        titles: {ru: "Замер", en: "Measuring"}
        task: {ru: "Записать размеры", en: "Write the sizes down"}
        start: {date: visit_on}
        within: [{period: {hours: 4, working: true}}]
"""
    story = Deadlines(pipeline_of("", more, robots=LETTER)).working()
    assert story.open == []
    story.until(seconds=1).report()
    assert (story.turn.deadline, story.turn.because) == ("after_letter", "robot")
    story.given("establish", fact="agreed")
    assert [(turn.deadline, turn.because) for turn in story.open][-1] == ("after_word", "fact")
    story.given("record", fields={"visit_on": "2026-03-10"})
    dated = story.open[-1]
    assert (dated.deadline, dated.because, dated.begun_at, dated.due_at) == ("measuring", "date", at(10, 9), at(10, 13))
    story.given("record", fields={"visit_on": "2026-03-12"})
    assert story.of(e.DeadlineDropped)[-1].by == "retimed"
    assert story.open[-1].due_at == at(12, 13)
    story.given("record", fields={"visit_on": ""})
    assert "measuring" not in {turn.deadline for turn in story.open}


KEY = """[{id: offer_call, titles: {ru: "Звонок", en: "Call"},
  do: {plan: call, key: true, due: {hours: 2, working: true}, text: {ru: "Позвонить", en: "Call"}}}]"""


def test_Q7_a_key_action_that_is_not_done_by_its_instant_is_a_miss() -> None:
    story = Deadlines(pipeline_of("", "", robots=KEY)).working().until(seconds=1)
    turn = story.turn
    assert (turn.deadline, turn.because, turn.due_at.isoformat()) == (
        "activity",
        "planned",
        "2026-03-02T11:00:00+00:00",
    )
    story.until(hours=3)
    [missed] = story.of(e.DeadlineMissed)
    assert (missed.activity, missed.responsible, missed.cause) == (turn.activity, "anna", "person")
    assert story.open == []
    assert story.open_tasks() == ["Позвонить"]


def test_Q7_a_key_action_done_moved_or_closed_with_its_stage_ends_its_deadline() -> None:
    done = Deadlines(pipeline_of("", "", robots=KEY)).working().until(seconds=1).tick()
    assert done.told() == ["set:activity", "met:activity"]
    left = Deadlines(pipeline_of("", "", robots=KEY)).working().until(seconds=1)
    left.given("reject", status="poor", reason="silent")
    assert left.of(e.DeadlineDropped)[0].by == "left_stage"
    moved = Deadlines(pipeline_of("", "", robots=KEY)).working().until(seconds=1)
    turn = moved.turn
    assert turn.activity is not None
    event = e.ActivityMoved(
        activity=turn.activity, activity_kind="call", due_at=at(4, 12), previous=turn.due_at, times=1
    )
    moved.arrives(event)
    assert moved.told() == ["set:activity", "dropped:activity", "set:activity"]
    assert (moved.turn.due_at, moved.turn.activity) == (at(4, 12), turn.activity)


def key_call() -> Deadlines:
    """A key action of two working hours runs."""
    return Deadlines(pipeline_of("", "", robots=KEY)).working().until(seconds=1)


@pytest.mark.parametrize(("name", "more"), [("replan", {"due_at": at(4, 12)}), ("close_activity", {})])
def test_Q7_a_key_action_is_put_off_or_closed_by_a_head_with_a_reason_alone(name: str, more: dict[str, Any]) -> None:
    story = key_call()
    call = story.turn.activity
    refused_by(story.give(name, activity=call, reason="не успеваю", **more), "Q7.key_action_by_head")
    refused_by(story.give(name, by=HEAD, activity=call, **more), "Q7.key_action_by_head")
    assert story.told() == ["set:activity"]
    story.given(name, by=HEAD, activity=call, reason="клиент просил", **more)
    assert story.told()[:2] == ["set:activity", "dropped:activity"]
    assert story.until(hours=3).of(e.DeadlineMissed) == []
    [said] = story.of(e.ActivityMoved, e.ActivityClosed)
    assert (said.reason if name == "replan" else said.comment) == "клиент просил"


def test_Q7_anyone_moves_a_key_action_to_an_earlier_instant_and_nobody_takes_its_instant_away() -> None:
    story = key_call()
    call, earlier = story.turn.activity, story.turn.due_at - timedelta(hours=1)
    story.given("replan", activity=call, due_at=earlier)
    assert story.turn.due_at == earlier
    refused_by(story.give("replan", activity=call, due_at=earlier + timedelta(minutes=1)), "Q7.key_action_by_head")
    refused_by(story.give("replan", by=HEAD, activity=call, reason="когда-нибудь"), "Q7.key_action_is_due")


def test_Q7_a_key_action_that_was_missed_is_planned_anew_by_anyone_and_is_a_deadline_again() -> None:
    story = key_call()
    call = story.turn.activity
    story.until(hours=3)
    story.given("replan", activity=call, due_at=at(3, 12))
    assert (story.turn.due_at, story.turn.activity) == (at(3, 12), call)
    refused_by(story.give("replan", activity=call, due_at=at(4, 12)), "Q7.key_action_by_head")
    story.until(at(3, 13))
    assert [missed.due_at for missed in story.of(e.DeadlineMissed)] == [at(2, 14), at(3, 12)]
    story.given("close_activity", activity=call)
    assert story.open_tasks() == []


def test_Q7_an_instant_that_is_over_when_it_is_moved_is_missed_whenever_the_check_comes() -> None:
    story = key_call()
    story.now += timedelta(hours=3)  # the robots service is late
    story.given("replan", activity=story.turn.activity, due_at=at(3, 12))
    assert story.told() == ["set:activity", "missed:activity", "set:activity"]


def test_Q7_C4_a_key_action_that_was_missed_is_not_missed_again_by_whoever_gets_it() -> None:
    story = key_call().until(hours=3)
    [call] = [i for i, activity in story.lead.activities.items() if activity.key]
    named = story.lead.activities[call].planned
    assert named is not None
    story.arrives(named.model_copy(update={"assignee": "boris"}))
    assert story.until(hours=1).told() == ["set:activity", "missed:activity"]
    story.given("reject", status="poor", reason="silent").given("undo")
    assert story.until(hours=1).told() == ["set:activity", "missed:activity"]


def test_Q7_a_robot_may_raise_an_incident_of_its_own() -> None:
    do = '{incident: {ru: "не сделано ни одной попытки", en: "no attempt was made"}}'
    robots = f'[{{id: no_attempt, titles: {{ru: "Попытка", en: "Attempt"}}, do: {do}, start: {{delay: {{hours: 1}}}}}}]'
    story = Deadlines(pipeline_of("", "", robots=robots)).working().until(hours=2)
    [raised] = story.of(e.IncidentRaised)
    assert (raised.robot, raised.responsible, raised.stage, raised.text) == (
        "no_attempt",
        "anna",
        "work",
        "не сделано ни одной попытки",
    )
    [ran] = story.of(e.RobotRan)
    assert ran.did == "incident"
    assert raised.incident == story.of(e.IncidentRaised)[0].incident


def test_Q4_a_lead_moved_back_is_not_sent_on_again_by_what_it_has_already() -> None:
    held = QUALIFY.replace("facts.quality == 'good'", "card.size == 'ok'")
    story = Deadlines(pipeline_of("", held)).working()
    story.given("record", fields={"size": "ok", "budget": "1"})
    assert story.lead.stage == "offer"
    story.given("move", to="work", by=HEAD)
    assert story.lead.stage == "work"
    assert story.turn.deadline == "qualify"
    story.given("record", fields={"budget": "2"})
    assert story.lead.stage == "offer"


def test_Q7_deadlines_of_a_pipeline_without_any_cost_nothing() -> None:
    story = Deadlines(pipeline_of())
    story.working().given("establish", **GOOD).given("record", fields={"size": "1"})
    assert story.told() == []
    assert {meta.actor.id for meta in story.metas} <= {"anna", CLIENT.id}

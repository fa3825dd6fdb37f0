"""R1, R2, R6, N1, N4, N6: robots of a stage, from arming to whatever closes them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from contracts import events as e
from contracts.commands import Refusal
from tests.unit.given_pipeline import BEGAN, HEAD, LEAD
from tests.unit.given_robots import MOSCOW, Robots, pipeline_of

TEMPLATES = """
templates:
  - id: thanks
    titles: {ru: "Спасибо", en: "Thanks"}
    kind: email
    ru: {subject: "Спасибо", text: "Спасибо за заявку,"}
    en: {subject: "Thanks", text: "Thank you,"}
  - id: offers
    titles: {ru: "Акции", en: "Offers"}
    kind: email
    marketing: true
    ru: {subject: "Акции", text: "Акции. {{ unsubscribe }}"}
    en: {subject: "Offers", text: "Offers. {{ unsubscribe }}"}
  - id: place
    titles: {ru: "Место", en: "Place"}
    kind: sms
    ru: {text: "Место"}
    en: {text: "Place"}
"""


def school(robots: str = "", later: str = "", **known: Any) -> Robots:
    """A lead in a stage with these robots; `later`: those of the next stage."""
    stages = f"""
  - id: new
    titles: {{ru: "Новый", en: "New"}}
    kind: open
    robots: [{robots}]
  - id: work
    titles: {{ru: "В работе", en: "In work"}}
    kind: open
    robots: [{later}]
"""
    return Robots(pipeline_of(stages, TEMPLATES), **known)


def robot(name: str, do: str, **more: str) -> str:
    """A robot as YAML."""
    said = ", ".join(f"{key}: {value}" for key, value in more.items())
    return f"{{id: {name}, titles: {{ru: «{name}», en: {name}}}, do: {do}" + (f", {said}}}" if said else "}")


CALL = '{plan: call, text: {ru: "Позвонить", en: "Call"}}'


def test_R1_all_robots_at_once_are_armed_for_the_moment_of_entry_and_run() -> None:
    story = school(", ".join((robot("call", CALL), robot("mark", "{tag: fresh}"))))
    assert [(a.robot, a.due_at, a.because) for a in story.of(e.RobotArmed)] == [
        ("call", BEGAN, "entry"),
        ("mark", BEGAN, "entry"),
    ]
    story.until(seconds=1)
    assert story.ran() == ["call", "mark"]
    assert story.lead.tags == {"fresh"}
    [planned] = story.of(e.ActivityPlanned)
    assert (planned.activity_kind, planned.text, planned.robot, planned.visit) == ("call", "Позвонить", "call", 1)
    assert story.lead.automation.armed == {}


def test_R1_a_robot_after_another_waits_until_the_letter_was_accepted_by_the_next_server() -> None:
    story = school(", ".join((robot("letter", "{email: thanks}"), robot("call", CALL, start="{after: letter}"))))
    story.until(hours=2)
    assert story.ran() == ["letter"]
    [requested] = story.of(e.EffectRequested)
    assert requested.message_id == f"<{LEAD.hex}.{requested.effect.hex}@school.example.org>"
    assert (requested.email, requested.text) == ("anna@example.org", "Спасибо за заявку, Анна")
    story.report()
    [armed] = story.of(e.RobotArmed, robot="call")
    assert (armed.because, armed.after, armed.due_at) == ("after_robot", "letter", story.now)
    assert story.until(seconds=1).ran() == ["letter", "call"]


@pytest.mark.parametrize(
    ("start", "first", "again"),
    [
        ('{day: "03-05"}', "sales@3", None),
        ('{day: "03-05", every: {months: 12}}', "sales@3", "sales@3"),
        ("{delay: {hours: 5}, every: {days: 1}}", None, None),
        ("{delay: {hours: 5}, every: {days: 1, working: true}}", None, "sales@3"),
        ("{delay: {hours: 5, working: true}, every: {days: 1}}", "sales@3", None),
        ("{in_hours: true, every: {days: 1}}", "sales@3", "sales@3"),
        ("{date: lesson, before: {days: 1}}", "sales@3", None),
        ("{date: lesson, before: {days: 1}, every: {days: 7}}", "sales@3", None),
    ],
)
def test_R1_the_calendar_that_an_instant_was_counted_in_is_named(
    start: str, first: str | None, again: str | None
) -> None:
    story = school(robot("mark", "{tag: a}", start=start)).given("record", fields={"lesson": "2026-03-05"})
    [armed] = story.of(e.RobotArmed)
    assert armed.calendar == first
    story.until(datetime(2026, 3, 6, 12, tzinfo=UTC))
    [comes] = story.of(e.RobotArmed)[1:2] or [None]
    assert (comes is not None) is ("every" in start)
    assert comes is None or comes.calendar == again


@pytest.mark.parametrize(
    ("delay", "due"),
    [
        ("{minutes: 90}", datetime(2026, 3, 2, 10, 30, tzinfo=UTC)),
        ("{hours: 8}", datetime(2026, 3, 2, 17, 0, tzinfo=UTC)),
        ("{days: 1}", datetime(2026, 3, 3, 9, 0, tzinfo=UTC)),
        ("{hours: 8, working: true}", datetime(2026, 3, 3, 8, 0, tzinfo=UTC)),
        ("{days: 5, working: true}", datetime(2026, 3, 9, 9, 0, tzinfo=UTC)),
        ("{months: 1}", datetime(2026, 4, 2, 9, 0, tzinfo=UTC)),
    ],
)
def test_R1_a_delay_is_counted_in_plain_or_working_time(delay: str, due: datetime) -> None:
    story = school(robot("call", CALL, start=f"{{delay: {delay}}}"))
    [armed] = story.of(e.RobotArmed)
    assert armed.due_at == due
    assert armed.calendar == ("sales@3" if "working" in delay or "months" in delay else None)
    assert story.until(due).ran() == ["call"]
    assert story.of(e.RobotRan)[0].late_ms == 0


def test_R1_a_chain_of_100_robots_runs_whole_each_once() -> None:
    chain = [robot("r0", "{tag: t0}")]
    chain += [robot(f"r{n}", f"{{tag: t{n}}}", start=f"{{after: r{n - 1}}}") for n in range(1, 100)]
    story = school(", ".join(chain)).until(seconds=1)
    assert story.ran() == [f"r{n}" for n in range(100)]
    assert len(story.lead.tags) == 100


def test_R1_before_and_after_a_date_on_the_card() -> None:
    story = school(
        ", ".join(
            (
                robot("remind", "{sms: place}", start="{date: lesson, time: hour, before: {hours: 2}}"),
                robot("ask", CALL, start="{date: lesson, delay: {days: 1}}"),
            )
        )
    )
    assert story.of(e.RobotArmed) == [], "there is no date yet"
    story.given("record", fields={"lesson": "2026-03-10", "hour": "18:30"})
    due = {armed.robot: armed.due_at for armed in story.of(e.RobotArmed)}
    assert due == {
        "remind": datetime(2026, 3, 10, 13, 30, tzinfo=UTC),
        "ask": datetime(2026, 3, 11, 6, 0, tzinfo=UTC),
    }


def test_N6_a_changed_date_changes_the_start_and_a_cleared_one_cancels_it() -> None:
    story = school(robot("remind", "{sms: place}", start="{date: lesson, before: {days: 1}}"))
    story.given("record", fields={"lesson": "2026-03-10"}).given("record", fields={"lesson": "2026-03-20"})
    first, second = story.of(e.RobotArmed)
    assert story.of(e.RobotCancelled)[0].by == "retimed"
    assert (second.because, second.replaces, second.due_at) == (
        "retimed",
        first.timer,
        datetime(2026, 3, 19, 6, 0, tzinfo=UTC),
    )
    assert story.until(datetime(2026, 3, 12, tzinfo=UTC)).ran() == [], "never on the stale date"
    story.given("record", fields={"lesson": ""})
    assert story.lead.automation.armed == {}
    assert story.until(days=30).ran() == []


def _armed_once(story: Robots) -> dict[str, datetime]:
    """What waits; no timer may be armed twice."""
    timers = [armed.timer for armed in story.of(e.RobotArmed)]
    assert len(timers) == len(set(timers)), "a timer is armed once"
    cancelled = [event.timer for event in story.of(e.RobotCancelled)]
    assert len(cancelled) == len(set(cancelled)), "and cancelled once"
    return {armed.robot: armed.due_at for armed in story.lead.automation.armed.values()}


def test_N1_a_date_that_comes_with_the_move_arms_each_robot_once() -> None:
    story = school(later=robot("remind", "{sms: place}", start="{date: lesson, time: hour, before: {hours: 2}}"))
    first = [
        {"type": "record", "fields": {"lesson": "2026-03-10"}},
        {"type": "record", "fields": {"hour": "18:30"}},
    ]
    story.given("move", to="work", first=first)
    assert _armed_once(story) == {"remind": datetime(2026, 3, 10, 13, 30, tzinfo=UTC)}


def test_N1_a_date_that_comes_with_the_lead_arms_each_robot_once() -> None:
    story = school(
        robot("remind", "{sms: place}", start="{date: lesson, before: {days: 1}}"), card={"lesson": "2026-03-10"}
    )
    assert _armed_once(story) == {"remind": datetime(2026, 3, 9, 6, 0, tzinfo=UTC)}


@pytest.mark.parametrize(
    ("on_leave", "due"),
    [
        ("cancel", {}),
        ("keep", {"remind": datetime(2026, 3, 19, 6, 0, tzinfo=UTC)}),
        ("run_now", {"remind": BEGAN}),
    ],
)
def test_N6_a_date_changed_with_the_move_out_of_the_stage_leaves_what_the_policy_says(
    on_leave: str, due: dict[str, datetime]
) -> None:
    story = school(robot("remind", "{sms: place}", start="{date: lesson, before: {days: 1}}", on_leave=on_leave))
    story.given("record", fields={"lesson": "2026-03-10"})
    story.given("move", to="work", first=[{"type": "record", "fields": {"lesson": "2026-03-20"}}])
    assert _armed_once(story) == due


def test_N6_a_robot_that_is_not_to_be_retimed_keeps_its_date() -> None:
    story = school(robot("remind", "{sms: place}", start="{date: lesson, before: {days: 1}}", retime="false"))
    story.given("record", fields={"lesson": "2026-03-10"}).given("record", fields={"lesson": "2026-03-20"})
    [armed] = story.of(e.RobotArmed)
    assert armed.due_at == datetime(2026, 3, 9, 6, 0, tzinfo=UTC)


BEFORE = "{date: lesson, time: hour, before: {hours: 2}, in_hours: true}"


def test_R1_a_robot_before_a_date_moves_back_into_hours_never_behind_the_date() -> None:
    story = school(robot("remind", "{sms: place}", start=BEFORE))
    story.given("record", fields={"lesson": "2026-03-10", "hour": "08:00"})
    [armed] = story.of(e.RobotArmed)
    assert armed.due_at == datetime(2026, 3, 9, 15, 0, tzinfo=UTC), (
        "6 in the morning is nobody's hour: 18:00 the evening before"
    )


def test_R1_a_robot_before_a_date_whose_last_hours_are_over_comes_in_the_next_ones_or_not_at_all() -> None:
    story = school(robot("remind", "{sms: place}", start=BEFORE)).until(hours=8)
    story.given("record", fields={"lesson": "2026-03-03", "hour": "09:30"})
    [armed] = story.of(e.RobotArmed)
    assert armed.due_at == datetime(2026, 3, 3, 6, 0, tzinfo=UTC), "not at 20:00 in the evening"
    story.given("record", fields={"hour": "08:00"})
    assert story.until(days=1).ran() == []
    assert story.why("remind").reason == "date_passed"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("day", "hour", "runs"),
    [
        ("2026-03-01", "", False),
        ("2026-03-02", "", True),
        ("2026-03-02", "12:00", False),
        ("2026-03-02", "12:01", True),
    ],
)
def test_R1_what_was_to_come_before_a_date_does_not_come_after_it(day: str, hour: str, runs: bool) -> None:
    """The story begins at noon of 2 March."""
    story = school(robot("remind", "{sms: place}", start="{date: lesson, time: hour, before: {hours: 2}}"))
    story.given("record", fields={"lesson": day, "hour": hour}).until(seconds=0)
    assert story.ran() == (["remind"] if runs else [])
    assert runs or story.why("remind").reason == "date_passed"  # type: ignore[attr-defined]


def test_R1_what_comes_after_a_date_comes_also_when_it_is_long_past() -> None:
    story = school(robot("ask", CALL, start="{date: lesson, delay: {days: 1}}"))
    assert story.given("record", fields={"lesson": "2026-02-01"}).until(seconds=0).ran() == ["ask"]


def _times(story: Robots) -> list[datetime]:
    return [armed.due_at.astimezone(MOSCOW.zone).replace(tzinfo=None) for armed in story.of(e.RobotArmed)]


def test_P7_a_short_month_and_a_day_off_move_one_time_and_not_those_that_follow() -> None:
    story = school(robot("keep", CALL, start="{delay: {days: 29}, every: {months: 1}}")).until(days=180)
    assert [at.date() for at in _times(story)[:6]] == [
        date(2026, 3, 31), date(2026, 4, 30), date(2026, 6, 1), date(2026, 6, 30), date(2026, 7, 31), date(2026, 8, 31),
    ]  # fmt: skip


@pytest.mark.parametrize("more", ["", ", in_hours: true", ", delay: {days: 10}"])
def test_P5_a_robot_of_a_day_of_the_year_that_comes_again_comes_each_year_on_that_day(more: str) -> None:
    holidays = {date(year, 12, 31): () for year in range(2026, 2032)}
    calendar = replace(MOSCOW, days=holidays)
    stages = f"""
  - id: new
    titles: {{ru: "Новый", en: "New"}}
    kind: open
    robots: [{robot("greet", "{tag: a}", start="{day: 12-31, every: {months: 12}" + more + "}")}]
"""
    story = Robots(pipeline_of(stages), calendar).until(days=365 * 5)
    years = [(at - timedelta(days=15)).year for at in _times(story)]
    assert years == [2026, 2027, 2028, 2029, 2030, 2031], "each year once"
    if not more:
        assert {(at.month, at.day) for at in _times(story)} == {(12, 31)}


def test_P7_after_an_outage_a_robot_comes_again_once_and_keeps_its_days() -> None:
    story = school(robot("keep", CALL, start="{every: {days: 7}}")).until(days=15)
    story.now += timedelta(days=100)
    story.until(seconds=0)
    assert len(story.ran()) == 4
    assert {at.weekday() for at in _times(story)} == {0}, "Mondays"


@pytest.mark.parametrize(
    ("start", "counted"),
    [
        ("{day: 12-31, every: {days: 365}}", ["sales@3", "sales@3"]),
        ("{delay: {days: 1}, every: {days: 7, working: true}}", [None, "sales@3"]),
        ("{every: {months: 1}}", [None, "sales@3"]),
        ("{delay: {days: 1, working: true}, every: {days: 7}}", ["sales@3", None]),
    ],
)
def test_R1_what_is_counted_in_the_calendar_says_in_which(start: str, counted: list[str | None]) -> None:
    story = school(robot("one", "{tag: a}", start=start)).until(days=370)
    assert [armed.calendar for armed in story.of(e.RobotArmed)][:2] == counted


def test_N4_a_condition_that_does_not_hold_is_told_by_its_clause_and_the_values_seen() -> None:
    story = school(robot("call", CALL, when="\"lead.phone != '' && card.budget > 100.0\""))
    story.given("record", fields={"budget": "90"}).until(seconds=1)
    skipped = story.why("call")
    assert isinstance(skipped, e.RobotSkipped)
    assert (skipped.reason, skipped.clause, skipped.values) == (
        "condition",
        "card.budget > 100.0",
        {"card.budget": "90.0"},
    )


def test_R1_who_follows_a_skipped_robot_is_skipped_for_that_reason_or_runs_as_it_says() -> None:
    story = school(
        ", ".join(
            (
                robot("first", CALL, when="has(card.budget)"),
                robot("second", "{tag: a}", start="{after: first}"),
                robot("third", "{tag: b}", start="{after: second}"),
                robot("anyway", "{tag: c}", start="{after: first}", when_predecessor_did_not_run="run"),
            )
        )
    ).until(seconds=1)
    assert story.ran() == ["anyway"]
    for name, predecessor in (("second", "first"), ("third", "second")):
        skipped = story.why(name)
        assert isinstance(skipped, e.RobotSkipped)
        assert (skipped.reason, skipped.predecessor) == ("predecessor", predecessor)
    armed = {event.timer for event in story.of(e.RobotArmed)}
    closed = [event.timer for event in story.of(e.RobotRan, e.RobotSkipped)]
    assert len(armed) == len(closed) == 4
    assert armed == set(closed)


def test_R6_leaving_the_stage_cancels_keeps_or_runs_as_each_robot_says() -> None:
    later = "{delay: {days: 3}}"
    story = school(
        ", ".join(
            (
                robot("gone", CALL, start=later),
                robot("stays", "{tag: stays}", start=later, on_leave="keep"),
                robot("hurries", "{tag: hurries}", start=later, on_leave="run_now"),
            )
        )
    )
    story.until(hours=1).given("move", to="work")
    cancelled = {event.robot: event.by for event in story.of(e.RobotCancelled)}
    assert cancelled == {"gone": "left_stage", "hurries": "left_stage"}
    assert story.until(seconds=1).ran() == ["hurries"]
    assert story.until(days=4).ran() == ["hurries", "stays"]


def test_N6_a_task_that_a_robot_planned_is_closed_when_the_lead_leaves_its_stage() -> None:
    story = school(", ".join((robot("call", CALL), robot("kept", CALL, on_leave="keep")))).until(seconds=1)
    story.given("reject", status="poor", reason="silent")
    [closed] = story.of(e.ActivityClosed)
    open_now = [a for a in story.lead.activities.values() if a.done_at is None]
    assert closed.reason == "left_stage"
    assert [a.robot for a in open_now] == ["kept"]


def test_N1_a_robot_fires_once_in_a_stage_visit_however_often_it_is_told() -> None:
    story = school(robot("letter", "{email: thanks}"))
    [armed] = story.of(e.RobotArmed)
    story.fire(armed.timer, armed.robot)
    count = len(story.events)
    for _ in range(5):
        again = story.fire(armed.timer, armed.robot)
        assert isinstance(again, Refusal)
        assert again.rules == ("N1.once_per_visit",)
    assert len(story.events) == count
    assert len(story.of(e.EffectRequested)) == 1
    assert story.fire(uuid4(), "letter").rules == ("N1.once_per_visit",)


def test_N1_a_robot_is_not_fired_before_its_instant_when_a_clock_jumps() -> None:
    story = school(robot("call", CALL, start="{delay: {days: 1}}"))
    [armed] = story.of(e.RobotArmed)
    early = story.fire(armed.timer, armed.robot)
    assert early.rules == ("R1.not_due",)
    assert story.until(days=1).ran() == ["call"]


def test_N1_a_new_visit_of_the_stage_runs_its_robots_again_once() -> None:
    story = school(robot("call", CALL)).until(seconds=1)
    story.given("move", to="work").given("move", to="new").until(seconds=1)
    assert story.ran() == ["call", "call"]
    assert [event.visit for event in story.of(e.RobotRan)] == [1, 3]


def test_N12_a_corrected_mistake_brings_back_what_it_had_cancelled_and_starts_nothing_anew() -> None:
    later = robot("call", CALL, start="{delay: {days: 3}}")
    story = school(
        ", ".join((robot("mark", "{tag: a}"), later)), robot("hello", "{email: thanks}", start="{delay: {hours: 5}}")
    )
    story.until(hours=1).given("move", to="work").until(hours=1).given("undo")
    armed = {a.robot: (a.due_at, a.because) for a in story.lead.automation.armed.values()}
    assert armed == {"call": (datetime(2026, 3, 5, 9, 0, tzinfo=UTC), "undone")}
    assert story.of(e.RobotCancelled, robot="hello")[0].by == "undone"
    assert story.until(days=5).ran() == ["mark", "call"]


def test_R6_a_person_takes_an_armed_robot_back_and_it_is_told_so() -> None:
    story = school(robot("call", CALL, start="{delay: {days: 3}}"))
    [armed] = story.of(e.RobotArmed)
    story.given("cancel_robot", timer=armed.timer, comment="клиент сам позвонит")
    assert isinstance(cancelled := story.why("call"), e.RobotCancelled)
    assert cancelled.by == "by_hand"
    assert story.give("cancel_robot", timer=armed.timer).rules == ("R6.armed_robot",)
    assert story.until(days=5).ran() == []


def test_N5_robots_are_started_for_leads_that_did_not_have_them_and_for_no_others() -> None:
    story = school(", ".join((robot("mark", "{tag: a}"), robot("call", CALL, start="{delay: {days: 1}}"))))
    assert story.given("start_robots").of(e.RobotArmed) == story.of(e.RobotArmed)[:2], "both wait already"
    story.until(days=2)
    count = len(story.of(e.RobotArmed))
    story.given("start_robots")
    assert len(story.of(e.RobotArmed)) == count, "both ran already"


def test_N5_a_new_robot_behind_one_that_is_over_is_started_too() -> None:
    letter, tail = robot("letter", "{email: thanks}"), robot("no", "{tag: rich}", when='"card.budget > 5"')
    after, behind = robot("after", "{tag: a}", start="{after: letter, delay: {days: 1}}"), "{after: no}"
    more = f"{after}, {robot('skip', '{tag: b}', start=behind)}"
    run = robot("run", "{tag: c}", start=behind, when_predecessor_did_not_run="run")
    story = school(f"{letter}, {tail}").until(seconds=1)
    story.pipeline = school(f"{letter}, {tail}, {more}, {run}").pipeline
    story.given("start_robots")
    assert story.of(e.RobotArmed, robot="after") == [], "its letter is on its way still"
    story.report().given("start_robots")
    [armed] = story.of(e.RobotArmed, robot="after")
    assert (armed.because, armed.after, armed.due_at - story.now) == ("after_robot", "letter", timedelta(days=1))
    assert story.why("skip").reason == "predecessor"  # type: ignore[attr-defined]
    assert story.until(days=1).ran() == ["letter", "run", "after"]
    assert story.given("start_robots").until(days=1).ran() == ["letter", "run", "after"], "nothing runs twice"


def test_N5_a_new_robot_behind_a_letter_that_went_out_before_is_started() -> None:
    letter = robot("letter", "{email: thanks}")
    story = school(letter).until(seconds=1).report()
    story.pipeline = school(
        f"{letter}, {robot('after', '{tag: a}', start='{after: letter, delay: {days: 1}}')}"
    ).pipeline
    story.given("start_robots", at=BEGAN + timedelta(days=2))
    [armed] = story.of(e.RobotArmed, robot="after")
    assert (armed.because, armed.after, armed.due_at) == ("started", "letter", BEGAN + timedelta(days=3))


@pytest.mark.parametrize(
    ("do", "told"),
    [
        ("{assign: next}", e.LeadAssigned),
        ("{assign: boris}", e.LeadAssigned),
        ("{move: work}", e.StageEntered),
        ("{reject: poor, reason: silent}", e.LeadRejected),
        ('{field: budget, value: "5"}', e.CardRecorded),
        ("{tag: hot}", e.TagAdded),
        ('{notify_head: {ru: "Посмотрите", en: "Look"}}', e.ActivityPlanned),
        ('{plan: meeting, text: {ru: "Встреча", en: "Meet"}, due: {days: 2, working: true}}', e.ActivityPlanned),
        ("{email: thanks}", e.EffectRequested),
        ("{sms: place}", e.EffectRequested),
        ("{audience: Ученики, service: vk}", e.EffectRequested),
        ("{webhook: crm}", e.EffectRequested),
    ],
)
def test_R2_R3_R4_every_action_is_one_fact_and_says_that_it_ran(do: str, told: type[e.Event]) -> None:
    story = school(robot("one", do)).until(seconds=1)
    assert story.ran() == ["one"]
    assert story.of(told)
    by = [meta.actor for meta, event in zip(story.metas, story.events, strict=True) if isinstance(event, e.RobotRan)]
    assert [(actor.id, actor.kind) for actor in by] == [("one", "robot")]


def test_R2_a_robot_assigns_the_next_one_in_turn_and_says_so() -> None:
    story = school(robot("other", "{assign: next}")).until(seconds=1)
    [assigned] = [event for event in story.of(e.LeadAssigned) if event.reason == "robot"]
    assert (assigned.previous, assigned.to) == ("anna", "boris")
    assert story.lead.responsible == "boris"


def test_R2_a_task_is_due_in_the_working_time_of_whoever_does_it() -> None:
    story = school(robot("call", '{plan: call, text: {ru: "а", en: "b"}, due: {hours: 1, working: true}}')).until(
        seconds=1
    )
    [planned] = story.of(e.ActivityPlanned)
    assert planned.due_at == datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
    assert planned.calendar == "sales@3"


def test_R2_a_move_that_the_rules_do_not_allow_is_not_made_and_the_rules_are_named() -> None:
    stages = """
  - id: new
    titles: {ru: "Новый", en: "New"}
    kind: open
    exit: [{fact: agreed}]
    robots: [{id: on, titles: {ru: "а", en: "b"}, do: {move: work}}]
  - {id: work, titles: {ru: "В работе", en: "In work"}, kind: open}
"""
    story = Robots(pipeline_of(stages)).until(seconds=1)
    skipped = story.why("on")
    assert isinstance(skipped, e.RobotSkipped)
    assert (skipped.reason, skipped.rules) == ("rules", ("S2.exit_criteria",))
    assert story.lead.stage == "new"


def test_S3_a_pause_comes_back_by_itself_in_the_morning_of_its_date_to_the_stage_it_left() -> None:
    story = school("", robot("hello", "{tag: again}")).given("move", to="work").until(seconds=1)
    story.given("pause", until=date(2026, 3, 15), reason="в отпуске")
    [armed] = [a for a in story.lead.automation.armed.values() if a.robot == "pause"]
    assert armed.due_at == datetime(2026, 3, 16, 6, 0, tzinfo=UTC), "the 15th is a Sunday"
    story.until(armed.due_at)
    assert (story.lead.stage, story.lead.kind) == ("work", "open")
    assert isinstance(ran := story.why("pause"), e.RobotRan)
    assert ran.did == "come_back"


def test_S3_C7_a_pause_gets_another_date_where_it_is_and_no_robot_of_a_stage_runs_for_that() -> None:
    story = school(robot("hello", "{email: thanks}")).until(seconds=1)
    story.given("pause", until=date(2026, 3, 16), reason="в отпуске")
    story.given("pause", until=date(2026, 4, 16), reason="ещё в отпуске", status="later")
    assert (story.lead.stage, story.lead.visit, story.lead.paused_until) == ("later", 2, date(2026, 4, 16))
    first, second = story.of(e.RobotArmed, robot="pause")
    assert (second.replaces, second.due_at) == (first.timer, datetime(2026, 4, 16, 6, 0, tzinfo=UTC))
    assert story.why("pause") is second
    assert story.until(datetime(2026, 4, 1, tzinfo=UTC)).lead.stage == "later"
    assert story.ran() == ["hello"]
    back = story.until(datetime(2026, 4, 17, tzinfo=UTC))
    assert (back.lead.stage, back.of(e.LeadPaused)[-1].from_stage) == ("new", "new")


def test_S3_a_closed_lead_is_not_put_off() -> None:
    story = school().given("reject", status="poor", reason="silent")
    refused = story.give("pause", until=date(2026, 3, 16), reason="в отпуске")
    assert isinstance(refused, Refusal)
    assert "S3.closed_stays_closed" in refused.rules


def test_S3_a_pause_that_a_person_ended_comes_back_no_second_time() -> None:
    story = school().given("pause", until=date(2026, 3, 16), reason="в отпуске").given("reopen")
    assert story.lead.automation.armed == {}
    assert story.until(days=30).lead.stage == "new"


def test_P7_a_robot_that_comes_again_comes_as_long_as_the_lead_stands_there() -> None:
    story = school(robot("keep", CALL, start="{delay: {months: 1}, every: {months: 3}}")).until(
        datetime(2026, 12, 1, tzinfo=UTC)
    )
    at = [
        meta.happened_at.date()
        for meta, event in zip(story.metas, story.events, strict=True)
        if isinstance(event, e.RobotRan)
    ]
    assert at == [date(2026, 4, 2), date(2026, 7, 2), date(2026, 10, 2)]
    story.given("move", to="work").until(days=200)
    assert len(story.ran()) == 3


def test_P7_a_robot_that_comes_again_by_months_keeps_the_day_of_its_first_time() -> None:
    story = school(robot("keep", CALL, start="{delay: {days: 29}, every: {months: 1}}")).until(
        datetime(2027, 3, 1, tzinfo=UTC)
    )
    at = [f"{event.due_at:%m-%d}" for event in story.of(e.RobotArmed)]
    # 31 May, 31 October and 30 and 31 January are days off: that time alone comes on the next working morning
    assert at[:7] == ["03-31", "04-30", "06-01", "06-30", "07-31", "08-31", "09-30"]
    assert at[7:] == ["11-02", "11-30", "12-31", "02-01", "03-01"]


def test_P7_after_an_outage_a_robot_that_comes_again_by_months_comes_once_on_its_day() -> None:
    story = school(robot("keep", CALL, start="{delay: {days: 29}, every: {months: 1}}"))
    story.now = datetime(2026, 7, 10, 9, tzinfo=UTC)  # the robots service was away for months
    story.until(minutes=1)
    assert len(story.ran()) == 1
    assert [armed.due_at.date() for armed in story.lead.automation.armed.values()] == [date(2026, 7, 31)]


def test_P5_greetings_go_out_on_the_day_once_for_each_person() -> None:
    greet = robot("new_year", "{email: thanks}", start='{day: "12-31", in_hours: true}', once="person")
    story = school(greet).until(datetime(2027, 1, 5, tzinfo=UTC))
    [armed] = story.of(e.RobotArmed)
    assert armed.due_at == datetime(2026, 12, 31, 6, 0, tzinfo=UTC)
    story.given("move", to="work").given("move", to="new").until(datetime(2028, 1, 5, tzinfo=UTC))
    assert story.ran() == ["new_year"]
    assert isinstance(skipped := story.why("new_year"), e.RobotSkipped)
    assert skipped.reason == "once"


def test_P9_a_meeting_that_was_held_asks_for_its_result_within_a_working_day() -> None:
    story = school().given("plan", kind="meeting")
    [activity] = story.lead.activities
    story.given("complete", activity=activity, result="встретились")
    [asked] = [event for event in story.of(e.ActivityPlanned) if event.reason == "deadline"]
    assert (asked.due_at, asked.deadline) == (datetime(2026, 3, 3, 9, 0, tzinfo=UTC), "meeting_result")
    story.until(days=2)
    [missed] = story.of(e.DeadlineMissed)
    assert (missed.deadline, missed.responsible, missed.cause) == ("meeting_result", "anna", "person")
    assert missed.incident is not None
    assert story.lead.activities[asked.activity].done_at is None, "it stays, overdue"


def test_P9_the_task_ticked_off_without_the_result_is_asked_for_again() -> None:
    story = school().given("plan", kind="meeting")
    [meeting] = story.lead.activities
    story.given("complete", activity=meeting, result="встретились")
    [turn] = story.lead.deadlines.open.values()
    story.given("complete", activity=turn.activity, result="записал").until(hours=1)
    [asked] = story.of(e.DeadlineAsked)
    assert asked.lacks == ("meeting_held",)
    [again] = story.lead.deadlines.open.values()
    assert (again.turn, again.because) == (2, "asked")


def test_P9_a_timer_that_an_older_release_armed_is_closed_as_it_was() -> None:
    story = school()
    armed = e.RobotArmed(robot="meeting_result", timer=uuid4(), visit=1, due_at=BEGAN, because="meeting")
    owed = e.ActivityPlanned(
        activity=uuid4(), activity_kind="task", reason="robot", robot="meeting_result", visit=1, due_at=BEGAN
    )
    story.arrives(armed, owed).until(hours=1)
    assert isinstance(story.why("meeting_result"), e.RobotRan)
    assert story.of(e.DeadlineSet) == []
    story.given("hold", kind="meeting")
    assert story.lead.activities[owed.activity].done_at is not None


def test_P9_a_result_that_was_recorded_before_is_not_asked_for() -> None:
    story = school().given("plan", kind="meeting").given("hold", kind="meeting")
    [activity] = story.lead.activities
    story.given("complete", activity=activity, result="встретились")
    assert story.of(e.RobotArmed, e.DeadlineSet) == []


def test_P9_a_result_that_is_recorded_ends_the_asking() -> None:
    story = school().given("plan", kind="meeting")
    [activity] = story.lead.activities
    story.given("complete", activity=activity, result="встретились").given("hold", kind="meeting").until(days=3)
    assert [event.deadline for event in story.of(e.DeadlineMet)] == ["meeting_result"]
    assert story.of(e.DeadlineMissed) == []
    assert [a for a in story.lead.activities.values() if a.done_at is None] == []


def test_N3_a_loop_of_robots_is_stopped_after_ten_moves_and_says_so() -> None:
    stages = """
  - {id: new, titles: {ru: "а", en: "b"}, kind: open, robots: [{id: there, titles: {ru: "а", en: "b"}, do: {move: work}}]}
  - {id: work, titles: {ru: "в", en: "c"}, kind: open, robots: [{id: back, titles: {ru: "а", en: "b"}, do: {move: new}}]}
"""
    story = Robots(pipeline_of(stages)).until(days=1)
    assert len(story.ran()) == 10
    last = story.of(e.RobotSkipped)[-1]
    assert last.reason == "loop"
    assert story.lead.autodepth == 10
    story.given("see")
    assert story.lead.autodepth == 0, "a person acted: automatic moves count from here"


@pytest.mark.parametrize(
    ("do", "channel"),
    [
        ("{email: thanks}", "email"),
        ("{sms: place}", "sms"),
        (CALL, "phone"),
        ('{plan: letter, text: {ru: "Письмо", en: "Letter"}}', "email"),
        ("{audience: Ученики, service: vk}", "ads"),
        ("{email: offers}", "email"),
        ("{email: offers}", "ads"),
    ],
)
def test_C7_a_refusal_of_contact_stands_before_every_action_on_its_channel(do: str, channel: str) -> None:
    for refused in ("phone", "sms", "email", "messenger", "ads"):
        story = school(robot("one", do)).refuse(refused).until(seconds=1)
        concerned = refused == channel or (do == "{email: offers}" and refused in ("email", "ads"))
        assert (story.ran() == []) == concerned, refused
        if concerned:
            skipped = story.why("one")
            assert isinstance(skipped, e.RobotSkipped)
            assert (skipped.reason, skipped.channel) == ("contact_refused", refused)


@pytest.mark.parametrize(("until", "runs"), [(date(2026, 3, 2), True), (date(2026, 3, 3), False)])
def test_C7_a_refusal_for_a_time_holds_until_its_day(until: date, runs: bool) -> None:
    story = school(robot("one", CALL)).refuse("phone", until=until).until(seconds=1)
    assert (story.ran() == ["one"]) is runs


def test_C7_a_refusal_stops_what_is_on_its_way_and_takes_the_client_out_of_audiences() -> None:
    story = school(
        ", ".join((robot("letter", "{email: thanks}"), robot("ads", "{audience: Ученики, service: yandex}")))
    )
    story.until(seconds=1).report(kind="audience", matched=1).refuse("email").refuse("ads")
    [stopped] = story.of(e.EffectFailed)
    assert (stopped.effect_kind, stopped.reason) == ("email", "contact_refused")
    removed = story.of(e.EffectRequested)[-1]
    assert (removed.action, removed.service, removed.audience) == ("remove", "yandex", "Ученики")
    count = len(story.of(e.EffectRequested))
    story.refuse("ads")
    assert len(story.of(e.EffectRequested)) == count, "once is enough"


@pytest.mark.parametrize(("anyway", "ran"), [("skip", ["letter"]), ("run", ["letter", "call"])])
def test_C7_who_follows_a_letter_that_was_stopped_waits_for_its_repeat_or_runs_as_it_says(
    anyway: str, ran: list[str]
) -> None:
    call = robot("call", CALL, start="{after: letter}", when_predecessor_did_not_run=anyway)
    story = school(", ".join((robot("letter", "{email: thanks}"), call))).until(seconds=1).refuse("email")
    assert story.of(e.EffectFailed)[0].reason == "contact_refused"
    assert story.until(seconds=1).ran() == ran
    assert story.of(e.RobotSkipped) == []


@pytest.mark.parametrize(("reason", "taken_out"), [("gave_up: no_answer", True), ("no_usable_contact", False)])
def test_C7_who_may_have_got_into_an_audience_unheard_is_taken_out_too(reason: str, taken_out: bool) -> None:
    story = school(robot("ads", "{audience: Ученики, service: yandex}")).until(seconds=1)
    story.report("failed", kind="audience", reason=reason).refuse("ads")
    removals = [asked for asked in story.of(e.EffectRequested) if asked.action == "remove"]
    assert bool(removals) is taken_out


def test_C9_nobody_is_written_to_at_an_address_that_is_proven_wrong_or_not_there() -> None:
    for known, wrong in (({"email": None}, {}), ({}, {("email", "anna@example.org"): "wrong"})):
        story = school(robot("letter", "{email: thanks}", start="{delay: {hours: 1}}"), **known)
        story.wrong = wrong
        skipped = story.until(hours=1).why("letter")
        assert isinstance(skipped, e.RobotSkipped)
        assert (skipped.reason, skipped.channel) == ("no_address", "email")


def test_R3_what_hangs_on_a_letter_waits_for_it_and_the_rest_does_not() -> None:
    story = school(
        ", ".join(
            (
                robot("letter", "{email: thanks}"),
                robot("call", CALL, start="{after: letter}"),
                robot("mark", "{tag: a}", start="{delay: {minutes: 30}}"),
            )
        )
    ).until(hours=2)
    assert story.ran() == ["letter", "mark"]
    story.report("failed", reason="gave_up: no_connection")
    [told] = [event for event in story.of(e.ActivityPlanned) if event.reason == "effect_failed"]
    assert "gave_up" in told.text
    assert story.until(hours=1).ran() == ["letter", "mark"]
    [effect] = story.lead.automation.effects
    story.given("record", fields={"email": "new@example.org"}).given("repeat", effect=effect)
    assert story.of(e.EffectRepeated)[0].email == "new@example.org"
    assert story.report().until(seconds=1).ran() == ["letter", "mark", "call"]
    assert story.give("repeat", effect=effect).rules == ("R3.only_what_failed",)


@pytest.mark.parametrize(("doubtful", "words"), [(False, "lost"), (True, "lost (могло всё же уйти)")])
def test_R3_the_task_of_a_letter_that_failed_says_where_it_may_have_gone_out(doubtful: bool, words: str) -> None:
    story = (
        school(robot("letter", "{email: thanks}")).until(seconds=1).report("failed", reason="lost", doubtful=doubtful)
    )
    [told] = story.of(e.ActivityPlanned)
    assert told.text == f"Письмо клиенту не ушло: {words}"


def test_R3_a_robot_that_could_not_is_told_as_a_task_and_can_be_started_again() -> None:
    story = school(", ".join((robot("letter", "{email: thanks}"), robot("call", CALL, start="{after: letter}"))))
    story.fill_fails = "text: line 1: lead.name has no value"
    story.until(seconds=1)
    assert isinstance(failed := story.why("letter"), e.RobotFailed)
    assert failed.reason == story.fill_fails
    [task] = story.of(e.ActivityPlanned)
    assert (task.reason, task.robot) == ("robot_failed", "letter")
    story.fill_fails = None
    story.given("start_robots").until(seconds=1)
    assert story.ran() == ["letter"]


def test_R1_who_ran_after_a_failed_letter_does_not_run_again_when_it_is_repeated() -> None:
    anyway = robot("call", CALL, start="{after: letter}", when_predecessor_did_not_run="run")
    story = school(", ".join((robot("letter", "{email: thanks}"), anyway))).until(seconds=1)
    story.report("failed", reason="gave_up").until(seconds=1)
    assert story.ran() == ["letter", "call"]
    [effect] = story.lead.automation.effects
    story.given("repeat", effect=effect).report().until(seconds=1)
    assert story.ran() == ["letter", "call"]


def test_C2_poor_by_itself_only_after_attempts_and_never_without() -> None:
    rule = robot(
        "poor",
        "{reject: poor, reason: silent}",
        start="{delay: {months: 1}}",
        when='"lead.attempts >= 3 && !has(facts.call_held)"',
    )
    silent = school(rule).until(days=40)
    skipped = silent.why("poor")
    assert isinstance(skipped, e.RobotSkipped)
    assert (skipped.clause, skipped.values) == ("lead.attempts >= 3", {"lead.attempts": "0"})
    tried = school(rule)
    for n in range(3):
        tried.until(days=1).arrives(_call(tried, f"c{n}"))
    assert tried.until(days=40).lead.stage == "poor"


def _call(story: Robots, name: str) -> e.CallRecorded:
    return e.CallRecorded(
        inbound_id=uuid4(),
        call_id=name,
        call_direction="out",
        answered=False,
        started_at=story.now,
        number="+79161234567",
    )


def test_C2_so_many_calls_that_nobody_answered_end_it_at_once() -> None:
    stages = """
  - {id: new, titles: {ru: "Новый", en: "New"}, kind: open}
  - {id: work, titles: {ru: "В работе", en: "In work"}, kind: open}
  - id: unreachable
    titles: {ru: "Не дозвонились", en: "Not reached"}
    kind: lost
    triggers:
      - {id: five, titles: {ru: а, en: b}, on: event, type: leadline.lead.call_recorded, when: "lead.attempts >= 5"}
"""
    story = Robots(pipeline_of(stages))
    for n in range(5):
        assert story.lead.stage == "new"
        story.arrives(_call(story, f"c{n}"))
    assert story.lead.stage == "unreachable"
    assert [event.trigger for event in story.of(e.TriggerFired)] == ["five"]


def test_R1_robots_of_a_lead_that_was_erased_do_nothing_and_are_closed() -> None:
    story = school(robot("letter", "{email: thanks}", start="{delay: {hours: 1}}"))
    assert story.state is not None
    story.state = story.state.__class__(**{**story.state.__dict__, "erased": True})
    story.until(hours=1)
    assert isinstance(cancelled := story.why("letter"), e.RobotCancelled)
    assert cancelled.by == "erased"


def test_R1_only_heads_and_machines_matter_where_the_pipeline_says_so() -> None:
    story = school(robot("call", CALL, start="{delay: {days: 1}}"))
    story.given("start_robots", by=HEAD)
    assert len(story.of(e.RobotArmed)) == 1

"""R6, N2, N4, M5: what a lead's robots, triggers and effects did and why, from its events; told in two languages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import events as e
from contracts.recorded import Recorded
from services.delivery.telling.store import NOT_CONFIGURED, Told
from services.leads.domain.robots.account import Account, account
from services.web.robots_view import on_the_way
from services.web.shapes_robots import AutomationOut, automation_out
from services.web.telling import Telling
from services.web.texts import Words
from tests.unit.given_robots import Robots, pipeline_of
from tests.unit.test_robots import CALL, robot, school

LETTER = robot("letter", "{email: thanks}")
BEHIND = robot("call", CALL, start="{after: letter}")


def history(story: Robots) -> list[Recorded]:
    return [Recorded(meta, event) for meta, event in zip(story.metas, story.events, strict=True)]


def of(story: Robots) -> Account:
    return account(history(story), story.lead, story.pipeline)


def told(story: Robots) -> AutomationOut:
    zone = ZoneInfo("Europe/Moscow")
    return automation_out(history(story), story.lead, story.pipeline, {"school@1": story.pipeline}, zone, story.now)


def said(story: Robots, name: str) -> Any:
    return next(out for out in reversed(told(story).robots) if out.robot == name)


def waits(story: Robots) -> dict[str, Any]:
    return {waiting.robot: waiting.why for waiting in of(story).waiting}


def test_N4_a_robot_behind_a_letter_says_what_it_waits_for_until_it_is_armed() -> None:
    story = school(f"{LETTER}, {BEHIND}, {robot('third', CALL, start='{after: call}')}")
    assert waits(story) == {"call": "armed", "third": "armed"}
    story.until(minutes=1)
    assert waits(story) == {"call": "requested", "third": "armed"}
    assert said(story, "call").ru == "ждёт, пока уйдёт ««letter»»: ещё не принято"
    story.report("failed", reason="recipient_refused: 550")
    assert waits(story) == {"call": "failed", "third": "armed"}
    assert said(story, "call").en == "waits for “letter” to go out: it failed, repeat it"
    [effect] = story.lead.automation.effects
    story.given("repeat", effect=effect)
    assert waits(story)["call"] == "requested"
    assert waits(story.report()) == {"third": "armed"}
    assert said(story, "call").outcome == "armed"
    [sent] = of(story).effects
    assert (sent.state, sent.repeats) == ("done", 1)


def test_N2_a_robot_that_nothing_started_is_told_and_so_is_one_whose_date_is_not_there() -> None:
    story = school(robot("call", CALL))
    later = school(f"{robot('call', CALL)}, {robot('new', CALL)}, {robot('day', CALL, start='{date: lesson}')}")
    found = account(history(story), story.lead, later.pipeline).waiting
    assert {(w.robot, w.why, w.field) for w in found} == {("new", "never", None), ("day", "date", "lesson")}
    assert said(later, "day").ru == "ждёт, пока на карточке заполнят «Занятие»"
    assert waits(later) == {"day": "date"}


def test_R6_each_way_a_robot_ends_is_told_with_its_reason() -> None:
    names = ("ran", "clause", "off", "late", "left")
    day, hour = "{delay: {days: 1}}", "{delay: {hours: 1}}"
    story = school(
        ", ".join(
            (
                robot("ran", "{tag: fresh}"),
                robot("clause", "{tag: rich}", when='"has(card.budget) && card.budget > 100"'),
                robot("off", "{tag: off}", start=day),
                robot("late", "{tag: late}", start=hour),
                robot("left", "{tag: left}", start=day),
            )
        )
    )
    story.given("record", fields={"budget": "90"}).until(seconds=1)
    off = next(a for a in story.lead.automation.armed.values() if a.robot == "off")
    story.given("cancel_robot", timer=off.timer, comment="не нужно")
    story.now += timedelta(hours=3)
    story.until(seconds=0)
    story.given("move", to="work")
    outs = {name: said(story, name) for name in names}
    assert {name: out.outcome for name, out in outs.items()} == {
        "ran": "ran", "clause": "skipped", "off": "cancelled", "late": "ran", "left": "cancelled",
    }  # fmt: skip
    assert outs["clause"].ru.endswith("условие не выполнено: «Бюджет» > 100; было: «Бюджет»: 90")
    assert (outs["clause"].clause, outs["clause"].values) == ("card.budget > 100", {"card.budget": "90.0"})
    assert outs["off"].en.endswith("a person cancelled it, anna: не нужно")
    assert (outs["late"].late_ms, outs["late"].en.rpartition(", ")[2]) == (7_201_000, "late by 2 h")
    assert outs["left"].ru.endswith("лид ушёл со стадии")
    assert outs["ran"].stage_titles.ru == "Новый"


def test_R6_a_follower_of_a_stage_that_was_left_waits_only_where_its_policy_says_so() -> None:
    for policy, expected in (
        ("cancel", {"call": "left"}),
        ("keep", {"call": "requested"}),
        ("run_now", {"call": "requested"}),
    ):
        story = school(f"{LETTER}, {robot('call', CALL, start='{after: letter}', on_leave=policy)}")
        story.until(seconds=1).given("move", to="work")
        assert waits(story) == expected, policy


def test_N4_what_still_waited_when_the_lead_left_the_stage_says_so() -> None:
    day = robot("day", CALL, start="{date: lesson}")
    story = school(f"{LETTER}, {BEHIND}, {robot('third', CALL, start='{after: call}')}, {day}")
    story.until(seconds=1).given("move", to="work").report()
    assert waits(story) == {"call": "left", "third": "left", "day": "left"}
    assert said(story, "call").ru == "не запущен: лид ушёл со стадии раньше, чем сработал робот ««letter»»"
    assert said(story, "day").en == "not started: while the lead stood in the stage, “Lesson” was not filled in"
    assert (said(story, "call").outcome, said(story, "call").waits_for) == ("not_started", None)
    story.given("move", to="new")
    assert said(story, "call").waits_for == "armed", "the new visit has robots of its own"
    story.given("undo")
    assert len([w for w in of(story).waiting if w.robot == "call"]) == 1, "a mistake is no visit"


def test_N4_an_answer_that_is_no_date_leaves_the_robot_waiting_for_one() -> None:
    follower = robot("after", CALL, start="{after: remind}")
    story = school(f"{robot('remind', CALL, start='{date: lesson}')}, {follower}", card={"lesson": "unknown"})
    assert waits(story) == {"remind": "date", "after": "armed"}


def test_N6_a_date_that_was_taken_off_the_card_is_waited_for_again() -> None:
    follower = robot("after", CALL, start="{after: remind}")
    story = school(f"{robot('remind', CALL, start='{date: lesson}')}, {follower}", card={"lesson": "2026-03-10"})
    story.given("record", fields={"lesson": ""})
    assert waits(story) == {"remind": "date", "after": "armed"}
    assert [out.outcome for out in told(story).robots if out.robot == "remind"] == ["cancelled", "waiting"]
    assert waits(story.given("record", fields={"lesson": "2026-03-11"})) == {"after": "armed"}


def test_N6_a_kept_robot_waits_for_another_date_also_where_its_stage_was_left() -> None:
    for policy, waits_for in (("keep", {"remind": "date"}), ("cancel", {}), ("run_now", {})):
        remind = robot("remind", CALL, start="{date: lesson, before: {days: 1}}", on_leave=policy)
        story = school(remind, card={"lesson": "2026-03-10"}).given("move", to="work")
        story.given("record", fields={"lesson": ""})
        assert waits(story) == waits_for, policy
        story.given("record", fields={"lesson": "2026-03-20"})
        due = [armed.due_at.date().isoformat() for armed in story.lead.automation.armed.values()]
        assert due == {"keep": ["2026-03-19"], "cancel": [], "run_now": ["2026-03-02"]}[policy]
        assert waits(story) == {}


def test_N5_an_imported_lead_says_that_an_import_starts_no_robots() -> None:
    story = school()
    [captured, entered, *_] = history(story)
    by_import = [captured, Recorded(entered.meta, entered.data.model_copy(update={"basis": "import"}))]
    found = account(by_import, story.lead, school(robot("call", CALL)).pipeline).waiting
    assert [(w.robot, w.why) for w in found] == [("call", "imported")]


def test_R3_why_a_robot_could_not_is_told_in_the_readers_language() -> None:
    story = school(LETTER)
    story.fill_fails, story.fill_fails_ru = "card.day has no value here", "у card.day здесь нет значения"
    out = said(story.until(seconds=1), "letter")
    assert out.ru.endswith("не смог: у card.day здесь нет значения")
    assert out.en.endswith(": card.day has no value here")


def test_N4_nowhere_to_write_to_is_told_by_what_is_lacking() -> None:
    story = school(f"{LETTER}, {robot('text', '{sms: place}')}, {robot('ads', '{audience: x, service: vk}')}")
    nobody = school(f"{LETTER}, {robot('text', '{sms: place}')}", email=None, phone=None).until(seconds=1)
    assert said(nobody, "letter").ru.endswith(": нет рабочего e-mail")
    assert said(nobody, "text").en.endswith(": there is no phone that works")
    story.wrong = {("email", "anna@example.org"): "wrong", ("phone", "+79161234567"): "wrong"}
    assert said(story.until(seconds=1), "ads").ru.endswith(": нет ни рабочего телефона, ни e-mail")


def letter_from(story: Robots) -> e.LetterReceived:
    return e.LetterReceived(
        inbound_id=uuid4(),
        account="school@example.org",
        received_at=story.now,
        email="anna@example.org",
        subject="Здравствуйте",
        text="Можно завтра?",
    )


def test_M5_triggers_say_who_was_first() -> None:
    stages = """
  - {id: new, titles: {ru: "Новый", en: "New"}, kind: open}
  - id: work
    titles: {ru: "В работе", en: "In work"}
    kind: open
    triggers: [{id: wrote, titles: {ru: "Написал", en: "Wrote"}, on: letter}]
  - id: hot
    titles: {ru: "Горячий", en: "Hot"}
    kind: open
    triggers: [{id: rich, titles: {ru: "Богат", en: "Rich"}, on: letter, when: "card.budget > 5", from_stages: [new]}]
"""
    story = Robots(pipeline_of(stages))
    story.arrives(letter_from(story))
    first, second = told(story).triggers
    assert (first.fired, first.to_stage, second.fired, second.reason) == (True, "work", False, "other_trigger")
    assert second.ru.endswith("не перевёл в «Горячий»: раньше сработал триггер «Написал»")


def test_C9_a_letter_that_came_back_says_so_and_undoes_nothing() -> None:
    story = school(LETTER).until(seconds=1).report(doubtful=True)
    [effect] = story.lead.automation.effects
    story.arrives(e.EffectBounced(effect=effect, inbound_id=uuid4(), status="5.1.1"))
    [out] = told(story).effects
    assert (out.state, out.bounced, out.doubtful) == ("done", "permanent", True)
    assert "вернулось" in out.ru
    assert "могло уйти дважды" in out.ru


@pytest.mark.parametrize(
    ("given_up", "what", "said"),
    [(True, "failed", "вернулось"), (False, "delayed", "задерживается"), (None, "delayed", "задерживается")],
)
def test_C9_a_letter_given_up_for_another_reason_is_not_told_as_held_up(
    given_up: bool | None, what: str, said: str
) -> None:
    story = school(LETTER).until(seconds=1).report()
    [effect] = story.lead.automation.effects
    story.arrives(
        e.EffectBounced(effect=effect, inbound_id=uuid4(), permanent=False, status="5.7.1", given_up=given_up)
    )
    [out] = told(story).effects
    assert (out.state, out.bounced) == ("done", what)
    assert said in out.ru


STEPS = st.lists(
    st.sampled_from(["time", "done", "failed", "repeat", "move", "back", "card", "refuse", "cancel"]), max_size=12
)


@given(STEPS)
def test_N4_whatever_happens_every_timer_is_told_once_and_as_the_lead_has_it(steps: Sequence[str]) -> None:
    when = robot("rich", "{tag: rich}", when='"card.budget > 100"', start="{delay: {hours: 2}}", on_leave="keep")
    story = school(f"{LETTER}, {BEHIND}, {when}", robot("second", "{sms: place}", start="{delay: {days: 1}}"))
    for step in steps:
        match step:
            case "time":
                story.until(hours=5)
            case "done" | "failed":
                story.report(step, **({"reason": "x"} if step == "failed" else {}))
            case "repeat":
                for effect in story.lead.automation.effects:
                    story.give("repeat", effect=effect)
            case "move" | "back":
                story.give("move", to="work" if step == "move" else "new")
            case "card":
                story.give("record", fields={"budget": "200"})
            case "refuse":
                story.refuse("email")
            case _:
                for armed in list(story.lead.automation.armed.values())[:1]:
                    story.given("cancel_robot", timer=armed.timer)
    found, now = of(story), story.lead.automation
    assert [run.armed.timer for run in found.runs] == [event.timer for event in story.of(e.RobotArmed)]
    assert {run.armed.timer for run in found.runs if run.closed is None} == set(now.armed)
    assert {s.requested.effect: s.state for s in found.effects} == {i: s.state for i, s in now.effects.items()}
    assert not {(w.visit, w.robot) for w in found.waiting} & {(a.visit, a.robot) for a in now.armed.values()}
    out = told(story)
    assert len(out.robots) == len(found.runs) + len(found.waiting)
    assert all(one.ru and one.en and one.ru != one.en for one in (*out.robots, *out.effects, *out.triggers))


def ledger(**more: Any) -> Told:
    """A row of the delivery's ledger."""
    known: dict[str, Any] = dict.fromkeys(field.name for field in fields(Told))
    return Told(**{**known, "state": "waiting", "attempts": 0, **more})


def test_R3_what_is_on_its_way_says_when_it_is_tried_next_and_why_not_yet() -> None:
    tell, at = Telling(Words("ru"), ZoneInfo("Europe/Moscow")), datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    assert on_the_way(ledger(), tell) == ""
    assert on_the_way(ledger(last_reason=NOT_CONFIGURED), tell) == "не настроен"
    tried = ledger(attempts=2, last_reason="timeout", expected_at=at, paused_until=at)
    assert on_the_way(tried, tell) == (
        "попыток: 2, последняя: timeout; сервис не тревожим до 02.03.2026 12:30; следующая попытка 02.03.2026 12:30"
    )

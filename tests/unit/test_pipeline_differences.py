"""What a new text of a pipeline changes, in words (M3, N26)."""

from __future__ import annotations

from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.pipeline import Pipeline
from services.pipelines.differences import Change, differences
from services.pipelines.language import PipelineError, read_pipeline
from services.pipelines.succession import Standing, objections

BEFORE = """
pipeline: shop
titles: {ru: "Магазин", en: "Shop"}
conversion_point: deal
groups: [{id: order, titles: {ru: "Заказ", en: "Order"}}]
fields:
  - {id: needs, titles: {ru: "Потребности", en: "Needs"}, group: order}
  - {id: colour, titles: {ru: "Цвет", en: "Colour"}, type: choice, options: [{id: red, titles: {ru: "Красный", en: "Red"}}, {id: blue, titles: {ru: "Синий", en: "Blue"}}]}
facts:
  - {id: visited, titles: {ru: "Был в салоне", en: "Came to the shop"}}
stages:
  - {id: new, titles: {ru: "Новый", en: "New"}, kind: open, exit: [{fact: seen}], mandatory: [needs]}
  - {id: talks, titles: {ru: "Переговоры", en: "Talks"}, kind: open, moves: [{to: deal}, {to: new}]}
  - {id: closing, titles: {ru: "Дожатие", en: "Closing"}, kind: open, desirable: [colour]}
  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won}
  - {id: price, titles: {ru: "Дорого", en: "Too dear"}, kind: lost, reasons: [{id: much, titles: {ru: "Много", en: "Much"}}]}
  - {id: later, titles: {ru: "Позже", en: "Later"}, kind: postponed}
"""  # noqa: E501


def changed(*replacements: tuple[str, str]) -> tuple[Change, ...]:
    """The changes of a text in which pieces were replaced."""
    text = BEFORE
    for old, new in replacements:
        assert old in text, old
        text = text.replace(old, new)
    return differences(read_pipeline(BEFORE), read_pipeline(text))


@pytest.mark.parametrize(
    ("replaced", "what", "at", "ru", "en"),
    [
        (('en: "New"}', 'en: "Fresh"}'), "stage_renamed", "new",
         "Стадия «Новый» теперь называется «Новый» (en: Fresh)", "Stage “New” is now called “Fresh”"),
        (('ru: "Дожатие"', 'ru: "Согласование"'), "stage_renamed", "closing",
         "Стадия «Дожатие» теперь называется «Согласование»", "Stage “Closing” is now called “Closing” (ru: Согласование)"),
        (("  - {id: deal,", '  - {id: trial, titles: {ru: "Проба", en: "Trial"}, kind: open}\n  - {id: deal,'),
         "stage_added", "trial", "Новая стадия «Проба» (trial, открытая)",
         "New stage “Trial” (trial, open)"),
        (('  - {id: later, titles: {ru: "Позже", en: "Later"}, kind: postponed}\n', ""), "stage_removed", "later",
         "Нет больше стадии «Позже» (later)", "No longer a stage: “Later” (later)"),
        (("exit: [{fact: seen}]", "exit: [{fact: seen}, {fact: visited}]"), "criterion_added", "new/fact:visited",
         "Стадия «Новый»: добавлен критерий выхода — Был в салоне", "Stage “New”: exit criterion added: Came to the shop"),
        (("exit: [{fact: seen}], ", ""), "criterion_removed", "new/fact:seen",
         "Стадия «Новый»: убран критерий выхода — менеджер увидел заявку",
         "Stage “New”: exit criterion removed: a manager has seen the lead"),
        (("mandatory: [needs]", "mandatory: [needs, colour]"), "mandatory_added", "new/colour",
         "Стадия «Новый»: добавлено обязательное поле «Цвет»", "Stage “New”: mandatory field added: “Colour”"),
        (("moves: [{to: deal}, {to: new}]", "moves: [{to: deal}]"), "move_removed", "talks/new",
         "Стадия «Переговоры»: переход в «Новый» убран", "Stage “Talks”: the move to “New” is removed"),
        (("moves: [{to: deal}, {to: new}]", "moves: [{to: deal, by: [head]}, {to: new}]"), "move_changed", "talks/deal",
         "Стадия «Переговоры»: переход в «Сделка» изменён", "Stage “Talks”: the move to “Deal” is changed"),
        (("kind: open, desirable: [colour]", "kind: open, by: [head], desirable: [colour]"), "stage_by", "closing",
         "Стадия «Дожатие»: изменено — кто может из неё перевести: было seller, head, стало head",
         "Stage “Closing”: changed: roles that may move a lead out of it: it was seller, head and is head"),
        (('en: "Much"}}]', 'en: "Much"}}, {id: far, titles: {ru: "Далеко", en: "Far"}}]'),
         "reason_added", "price/far", "Стадия «Дорого»: причина «Далеко»: добавлено", "Stage “Too dear”: reason “Far”: added"),
        (("group: order}", "type: number}"), "field_type", "needs",
         "Поле «Потребности»: изменено — тип: было text, стало number",
         "Field “Needs”: changed: type: it was text and is number"),
        ((', {id: blue, titles: {ru: "Синий", en: "Blue"}}', ""), "option_removed", "colour/blue",
         "Поле «Цвет»: вариант «Синий»: убрано", "Field “Colour”: option “Blue”: removed"),
        (("{id: visited, ", "{id: visited, holds: visit, "), "fact_holds", "visited",
         "Факт «Был в салоне»: изменено — на сколько он действует: было lead, стало visit",
         "Fact “Came to the shop”: changed: for how long it holds: it was lead and is visit"),
        (("conversion_point: deal", "conversion_point: closing"), "pipeline_conversion_point", "shop",
         "Воронка: изменено — точка конверсии: было deal, стало closing",
         "Pipeline: changed: conversion point: it was deal and is closing"),
    ],
)  # fmt: skip
def test_M3_each_change_is_told_in_both_languages(
    replaced: tuple[str, str], what: str, at: str, ru: str, en: str
) -> None:
    assert Change(what, at, ru, en) in changed(replaced)


def test_M3_another_order_of_stages_is_one_change() -> None:
    lines = BEFORE.splitlines(keepends=True)
    n = next(i for i, line in enumerate(lines) if "id: talks" in line)
    lines[n], lines[n + 1] = lines[n + 1], lines[n]
    found = differences(read_pipeline(BEFORE), read_pipeline("".join(lines)))
    assert [change.what for change in found] == ["stages_reordered"]
    assert "«Новый», «Дожатие», «Переговоры»" in found[0].ru


WITH_ROBOTS = """
pipeline: shop
titles: {ru: "Магазин", en: "Shop"}
conversion_point: deal
fields: [{id: visit, titles: {ru: "Визит", en: "Visit"}, type: date}]
terms: [{id: answer, titles: {ru: "Ответить", en: "Answer"}, period: {hours: 1, working: true}}]
templates:
  - {id: hello, titles: {ru: "Привет", en: "Hello"}, kind: email, ru: {subject: "а", text: "б"}, en: {subject: "a", text: "b"}}
stages:
  - id: new
    titles: {ru: "Новый", en: "New"}
    kind: open
    robots:
      - {id: greet, titles: {ru: "Написать", en: "Write"}, do: {email: hello}}
      - {id: call, titles: {ru: "Позвонить", en: "Call"}, start: {after: greet, delay: {days: 1}}, do: {plan: call, text: {ru: "Звонок", en: "Call"}, due: answer}}
  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won}
  - id: refused
    titles: {ru: "Отказ", en: "Refused"}
    kind: lost
    triggers: [{id: missed, titles: {ru: "Пропущен", en: "Missed"}, on: call_missed, when: "lead.visit > 3"}]
"""  # noqa: E501


@pytest.mark.parametrize(
    ("replaced", "what", "at", "ru", "en"),
    [
        (("start: {after: greet, delay: {days: 1}}", "start: {after: greet, delay: {days: 2}}"), "robot_start", "new/call",
         "Стадия «Новый»: робот «Позвонить»: изменено — когда запускается; было: через 1 день после робота «Написать»; "
         "стало: через 2 дня после робота «Написать»",
         "Stage “New”: robot “Call”: changed: when it starts; it was: 1 day after the robot “Write”; "
         "it is: 2 days after the robot “Write”"),
        (("hours: 1, working: true", "hours: 2, working: true"), "term_period", "answer",
         "Срок «Ответить»: было 1 рабочий час, стало 2 рабочих часа",
         "Term “Answer”: it was 1 working hour and is 2 working hours"),
        (("hours: 1, working: true", "hours: 2, working: true"), "robot_do", "new/call",
         "Стадия «Новый»: робот «Позвонить»: изменено — что делает; было: запланировать звонок: Звонок; срок — 1 рабочий час; "
         "стало: запланировать звонок: Звонок; срок — 2 рабочих часа",
         "Stage “New”: robot “Call”: changed: what it does; it was: plan a call: Call; due within 1 working hour; "
         "it is: plan a call: Call; due within 2 working hours"),
        (("do: {email: hello}}", "do: {email: hello}, when: 'has(card.visit)'}"), "robot_when", "new/greet",
         "Стадия «Новый»: робот «Написать»: изменено — условие; было: нет; стало: «Визит» заполнено",
         "Stage “New”: robot “Write”: changed: its condition; it was: none; it is: “Visit” is filled in"),
        (("do: {email: hello}}", "do: {email: hello}, on_leave: keep}"), "robot_on_leave", "new/greet",
         "Стадия «Новый»: робот «Написать»: изменено — если лид ушёл со стадии; было: отменяется; стало: остаётся",
         "Stage “New”: robot “Write”: changed: when the lead left the stage; it was: it is cancelled; it is: it stays"),
        (("      - {id: greet,", "      - {id: sale, titles: {ru: 'Сделка', en: 'Deal'}, start: {date: visit, "
          "before: {days: 1}}, do: {move: deal}}\n      - {id: greet,"), "robot_added", "new/sale",
         "Стадия «Новый»: робот «Сделка» добавлен: за 1 день до даты «Визит» — перевести в «Сделка»",
         "Stage “New”: robot “Deal” added: 1 day before the date “Visit”: move to “Deal”"),
        (("on: call_missed", "on: visit"), "trigger_on", "refused/missed",
         "Стадия «Отказ»: триггер «Пропущен»: изменено — чего ждёт; было: Клиент позвонил, никто не ответил; "
         "стало: Клиент зашёл на сайт",
         "Stage “Refused”: trigger “Missed”: changed: what it waits for; it was: The client called and nobody answered; "
         "it is: The client came to the site"),
        (('text: "б"', 'text: "в"'), "template_text", "hello/ru",
         "Шаблон «Привет»: изменено — текст (русский)", "Template “Hello”: changed: the text (Russian)"),
    ],
)  # fmt: skip
def test_M3_changes_of_robots_triggers_and_letters_are_told_in_words(
    replaced: tuple[str, str], what: str, at: str, ru: str, en: str
) -> None:
    assert replaced[0] in WITH_ROBOTS
    found = differences(read_pipeline(WITH_ROBOTS), read_pipeline(WITH_ROBOTS.replace(*replaced)))
    assert Change(what, at, ru, en) in found


def test_M3_a_new_stage_tells_its_robots_and_one_without_them_what_is_gone() -> None:
    text = read_pipeline(WITH_ROBOTS)
    new = [change.what for change in differences(None, text)]
    assert [new.count(what) for what in ("robot_added", "trigger_added", "template_added", "term_added")] == [
        2,
        1,
        1,
        1,
    ]
    bare = read_pipeline(
        "".join(
            line
            for line in WITH_ROBOTS.splitlines(True)
            if not line.strip().startswith(("robots:", "- {id: greet", "- {id: call"))
        )
    )
    gone = [change.what for change in differences(text, bare)]
    assert gone.count("robot_removed") == 2


def test_M3_a_new_pipeline_is_told_by_its_parts() -> None:
    whats = [change.what for change in differences(None, read_pipeline(BEFORE))]
    assert whats.count("stage_added") == 6
    assert {"pipeline_added", "group_added", "field_added", "fact_added"} <= set(whats)


def _bundled() -> list[Pipeline]:
    files = resources.files("contracts").joinpath("pipelines").iterdir()
    return [read_pipeline(file.read_text("utf-8"), file.name) for file in files if file.name.endswith(".yaml")]


def _variants(value: Any) -> list[Any]:
    """Plain data with one thing changed somewhere."""
    found: list[Any] = []
    if isinstance(value, dict):
        for name, inner in value.items():
            found += [{**value, name: other} for other in _variants(inner)]
            if name not in ("id", "pipeline", "titles", "ru", "en"):
                found.append({key: item for key, item in value.items() if key != name})
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            found += [[*value[:n], other, *value[n + 1 :]] for other in _variants(inner)]
            found.append([*value[:n], *value[n + 1 :]])
        if len(value) > 1:
            found.append([*value[1:], value[0]])
    elif isinstance(value, bool):
        found.append(not value)
    elif isinstance(value, str):
        found += [f"{value}_x", "head", "visit"]
    return found


def test_M3_two_texts_differ_in_nothing_exactly_when_there_is_no_change_to_tell() -> None:
    told = 0
    small = [read_pipeline(BEFORE), read_pipeline(WITH_ROBOTS)]
    for pipeline in (*small, *_bundled()):
        assert differences(pipeline, pipeline) == ()
        variants = _variants(pipeline.model_dump(mode="json"))
        for variant in variants if pipeline in small else variants[::11]:
            try:
                other = Pipeline.model_validate(variant)
            except ValueError:
                continue
            if other.pipeline != pipeline.pipeline:
                continue  # another pipeline is no next version of this one
            found = differences(pipeline, other)
            assert bool(found) == (other != pipeline), (found, variant)
            assert all(change.ru and change.en for change in found)
            told += 1
    assert told > 100


@given(st.data())
def test_N14_whatever_is_dropped_or_mapped_nobody_is_left_standing(data: st.DataObject) -> None:
    """Without objections every live lead has a stage of its own kind in the new text."""
    before = read_pipeline(BEFORE)
    ids = [stage.id for stage in before.stages]
    kept = data.draw(st.sets(st.sampled_from(ids[1:-3]), max_size=3))
    dropped = [f"  - {{id: {stage}," for stage in ids[1:3] if stage not in kept]
    text = (
        "".join(
            line for line in BEFORE.splitlines(keepends=True) if not any(line.startswith(begin) for begin in dropped)
        )
        .replace("{to: new}", "{to: deal}")
        .replace("moves: [{to: deal}, {to: deal}]", "moves: [{to: deal}]")
    )
    try:
        after = read_pipeline(text)
    except PipelineError:
        return
    counts = data.draw(st.dictionaries(st.sampled_from(ids), st.integers(0, 3)))
    standing = Standing({stage: {before.by_id[stage].kind: n} for stage, n in counts.items()})
    mapping = data.draw(st.dictionaries(st.sampled_from(ids), st.sampled_from(ids), max_size=3))
    if objections(after, [(1, before)], standing, mapping, adopt=True):
        return
    for stage, n in counts.items():
        if n and before.by_id[stage].kind != "won":
            to = mapping.get(stage, stage)
            assert after.by_id[to].kind == before.by_id[stage].kind

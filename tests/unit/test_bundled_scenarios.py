"""Every scenario of every bundled pipeline, played on the real rules: one test each, named by the scenario (M3)."""

from __future__ import annotations

import re

import pytest

from contracts.pipeline import Pipeline
from services.leads.scenarios import Scenario, Script, read_script, run_scenario, run_script
from services.pipelines import bundled
from services.pipelines.language import read_pipeline

FEATURE = re.compile(r"\b([A-Z]\d{1,2})\b")


def _read() -> list[tuple[Pipeline, Script]]:
    found = []
    for file in bundled.pipeline_files():
        pipeline = read_pipeline(file.read_text(encoding="utf-8"), file.name)
        scenarios = bundled.scenario_file(pipeline.pipeline)
        assert scenarios is not None, f"{file.name} has no scenarios"
        found.append((pipeline, read_script(scenarios.read_text(encoding="utf-8"), scenarios.name)))
    return found


def _id_of(pipeline: Pipeline, scenario: Scenario) -> str:
    """The place and the feature ids: pytest shows nothing but ASCII in a test's name."""
    return "-".join((pipeline.pipeline, str(scenario.line), *FEATURE.findall(scenario.name)))


BUNDLED = _read()
SCENARIOS = [(pipeline, script, scenario) for pipeline, script in BUNDLED for scenario in script.scenarios]


@pytest.mark.parametrize(
    ("pipeline", "script", "scenario"),
    [
        pytest.param(pipeline, script, scenario, id=_id_of(pipeline, scenario))
        for pipeline, script, scenario in SCENARIOS
    ],
)
def test_M3_bundled_scenario(pipeline: Pipeline, script: Script, scenario: Scenario) -> None:
    played = run_scenario(scenario, pipeline, script.language)
    assert played.ok, "\n".join((scenario.name, *played.lines(script.file, script.language)))


def test_M3_a_bundled_pipeline_is_named_by_its_id_and_its_scenarios_are_of_it() -> None:
    assert [pipeline.pipeline for pipeline, _ in BUNDLED] == [
        file.name.removesuffix(".yaml") for file in bundled.pipeline_files()
    ]
    assert {pipeline.pipeline for pipeline, _ in BUNDLED} == {
        "classic",
        "countertops",
        "english",
        "loans",
        "qualification",
        "services",
        "trial_lesson",
    }
    for pipeline, script in BUNDLED:
        assert script.pipeline == pipeline.pipeline
        run_script(script, pipeline)


def test_M3_scenarios_are_not_taken_for_pipelines() -> None:
    assert all(file.name.endswith(".yaml") and file.is_file() for file in bundled.pipeline_files())


def test_M3_every_scenario_file_stands_beside_a_pipeline() -> None:
    stems = {file.name.removesuffix(".txt") for file in bundled.folder().joinpath(bundled.SCENARIOS).iterdir()}
    assert stems == {pipeline.pipeline for pipeline, _ in BUNDLED}


@pytest.mark.parametrize(
    ("pipeline", "features"),
    [
        ("classic", {"S1", "S2", "S3", "S4", "C1", "C2", "C3"}),
        ("countertops", {"Q1", "Q2", "Q3", "Q4", "Q6", "Q7", "Q8", "S2", "S3", "C1", "P4"}),
        (
            "services",
            {"P3", "P4", "P5", "P6", "P7", "P9", "P10", "S1", "S3", "S4", "C1", "C3", "C5", "C7", "K2", "N12"},
        ),
        ("english", {"C1", "C2", "C6", "C7", "C9", "P4"}),
        ("qualification", {"C1", "C2", "C7", "C8"}),
        ("trial_lesson", {"C1", "C6", "C7"}),
    ],
)
def test_M3_each_rule_of_the_texts_has_a_scenario(pipeline: str, features: set[str]) -> None:
    script = next(script for known, script in BUNDLED if known.pipeline == pipeline)
    named = {feature for scenario in script.scenarios for feature in FEATURE.findall(scenario.name)}
    assert features <= named


def _stage_pairs(pipeline: Pipeline) -> set[tuple[str, str]]:
    return {(stage.id, move.to) for stage in pipeline.stages for move in stage.moves or ()}


def test_P3_P4_every_stated_move_of_the_nine_statuses_is_made_in_a_scenario() -> None:
    pipeline, script = next(pair for pair in BUNDLED if pair[0].pipeline == "services")
    made: set[tuple[str, str]] = set()
    for scenario in script.scenarios:
        made |= run_scenario(scenario, pipeline, script.language).moves
    assert _stage_pairs(pipeline) <= made
    postponed_from = {before for before, stage in made if stage == "postponed"}
    assert postponed_from == {stage.id for stage in pipeline.stages if stage.kind == "open"}


BROKEN = [
    ("services", "moves: [{to: development, auto: true}]", "moves: [{to: development}]", "лид уходит дальше сам"),
    ("services", "seller_after: {months: 12}", "seller_after: {months: 10}", "раньше года не возвращает"),
    ("services", "needs: [{fact: interest_won_again}]", "needs: []", "когда заинтересовали заново"),
    ("services", "        opens: [closing]\n", "", "ведёт в дожатие, и только туда"),
    ("services", "    holds: visit\n", "    holds: lead\n", "заинтересовывают заново"),
    (
        "countertops",
        "mandatory: [dimensions, material, budget,",
        "mandatory: [dimensions, material,",
        "обязательное поле",
    ),
    ("english", "moves: [{to: deal, auto: true}]", "moves: [{to: deal}]", "сам становится сделкой"),
    ("qualification", 'reaction to us"}, proposes: poor}', 'reaction to us"}}', "Негативная реакция"),
    ("english", "period: {hours: 1, working: true}", "period: {hours: 2, working: true}", "в обещанный рабочий час"),
    ("english", "        start: {after: thanks}\n", "", "ждёт его, и письмо уходит одно"),
    ("english", "        when_predecessor_did_not_run: run\n", "", "перезвонить всё равно надо"),
    (
        "english",
        'when: "lead.attempts >= 3"\n        do: {reject',
        'when: "lead.attempts >= 0"\n        do: {reject',
        "Никто не звонил",
    ),
    ("english", 'when: "lead.attempts >= 5"', 'when: "lead.attempts >= 4"', "Пять звонков"),
    ("qualification", "start: {delay: {months: 1}}", "start: {delay: {months: 2}}", "Месяц без ответа"),
    (
        "services",
        "        start: {delay: {days: 14}, in_hours: true}\n        once: person\n",
        "        start: {delay: {days: 14}}\n",
        "каждое один раз",
    ),
    ("services", "    marketing: true\n", "", "Кто отказался от рекламы"),
    ("services", "start: {day: 12-29}", "start: {day: 12-31}", "С Новым годом"),
    ("services", "        when: \"lead.outcome == 'contact'\"\n", "", "Кто просил не обращаться"),
    ("services", "every: {months: 3}", "every: {months: 4}", "поддерживают снова и снова"),
    ("classic", "final: true", "final: false", "только руководитель"),
]


@pytest.mark.parametrize(("name", "there", "instead", "scenario"), BROKEN, ids=[f"{b[0]}: {b[2]}" for b in BROKEN])
def test_M3_a_pipeline_that_changes_its_meaning_fails_its_scenarios(
    name: str, there: str, instead: str, scenario: str
) -> None:
    file, scenarios = bundled.pipeline_file(name), bundled.scenario_file(name)
    assert file is not None
    assert scenarios is not None
    text = file.read_text(encoding="utf-8")
    assert there in text
    script = read_script(scenarios.read_text(encoding="utf-8"), scenarios.name)
    played = run_script(script, read_pipeline(text.replace(there, instead), file.name))
    failed = [one.scenario.name for one in played if not one.ok]
    assert any(scenario in one for one in failed)


NINE = (
    *("Объект", "Разработка лида", "Контакт/ заинтересовать", "Подготовка ко встрече", "Встреча", "Дожатие сделки"),
    *("Успешно реализовано", "Закрыто не реализовано", "Отложено"),
)


def test_P1_the_nine_statuses_are_bundled_in_their_order() -> None:
    services = next(pipeline for pipeline, _ in BUNDLED if pipeline.pipeline == "services")
    assert tuple(stage.titles.ru for stage in services.stages) == NINE


@pytest.mark.parametrize("pipeline", [pipeline for pipeline, _ in BUNDLED], ids=lambda pipeline: pipeline.pipeline)
def test_P8_every_open_stage_says_the_sellers_next_step_and_what_the_client_is_to_do(pipeline: Pipeline) -> None:
    if pipeline.pipeline == "loans":
        assert not any(stage.next_step for stage in pipeline.stages), "states of a log, not a seller's work"
        return
    silent = [s.id for s in pipeline.stages if s.kind == "open" and not (s.next_step and s.client)]
    assert silent == []

"""Every rule of the linter: what it flags, and what looks like it and is right (S4, S5, S3, Q11, N3, N10, N26)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from contracts.pipeline import Pipeline
from services.pipelines.lexicons import bundled
from services.pipelines.linting.case import Settings
from services.pipelines.linting.history import History, Passing, Stay, Swing
from services.pipelines.linting.linter import lint_teams
from services.pipelines.linting.rules import LINT_RULES, RULES_BY_ID
from tests.unit.linting.automation_cases import FLAGGED_ROBOTS, RIGHT_ROBOTS, robot, trigger
from tests.unit.linting.deadline_cases import FLAGGED_DEADLINES, RIGHT_DEADLINES
from tests.unit.linting.pipelines import LOST, WON, findings, named, pipeline, stage, stages_of, titles

SEEN: list[dict[str, Any]] = [{"fact": "seen"}]
FIELD = {"id": "size", "titles": titles("Размеры")}
HIDDEN = {"id": "size", "titles": titles("Размеры"), "by": []}
CHOICE = {
    "id": "glass",
    "titles": titles("Стекло"),
    "type": "choice",
    "options": [{"id": "single", "titles": titles("Одно")}, {"id": "double", "titles": titles("Два")}],
}
PAUSED = stage("paused", "Отложен", "postponed", "Paused")
MEETING = {
    "id": "meeting_held",
    "titles": titles("встреча"),
    "options": [
        {"id": "yes", "titles": titles("да"), "opens": ["won"]},
        {"id": "no", "titles": titles("нет"), "opens": ["s0"]},
    ],
}


def fields(count: int) -> dict[str, Any]:
    """A card of so many fields, all mandatory in the stage."""
    return {"fields": [{"id": f"f{n}", "titles": titles(f"Поле {n}")} for n in range(count)]}


def asking(count: int) -> dict[str, Any]:
    """A stage that asks for so many fields."""
    return stage("s0", mandatory=[f"f{n}" for n in range(count)])


def when(text: str, **more: Any) -> Pipeline:
    """A pipeline with one conditional criterion."""
    return pipeline(stage("s0", exit=[{"field": "size", "when": text}]), fields=[FIELD, CHOICE], **more)


def auto(to: str, *needs: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An automatic move."""
    return {"to": to, "auto": True, "needs": list(needs), **more}


OWN = {"id": "agreed", "titles": titles("договорились")}
OWN_VISIT = {**OWN, "holds": "visit"}


def given_to(*rules: dict[str, Any], team: str = "sales", **more: Any) -> Pipeline:
    """A pipeline that gives its leads to teams."""
    ruled = [{"id": f"r{n}", "titles": titles("Правило"), **rule} for n, rule in enumerate(rules)]
    return named("Новый", "В обработке", assignment={"team": team, "rules": ruled}, **more)


TEAMS = frozenset({"sales", "south"})


FLAGGED: dict[str, list[Pipeline]] = {
    "S5.stage_count": [
        named(*["Объект"] * 7),
        pipeline(*[stage(f"s{n}") for n in range(6)], PAUSED),
    ],
    "S5.order": [
        named("Новый", "Оплата", "Предложение"),
        named("В обработке", "Новый лид", "Предложение", "Новый"),
        named("Новый", "Договор", "Выявление потребности"),
        pipeline(stage("s0"), WON, stage("s1"), LOST),
        named(("Объект", "Lead"), ("Объект", "Contract"), ("Объект", "Needs analysis")),
    ],
    "S5.overlap_titles": [named("Уточнение информации", "Выяснение деталей"), named("В работе", "В обработке")],
    "S5.overlap_criteria": [
        pipeline(stage("s0", exit=[{"field": "size"}]), stage("s1", mandatory=["size"]), fields=[FIELD]),
        pipeline(stage("s0", exit=[{"contact": "phone"}]), stage("s1", exit=[{"contact": "reachable"}])),
        pipeline(stage("s0", exit=SEEN), stage("s1", exit=[{"fact": "accepted"}]), stage("s2", exit=SEEN)),
        pipeline(stage("s0", exit=[{"fact": "approved"}]), stage("s1", exit=[{"fact": "approved"}])),
        pipeline(
            stage("s0", exit=[{"fact": "document_sent", "value": "brief"}]),
            stage("s1", exit=[{"fact": "document_sent"}]),
        ),
    ],
    "S5.prepared_and_sent": [
        named("Подготовлено КП", "Отправлено КП"),
        named("Подготовка договора", "Отправка договора"),
        named(("Объект", "Proposal prepared"), ("Объект", "Proposal sent")),
    ],
    "S4.action_title": [named("Перезвонить"), named(("Объект", "Send quote"))],
    "S5.outcome_title": [named("Новый", "Отказ"), named("Новый", ("Объект", "Closed lost"))],
    "S5.mixed_style": [named("В обработке", "Согласование", "КП отправлено")],
    "S5.no_exit_criterion": [
        pipeline(stage("s0")),
        pipeline(stage("s0", moves=[{"to": "won", "needs": SEEN}, {"to": "s1"}]), stage("s1", exit=SEEN)),
        pipeline(stage("s0", exit=SEEN, moves=[{"to": "won", "instead_of_exit": True}])),
    ],
    "S4.activity_as_criterion": [
        pipeline(stage("s0", exit=[{"fact": "call_held"}]), stage("s1")),
        pipeline(stage("s0", exit=[{"fact": "document_sent", "value": "brief"}, {"fact": "task_done"}]), stage("s1")),
        pipeline(stage("s0", moves=[{"to": "s1", "needs": [{"fact": "task_done"}]}]), stage("s1")),
    ],
    "S5.idle_stage": [pipeline(stage("s0"))],
    "S5.criterion_never_holds": [
        pipeline(stage("s0", exit=[{"fact": "agreed"}]), facts=[{**OWN, "by": []}]),
        pipeline(stage("s0", exit=[{"fact": "agreed", "value": "yes"}]), facts=[OWN]),
        pipeline(stage("s0", exit=[{"fact": "meeting_held", "value": "good"}])),
        pipeline(stage("s0", exit=[{"fact": "task_done", "value": "brief"}])),
        pipeline(
            stage("s0", exit=[{"fact": "meeting_held", "value": "yes"}, {"fact": "meeting_held", "value": "no"}]),
            facts=[
                {**MEETING, "options": [{"id": "yes", "titles": titles("да")}, {"id": "no", "titles": titles("нет")}]}
            ],
        ),
        pipeline(stage("s0", exit=[{"fact": "answer"}]), stage("s1")),
        pipeline(stage("s0", exit=[{"fact": "answer", "value": "refusal"}])),
        pipeline(
            stage(
                "s0",
                exit=[{"fact": "answer", "value": "consent"}],
                moves=[{"to": "won", "needs": [{"fact": "answer", "value": "refusal"}]}],
            )
        ),
    ],
    "S5.invalid_condition": [
        when("card.size =="),
        when("card.colour == 'red'"),
        when("facts.measured"),
        when("budget > 1"),
        when("lead.shoe_size == 42"),
        pipeline(stage("s0", robots=[robot("r0", {"tag": "hot"}, when="card.nothing == 'x'")])),
        pipeline(stage("s0"), stage("lost", "Отказ", "lost", "Refused", triggers=[trigger("t0", when="facts.gone")])),
        pipeline(stage("s0", moves=[{"to": "won", "when": "((", "needs": SEEN}])),
        pipeline(stage("s0", mandatory=[{"field": "size", "when": "1 +"}]), fields=[FIELD]),
    ],
    "S5.constant_condition": [
        when("false"),
        when("1 > 2"),
        when("true"),
        when("card.glass == 'triple'"),
        when("card.glass == 'single' && card.glass == 'double'"),
        when("card.size == 'x' && 1 > 2"),
        when("facts.answer == 'maybe'"),
        pipeline(stage("s0", robots=[robot("r0", {"move": "won"}, when="1 > 2")])),
        pipeline(stage("s0"), stage("lost", "Отказ", "lost", "Refused", triggers=[trigger("t0", when="true")])),
    ],
    "S5.not_editable": [
        pipeline(stage("s0", mandatory=["size"]), fields=[HIDDEN]),
        pipeline(stage("s0", desirable=["size"]), fields=[HIDDEN]),
        pipeline(stage("s0", exit=[{"field": "size"}]), fields=[HIDDEN]),
        pipeline(stage("s0", moves=[{"to": "won", "needs": [{"field": "size"}]}]), fields=[HIDDEN]),
    ],
    "Q5.review_that_deletes": [
        pipeline(stage("s0"), stage("gone", "Неверные данные", "lost", "Bad data", outcome="bad_data", review=True)),
    ],
    "Q11.mandatory_fields": [pipeline(asking(11), **fields(11))],
    "S5.unreachable": [
        pipeline(stage("s0", moves=[{"to": "s2"}]), stage("s1"), stage("s2", moves=[{"to": "won"}])),
        pipeline(stage("s0", outcomes=["lost"]), PAUSED),
        pipeline(stage("s0", moves=[{"to": "s1", "when": "1 > 2"}, {"to": "won"}]), stage("s1")),
    ],
    "S5.dead_end": [
        pipeline(stage("s0", moves=[{"to": "s1"}, {"to": "won"}]), stage("s1", moves=[])),
        pipeline(stage("s0", moves=[{"to": "s1"}, {"to": "won"}]), stage("s1", by=[])),
        pipeline(
            stage("s0", moves=[{"to": "s1"}, {"to": "won"}]),
            stage("s1", moves=[{"to": "s2"}]),
            stage("s2", moves=[{"to": "s1"}]),
        ),
    ],
    "S5.result_leads_nowhere": [
        pipeline(stage("s0"), stage("s1", exit=[{"fact": "meeting_held"}], moves=[{"to": "won"}]), facts=[MEETING]),
    ],
    "S3.cannot_be_rejected": [
        pipeline(stage("s0", outcomes=["paused"]), PAUSED),
        Pipeline.model_validate(
            {"pipeline": "p", "titles": titles("В"), "conversion_point": "won", "stages": [stage("s0"), WON, PAUSED]}
        ),
    ],
    "N10.no_way_back": [pipeline(stage("s0"), stage("s1", moves=[{"to": "won"}]))],
    "N26.automatic_at_once": [
        pipeline(
            stage("s0", exit=[{"contact": "phone"}]),
            stage("s1", exit=[{"contact": "reachable"}], moves=[auto("won"), {"to": "s0"}]),
        ),
    ],
    "N3.automatic_loop": [
        pipeline(
            stage("s0", moves=[auto("s1", {"fact": "agreed"}), {"to": "won"}]),
            stage("s1", moves=[auto("s0", {"fact": "seen"})]),
            facts=[OWN],
        ),
    ],
    **FLAGGED_ROBOTS,
    **FLAGGED_DEADLINES,
    "C4.unknown_team": [
        given_to(team="east"),
        given_to({"team": "north"}),
        given_to({"team": "south"}, {"team": "west"}),
    ],
    "S5.short_lived": [named("Новый", "В обработке")],
    "S5.skipped": [named("Новый", "В обработке")],
    "S5.ping_pong": [named("Новый", "В обработке")],
    "S5.expected_is_gone": [
        named("Новый", expected_findings=[{"rule": "S5.order", "why": titles("так надо")}]),
        named(
            "Перезвонить", expected_findings=[{"rule": "S4.action_title", "stage": "won", "why": titles("так надо")}]
        ),
        named("Новый", expected_findings=[{"rule": "S5.colour", "why": titles("так надо")}]),
    ],
}
BAD_PAST = History(
    stays={"s0": Stay(20, 599.9), "s1": Stay(100, 86_400)},
    passings={"s1": Passing(20, 10)},
    swings={("s0", "s1"): Swing(20, 4)},
)
GOOD_PAST = History(
    stays={"s0": Stay(20, 600), "s1": Stay(19, 3), "won": Stay(1_000, 0.5)},
    passings={"s1": Passing(20, 9), "s0": Passing(19, 19), "won": Passing(100, 100)},
    swings={("s0", "s1"): Swing(20, 3), ("s0", "gone"): Swing(100, 100), ("s1", "won"): Swing(100, 100)},
)
RIGHT: dict[str, list[Pipeline]] = {
    "S5.stage_count": [
        named(*["Объект"] * 5),
        pipeline(*[stage(f"s{n}") for n in range(5)], *[stage(f"l{n}", "Отказ", "lost", "Lost") for n in range(9)]),
    ],
    "S5.order": [
        named("Новый", "В обработке", "Предложение", "Дожатие"),
        named("Новый", "Предложение", "Переговоры", "Договор", "Оплата"),
        named(
            "Объект", "Разработка лида", "Контакт/ заинтересовать", "Подготовка ко встрече", "Встреча", "Дожатие сделки"
        ),
        named("Новый", "Переговоры", "Предложение"),
    ],
    "S5.overlap_titles": [
        named("Подготовка ко встрече", "Встреча"),
        named("Согласование договора", "Договор согласован"),
        named("Выявление потребности", "Квалификация"),
    ],
    "S5.overlap_criteria": [
        pipeline(
            stage("s0", exit=[{"field": "size", "when": "facts.seen"}]), stage("s1", mandatory=["size"]), fields=[FIELD]
        ),
        pipeline(stage("s0", exit=[{"contact": "reachable"}]), stage("s1", exit=[{"contact": "phone"}])),
        pipeline(stage("s0", exit=[{"fact": "agreed"}]), stage("s1", exit=[{"fact": "agreed"}]), facts=[OWN_VISIT]),
        pipeline(  # nobody need have come through s0
            stage(
                "s0",
                exit=[{"contact": "phone"}],
                moves=[{"to": "s1"}, {"to": "s2", "instead_of_exit": True, "needs": SEEN}],
            ),
            stage("s1", exit=[{"field": "size"}]),
            stage("s2", exit=[{"contact": "phone"}]),
            fields=[FIELD],
        ),
    ],
    "S5.prepared_and_sent": [
        named("Подготовка КП", "КП отправлено"),
        named("Подготовлен проект", "Отправлено КП"),
        named("Подготовлено КП", "КП согласовано"),
    ],
    "S4.action_title": [named("Новый", "Встреча", "Замер", "Переговоры")],
    "S5.outcome_title": [named("Новый", "Дожатие сделки")],
    "S5.mixed_style": [named("Новый", "Обработан", "КП отправлено"), named("Новый", "Перезвонить", "В обработке")],
    "S5.no_exit_criterion": [
        pipeline(stage("s0", exit=SEEN)),
        pipeline(stage("s0", mandatory=["size"]), fields=[FIELD]),
        pipeline(stage("s0", moves=[{"to": "won", "needs": SEEN}])),
    ],
    "S4.activity_as_criterion": [
        pipeline(stage("s0", exit=[{"fact": "call_held"}, {"contact": "name"}]), stage("s1")),
        pipeline(stage("s0", exit=[{"fact": "call_held"}])),
        pipeline(stage("s0", exit=[{"fact": "meeting_held"}]), stage("s1")),
    ],
    "S5.idle_stage": [
        pipeline(stage("s0", limit={"after": {"days": 1}})),
        pipeline(stage("s0", steps=[titles("Позвонить")])),
        pipeline(stage("s0", robots=[robot("r0", {"tag": "hot"})])),
        pipeline(stage("s0"), stage("lost", "Отказ", "lost", "Refused", triggers=[trigger("t0", from_stages=["s0"])])),
    ],
    "S5.criterion_never_holds": [
        pipeline(stage("s0", exit=[{"fact": "agreed"}]), facts=[OWN]),
        pipeline(stage("s0", exit=[{"fact": "answer", "value": "consent"}])),
        pipeline(stage("s0", exit=[{"fact": "answer"}])),
        pipeline(
            stage("s0", exit=[{"fact": "call_held"}]), facts=[{"id": "call_held", "titles": titles("звонок"), "by": []}]
        ),
        pipeline(
            stage(
                "s0", exit=[{"fact": "document_sent", "value": "brief"}, {"fact": "document_sent", "value": "contract"}]
            )
        ),
        pipeline(
            stage(
                "s0",
                exit=[{"fact": "meeting_held", "value": "yes"}],
                moves=[
                    {"to": "won"},
                    {"to": "s1", "instead_of_exit": True, "needs": [{"fact": "meeting_held", "value": "no"}]},
                ],
            ),
            stage("s1"),
            facts=[MEETING],
        ),
    ],
    "S5.invalid_condition": [when("card.glass == 'double' && facts.answer == 'consent' && lead.stage == 's0'")],
    "S5.constant_condition": [
        when("card.glass == 'double'"),
        when("card.glass == 'double' || 1 > 2"),
        when("card.size == '1 > 2'"),
        when("card.glass == 'single' && card.size == 'single'"),
    ],
    "S5.not_editable": [
        pipeline(stage("s0", mandatory=["size"]), fields=[{**FIELD, "by": ["head"]}]),
        pipeline(stage("s0"), fields=[HIDDEN]),
    ],
    "Q5.review_that_deletes": [
        pipeline(stage("s0"), stage("poor", "Некачественный", "lost", "Poor", outcome="ads", review=True)),
        pipeline(stage("s0"), stage("gone", "Неверные данные", "lost", "Bad data", outcome="bad_data")),
    ],
    "Q11.mandatory_fields": [pipeline(asking(10), **fields(11))],
    "S5.unreachable": [
        pipeline(stage("s0"), stage("s1"), PAUSED),
        pipeline(stage("s0"), stage("p", "Отложен", "postponed", "Paused", moves=[{"to": "s1"}]), stage("s1")),
        pipeline(
            stage("s0", moves=[{"to": "won"}]),
            stage("s1", moves=[{"to": "won"}]),
            stage("lost", "Отказ", "lost", "Refused", reopen={"to": "s1"}),
        ),
        Pipeline.model_validate(
            {
                "pipeline": "p",
                "titles": titles("В"),
                "conversion_point": "won",
                "won_moves": "free",
                "stages": [stage("s0", moves=[{"to": "won"}]), WON, stage("paid", "Оплачено", "won", "Paid"), LOST],
            }
        ),
    ],
    "S5.dead_end": [
        pipeline(stage("s0", by=[], exit=SEEN, moves=[auto("won")])),
        pipeline(stage("s0", by=[], exit=SEEN, robots=[robot("r0", {"move": "won"})])),
        pipeline(
            stage("s0", by=[], exit=SEEN), stage("won", "Сделка", "won", "Deal", triggers=[trigger("t0", on="visit")])
        ),
        pipeline(stage("s0", moves=[{"to": "s1"}, {"to": "won"}]), stage("s1", moves=[{"to": "s0"}])),
    ],
    "S5.result_leads_nowhere": [
        pipeline(
            stage("s0"),
            stage("s1", exit=[{"fact": "meeting_held"}], moves=[{"to": "won"}, {"to": "s0"}]),
            facts=[MEETING],
        ),
    ],
    "S3.cannot_be_rejected": [pipeline(stage("s0", outcomes=["lost"]), PAUSED)],
    "N10.no_way_back": [
        pipeline(stage("s0"), stage("s1")),
        pipeline(stage("s0", moves=[{"to": "won"}])),
        pipeline(stage("s0"), stage("s1", moves=[{"to": "won"}, {"to": "s0"}])),
    ],
    "N26.automatic_at_once": [
        pipeline(stage("s0", exit=SEEN), stage("s1", exit=[{"contact": "phone"}], moves=[auto("won")])),
    ],
    "N3.automatic_loop": [
        pipeline(
            stage("s0", moves=[auto("s1", {"fact": "agreed"}), {"to": "won"}]),
            stage("s1", moves=[auto("s0", {"fact": "seen"})]),
            facts=[OWN_VISIT],
        ),
        pipeline(stage("s0", moves=[auto("s1", {"fact": "seen"})]), stage("s1", moves=[{"to": "s0"}, {"to": "won"}])),
    ],
    **RIGHT_ROBOTS,
    **{rule: right for rule, right in RIGHT_DEADLINES.items() if rule != "S5.idle_stage"},
    "C4.unknown_team": [named("Новый"), given_to(), given_to({"team": "south"}, {}, team="south")],
    "S5.short_lived": [named("Новый", "В обработке")],
    "S5.skipped": [named("Новый", "В обработке")],
    "S5.ping_pong": [named("Новый", "В обработке")],
    "S5.expected_is_gone": [
        named("Перезвонить", expected_findings=[{"rule": "S4.action_title", "stage": "s0", "why": titles("так надо")}]),
        named("Новый", expected_findings=[{"rule": "S5.skipped", "why": titles("так надо")}]),
    ],
}


def cases(table: dict[str, list[Pipeline]]) -> list[Any]:
    """(rule, pipeline) for each pipeline of a table."""
    return [pytest.param(rule, given, id=f"{rule}-{n}") for rule, some in table.items() for n, given in enumerate(some)]


def test_S5_every_rule_is_tried_both_ways() -> None:
    assert set(FLAGGED) == set(RIGHT) == set(RULES_BY_ID)


@pytest.mark.parametrize(("rule", "given"), cases(FLAGGED))
def test_S5_what_a_rule_flags(rule: str, given: Pipeline) -> None:
    found = findings(given, rule, BAD_PAST if RULES_BY_ID[rule].of_history else None, teams=TEAMS)
    assert len(found) >= 1
    for finding in found:
        assert finding.severity == RULES_BY_ID[rule].severity
        assert finding.said.ru.strip()
        assert finding.said.en.strip()
        assert (finding.why, finding.mend) == (RULES_BY_ID[rule].why, RULES_BY_ID[rule].mend)
        assert finding.stages == () or set(finding.stages) <= set(given.by_id)
        node: Any = given.model_dump()
        for step in finding.path:
            node = node[step]


@pytest.mark.parametrize(("rule", "given"), cases(RIGHT))
def test_S5_what_looks_alike_and_is_right(rule: str, given: Pipeline) -> None:
    assert findings(given, rule, GOOD_PAST if RULES_BY_ID[rule].of_history else None, teams=TEAMS) == []


def test_S5_ids_are_unique_and_every_rule_speaks_both_languages() -> None:
    assert len({rule.id for rule in LINT_RULES}) == len(LINT_RULES)
    for rule in LINT_RULES:
        for said in (rule.what, rule.why, rule.mend):
            assert said.ru.strip()
            assert said.en.strip()
            assert said.ru[-1] == said.en[-1] == "."


def test_S5_lines_are_drawn_by_settings() -> None:
    scale = named("Новый", "В обработке")
    assert findings(scale, "S5.stage_count", settings=Settings(stages=2))
    assert findings(scale, "S5.short_lived", GOOD_PAST, Settings(short_visit=timedelta(minutes=11)))
    assert findings(scale, "S5.skipped", GOOD_PAST, Settings(skipped_share=0.4))
    assert findings(scale, "S5.ping_pong", GOOD_PAST, Settings(swing_share=0.1))
    assert findings(scale, "S5.short_lived", GOOD_PAST, Settings(enough=1))
    assert findings(pipeline(asking(3), **fields(3)), "Q11.mandatory_fields", settings=Settings(mandatory=2))


def test_C4_a_team_that_was_never_published_is_told_where_the_teams_are_known() -> None:
    there, rule = TEAMS, "C4.unknown_team"
    north = given_to({"team": "south"}, {}, {"team": "north"})
    assert findings(north, rule) == [], "from the file alone nobody knows"
    [found] = findings(north, rule, teams=there)
    assert (found.path, found.severity, found.fails) == (("assignment", "rules", 2, "team"), "warning", True)
    assert found.said.ru == "команды «north» нет, её лиды будут ждать в пуле; есть: sales, south"
    assert found.said.en == "there is no team “north”, its leads would wait in the pool; there are: sales, south"
    assert [f.path for f in findings(given_to(team="east"), rule, teams=there)] == [("assignment", "team")]
    assert findings(given_to({"team": "south"}), rule, teams=there) == []
    assert findings(named("Новый", "В обработке"), rule, teams=frozenset()) == []
    assert list(lint_teams(north, bundled(), there)) == [found], "before it is published, this alone"


def test_C4_a_team_that_comes_later_can_be_expected() -> None:
    expected = [{"rule": "C4.unknown_team", "why": {"ru": "наберём в марте", "en": "hired in March"}}]
    given = given_to(team="east", expected_findings=expected)
    [found] = findings(given, "C4.unknown_team", teams=frozenset({"sales"}))
    assert not found.fails
    assert findings(given, "S5.expected_is_gone") == [], "nobody looked at the teams"
    assert [f.path for f in findings(given, "S5.expected_is_gone", teams=frozenset({"east"}))] == [
        ("expected_findings", 0)
    ]


def test_S5_history_is_told_only_where_there_is_one() -> None:
    scale = named("Новый", "В обработке")
    assert not [f for f in findings(scale) if RULES_BY_ID[f.rule].of_history]
    assert {f.rule for f in findings(scale, None, BAD_PAST)} >= {"S5.short_lived", "S5.skipped", "S5.ping_pong"}


def test_S5_an_expected_finding_is_told_and_fails_nothing() -> None:
    reason = {"ru": "так её зовут все", "en": "everyone calls it so"}
    given = named(
        "Перезвонить", "Отправить КП", expected_findings=[{"rule": "S4.action_title", "stage": "s0", "why": reason}]
    )
    found = {finding.stages: finding for finding in findings(given, "S4.action_title")}
    assert found["s0",].expected == (reason["ru"], reason["en"])
    assert not found["s0",].fails
    assert found["s1",].expected is None
    assert found["s1",].fails
    assert not findings(given, "S5.expected_is_gone")


def test_S5_an_expected_rule_without_a_stage_means_all_its_findings() -> None:
    given = named("Перезвонить", "Отправить КП", expected_findings=[{"rule": "S4.action_title", "why": titles("так")}])
    assert all(finding.expected for finding in findings(given, "S4.action_title"))


def test_S5_an_expected_finding_of_history_is_missed_only_where_there_is_one() -> None:
    given = named("Новый", "В обработке", expected_findings=[{"rule": "S5.skipped", "why": titles("так")}])
    assert not findings(given, "S5.expected_is_gone")
    assert findings(given, "S5.expected_is_gone", GOOD_PAST)
    assert not findings(given, "S5.expected_is_gone", BAD_PAST)


def test_N10_a_stage_only_the_system_moves_out_of_needs_an_automatic_move() -> None:
    stuck = pipeline(stage("s0", moves=[{"to": "s1"}, {"to": "won"}]), stage("s1", by=[]))
    assert stages_of(findings(stuck, "S5.dead_end")) == {"s1"}
    freed = pipeline(stage("s0"), stage("s1", by=[], exit=SEEN, moves=[auto("won")]))
    assert not findings(freed, "S5.dead_end")


def test_S5_the_same_pipeline_gives_the_same_findings_in_the_same_order() -> None:
    given = named("Перезвонить", "КП отправлено", "В обработке", "В работе", "Оплата", "Предложение")
    assert findings(given, None, BAD_PAST) == findings(Pipeline.model_validate(given.model_dump()), None, BAD_PAST)


def test_S5_a_stage_in_which_something_is_due_in_time_is_not_idle() -> None:
    [given] = RIGHT_DEADLINES["S5.idle_stage"]
    assert stages_of(findings(given, "S5.idle_stage")) == {"s1"}

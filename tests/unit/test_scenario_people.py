"""Teams in scenarios: leads are given by themselves, by the rules that the running system has (C4, N19, M3)."""

from __future__ import annotations

import pytest

from services.leads.scenarios import Played, read_script, run_script
from services.pipelines.language import read_pipeline

STONE = """
pipeline: stone
titles: {ru: "Камень", en: "Stone"}
conversion_point: deal
assignment:
  team: sales
  BY
  idle: {within: {days: 1, working: true}}
  rules:
    - {id: stone, titles: {ru: "Камень", en: "Stone"}, when: "card.material == 'stone'", skills: [stone]}
    - {id: north, titles: {ru: "Север", en: "North"}, when: "card.material == 'ice'", team: north}
    - {id: english, titles: {ru: "По-английски", en: "In English"}, when: "card.material == 'tea'", languages: [en], directions: [repair]}
fields:
  - {id: material, titles: {ru: "Материал", en: "Material"}}
stages:
  - {id: new, titles: {ru: "Новый", en: "New"}, kind: open}
  - {id: work, titles: {ru: "В работе", en: "In work"}, kind: open}
  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won}
  - {id: lost, titles: {ru: "Отказ", en: "Lost"}, kind: lost}
"""  # noqa: E501
TEAM = "Дано в команде: anna; boris; vera\n"
FORM = "Когда клиент оставляет заявку\n  Телефон: +7 916 123-45-67\n"


def played(text: str, by: str = "", language: str = "ru") -> Played:
    """One scenario on the pipeline."""
    pipeline = read_pipeline(STONE.replace("  BY\n", f"  {by}\n" if by else ""))
    header = "Воронка: stone\nСценарий: а\n" if language == "ru" else "Pipeline: stone\nScenario: a\n"
    (one,) = run_script(read_script(header + text), pipeline)
    return one


def holds(text: str, by: str = "", language: str = "ru") -> None:
    """It comes out as written."""
    one = played(text, by, language)
    assert one.ok, "\n".join(one.lines("s.txt", "ru"))


def test_C4_a_new_lead_is_given_by_itself_where_a_team_is_said_and_only_there() -> None:
    holds(f"{TEAM}{FORM}Тогда ответственный «anna»")
    holds(f"{TEAM}И последний лид достался сотруднику «anna»\n{FORM}Тогда ответственный «boris»")
    holds(f"{TEAM}И последний лид достался сотруднику «boris»\n{FORM}Тогда ответственный «vera»")
    holds(f"{TEAM}И последний лид достался сотруднику «vera»\n{FORM}Тогда ответственный «anna»")
    bare = played(f"{FORM}Тогда ответственный «anna»")
    assert bare.why == ("ожидалось: Тогда ответственный «anna»", "вышло: ответственного нет")


def test_C4_a_lead_that_is_given_in_a_stage_has_somebody_too_and_one_entered_by_hand_is_whoevers_who_found_it() -> None:
    holds(f"{TEAM}И лид в стадии «В работе» из стадии «Новый»\nТогда ответственный «anna»")
    last = f"{TEAM}И последний лид достался сотруднику «anna»\n"
    holds(f"{last}Когда продавец заводит лид\n  Телефон: +7 916 123-45-67\nТогда ответственный «anna»")
    holds(f"{last}Когда руководитель заводит лид\n  Телефон: +7 916 123-45-67\nТогда ответственный «boris»")


def test_C4_rules_skills_languages_directions_and_other_teams() -> None:
    can = f"{TEAM}И у сотрудника «vera» навыки: stone; glass\n"
    stone = f"{can}{FORM}  Материал: stone\nТогда ответственный «vera»\nИ лид распределён по правилу «Камень»\n"
    holds(f"{stone}И сотруднику «anna» лид не достался, причина: нет нужного навыка")
    north = f"{TEAM}И в команде «north»: igor\n{FORM}  Материал: ice\nТогда ответственный «igor»"
    holds(f"{north}\nИ лид распределён по правилу «Север»")
    english = f"{TEAM}И у сотрудника «boris» языки: en\nИ у сотрудника «boris» направления: repair\n{FORM}"
    holds(f"{english}  Материал: tea\nТогда ответственный «boris»")
    holds(f"{TEAM}{FORM}  Материал: stone\nТогда лид ждёт в пуле")


def test_C4_loads_quotas_and_absences() -> None:
    loads = f"{TEAM}И у сотрудника «anna» открытых лидов: 3\nИ у сотрудника «boris» открытых лидов: 2\n"
    holds(f"{loads}{FORM}Тогда ответственный «vera»", "by: least_loaded")
    holds(f"{loads}И сотрудник «vera» отсутствует\n{FORM}Тогда ответственный «boris»", "by: least_loaded")
    full = f"{loads}И у сотрудника «anna» открытых лидов не больше: 3\n{FORM}Тогда ответственный «boris»\n"
    holds(f"{full}И сотруднику «anna» лид не достался, причина: открытых лидов уже сколько можно")


def test_C4_a_lead_that_nobody_touched_goes_to_somebody_else_and_one_of_the_pool_is_looked_at_again() -> None:
    idle = f"{TEAM}{FORM}Когда через 1 рабочий день\nТогда ответственный «boris»\n"
    holds(f"{idle}И сотруднику «anna» лид не достался, причина: от него и передают")
    holds(f"{TEAM}{FORM}Когда продавец видит заявку\nИ через 7 рабочих часов\nТогда ответственный «anna»")
    pool = f"{TEAM}И в команде «sales»: anna\nИ сотрудник «anna» лидов не берёт\n{FORM}Тогда лид ждёт в пуле\n"
    holds(f"{pool}Когда через 3 рабочих часа\nТогда лид ждёт в пуле")
    holds(f"{pool}Когда руководитель передаёт лид сотруднику «anna»\nТогда ответственный «anna»")


def test_C4_the_sentences_stand_in_english_too() -> None:
    form = "When the client fills in a form\n  Phone: +7 916 123-45-67\n  Material: stone\n"
    text = f"Given the team is: anna; boris\nAnd “boris” has the skills: stone\nAnd “anna” is away\n{form}"
    then = "Then the responsible is “boris”\nAnd the lead was given by the rule “Stone”\n"
    holds(f"{text}{then}And “anna” did not get the lead, because: lacks the skill", language="en")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Дано сотрудник «anna» отсутствует\n", "команда ещё не названа"),
        (f"{TEAM}И сотрудник «ana» отсутствует\n", "в команде нет сотрудника «ana». Может быть: «anna»?"),
        ("Дано лид в стадии «Новый»\nИ в команде: anna\n", "команду называют до лида"),
        ("Дано в команде\n", "в команде никого не названо"),
        ("Дано в команде: anna; anna\n", "stands twice"),
        ("Дано в команде: Анна\n", "«Анна» пишут как в файле команды, латиницей"),
        (f"{TEAM}И у сотрудника «anna» навыки: Камень\n", "«Камень» пишут как в файле команды"),
        (f"{TEAM}И у сотрудника «anna» открытых лидов: много\n", "много"),
    ],
)
def test_C4_what_cannot_be_said_of_a_team_is_told(text: str, said: str) -> None:
    one = played(f"{text}Тогда лид в работе")
    assert not one.ok
    assert one.wrong
    assert said in " ".join(one.why), one.why


def test_N19_why_not_is_told_where_it_came_out_otherwise() -> None:
    one = played(f"{TEAM}{FORM}Тогда сотруднику «boris» лид не достался, причина: отсутствует")
    assert one.why[1] == "вышло: против «boris» ничего; ответственный: anna"
    rule = played(f"{TEAM}{FORM}Тогда лид распределён по правилу «Камень»")
    assert rule.why[1] == "вышло: правила нет: как всем"

"""Reading scenarios as sales people write them: every phrase in both languages, and what is said of a text that is wrong (M3)."""

from __future__ import annotations

import string
from pathlib import Path

import pytest

from contracts.pipeline import Pipeline
from services.leads.scenarios import ScriptError, read_script, run_script
from services.leads.scenarios.phrase import Phrase
from services.leads.scenarios.phrases import ACTORS, PHRASES
from services.leads.scenarios.script import Language
from services.leads.scenarios.texts import TEXTS
from services.pipelines import bundled
from services.pipelines.language import read_pipeline
from tests.unit.given_lead import CLASSIC

WORDS: dict[Language, tuple[str, str, dict[str, str]]] = {
    "ru": ("Воронка: classic", "Сценарий: о чём-то", {"given": "Дано", "when": "Когда", "then": "Тогда"}),
    "en": ("Pipeline: classic", "Scenario: of something", {"given": "Given", "when": "When", "then": "Then"}),
}


def sentence(phrase: Phrase, language: Language) -> str:
    """The phrase's example as a sentence of a scenario."""
    index = 0 if language == "ru" else 1
    who = f"{ACTORS['seller'][index][0]} " if phrase.part == "when" and not phrase.alone else ""
    return f"{WORDS[language][2][phrase.part]} {who}{phrase.example[index]}"


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: phrase.id)
def test_M3_every_phrase_is_read_in_both_languages(phrase: Phrase, language: Language) -> None:
    header, title, parts = WORDS[language]
    last = "лид в работе" if language == "ru" else "the lead is open"
    script = read_script(f"{header}\n{title}\n{sentence(phrase, language)}\n{parts['then']} {last}\n")
    assert script.scenarios[0].steps[0].phrase == phrase.id


def test_M3_phrases_and_texts_stand_in_both_languages_with_the_same_gaps() -> None:
    for key, (ru, en) in TEXTS.items():
        gaps = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in (ru, en)]
        assert gaps[0] == gaps[1], key
    assert len({phrase.id for phrase in PHRASES}) == len(PHRASES)


def test_M3_capitals_yo_spaces_quotes_and_a_full_stop_do_not_matter() -> None:
    text = """
    # заметка
    Воронка: classic
    Сценарий: как пишут люди
    дано ЛИД в  стадии "в обработке".
      E-mail: ivan@example.org
    Когда менеджер переводит лид в стадию „Новый“
    Тогда лид ещё
    """
    with pytest.raises(ScriptError, match="не понимаю «лид ещё»"):
        read_script(text)
    script = read_script(text.replace("лид ещё", "лид в стадии «новый»"))
    assert [played.ok for played in run_script(script, CLASSIC)] == [True]


WRONG = [
    ("", "s.txt:1: файл начинается строкой «Воронка: ID», например «Воронка: classic»"),
    ("Воронка: classic", "s.txt:1: в файле нет ни одного сценария; он начинается строкой «Сценарий: его название»"),
    ("Сценарий: первый\nТогда отказ", "s.txt:2: файл начинается строкой «Воронка: ID», например «Воронка: classic»"),
    (
        "Воронка: Моя воронка\nСценарий: первый\nТогда отказ",
        "s.txt:1: «Моя воронка» — не id воронки; он стоит в её файле: pipeline: ID",
    ),
    (
        "Воронка: classic\nДано лид в стадии «Новый»",
        "s.txt:2: «Дано лид в стадии «Новый»» стоит до первого сценария; сценарий начинается строкой «Сценарий: его название»",
    ),
    (
        "Воронка: classic\nСценарий: а\nДано лид в стадии «Новый»",
        "s.txt:2: сценарий «а» ничего не ждёт: добавьте «Тогда …»",
    ),
    (
        "Воронка: classic\nСценарий: а\nТогда отказ\nСценарий: а\nТогда отказ",
        "s.txt:4: сценарий «а» уже есть в строке 2; назовите иначе",
    ),
    (
        "Воронка: classic\nСценарий: а\nИ лид в работе",
        "s.txt:3: «И» продолжает предложение выше, а его нет; начните с Дано, Когда или Тогда",
    ),
    (
        "Воронка: classic\nСценарий: а\nПусть лид в работе",
        "s.txt:3: «Пусть лид в работе»: предложение начинается словом Дано, Когда, Тогда, И, А или Но; строка с данными "
        "стоит правее него",
    ),
    (
        "Воронка: classic\nСценарий: а\nКогда продавец откладывает лид по причине «отпуск»\nТогда отказ",
        "s.txt:3: не понимаю «продавец откладывает лид по причине «отпуск»». Похоже на: «продавец откладывает лид до "
        "01.09.2026 по причине «Нет потребности»»",
    ),
    (
        "Воронка: classic\nСценарий: а\nКогда продавец видит заявку\n  Имя: Иван\nТогда отказ",
        "s.txt:4: «Имя: Иван»: под «Когда продавец видит заявку» данных не пишут",
    ),
    (
        "Воронка: classic\nСценарий: а\nКогда продавец записывает\n  Иван\nТогда отказ",
        "s.txt:4: «Иван»: данные пишут так: «Название поля: значение»",
    ),
    (
        "Pipeline: classic\nScenario: a\nGiven a lead in the stage “New”\nThen lead is new",
        "s.txt:4: «lead is new» is not understood. It looks like: «the lead is won»; «the lead is open»",
    ),
]


@pytest.mark.parametrize(("text", "said"), WRONG, ids=range(len(WRONG)))
def test_M3_what_is_wrong_in_a_text_is_said_with_its_line(text: str, said: str) -> None:
    with pytest.raises(ScriptError) as error:
        read_script(text, "s.txt")
    assert str(error.value).startswith(said)


def test_M3_all_faults_of_a_text_are_told_at_once() -> None:
    with pytest.raises(ScriptError) as error:
        read_script("Воронка: classic\nСценарий: а\nДано что-то\nКогда продавец поёт\nТогда всё хорошо", "s.txt")
    assert [line.split(":")[1] for line in str(error.value).splitlines()] == ["3", "4", "5"]


def played(text: str, pipeline: Pipeline = CLASSIC) -> tuple[bool, bool, str]:
    """Whether one scenario came out, whether it is itself wrong, and what was said."""
    (one,) = run_script(read_script(f"Воронка: {pipeline.pipeline}\nСценарий: а\n{text}", "s.txt"), pipeline)
    return one.ok, one.wrong, "\n".join(one.lines("s.txt", "ru"))


def test_M3_a_scenario_of_another_pipeline_is_not_played() -> None:
    script = read_script("Воронка: loans\nСценарий: а\nДано лид в стадии «Новый»\nТогда лид в работе", "s.txt")
    with pytest.raises(ScriptError, match=r"s\.txt:1: сценарии написаны для воронки loans, а проверяется classic"):
        run_script(script, CLASSIC)


NAMES = [
    ("Дано лид в стадии «Новыи»\nТогда лид в работе", "в воронке нет стадии «Новыи». Может быть: «Новый»?"),
    ("Дано лид в стадии «П»\nТогда лид в работе", "в воронке нет стадии «П». Есть: «Предложение», «Приостановлен»."),
    (
        "Дано лид в стадии «Новый»\n  Потребность: кухня\nТогда лид в работе",
        "в карточке нет поля «Потребность». Может быть: «Потребности клиента»?",
    ),
    (
        "Дано лид в стадии «Новый»\nКогда продавец отмечает «клиент рад»\nТогда лид в работе",
        "в воронке нет факта «клиент рад»",
    ),
    ("Дано лид в стадии «Новый»\nКогда проходит вечность\nТогда лид в работе", "«вечность» — не срок"),
    (
        "Дано лид в стадии «Новый»\nКогда продавец откладывает лид до весны по причине «отпуск»\nТогда лид отложен",
        "«весны» — не дата и не срок; пишут: 01.09.2026 или 30 дней",
    ),
    (
        "Дано лид в стадии «Дожатие»\nКогда продавец делает предложение\n  Объём: 1\nТогда лид в работе",
        "предложению нужны строки «Объём: …», «Стоимость: …», «Срок: …»",
    ),
    ("Когда продавец видит заявку\nТогда лид в работе", "лида ещё нет: начните с «Дано лид в стадии …»"),
    ("Дано лид в стадии «Новый»\nКогда клиент звонит сам\nТогда лид в работе", "у лида нет телефона"),
    ("Дано лид в стадии «Новый»\nТогда от лида остаётся «радость»", "не бывает исхода «радость»"),
    (
        "Дано лид в стадии «Новый»\nКогда продавец отправляет клиенту «песню»\nТогда лид в работе",
        "«песню» — не документ. Есть: «коммерческое предложение», «договор»",
    ),
]


@pytest.mark.parametrize(("text", "said"), NAMES, ids=range(len(NAMES)))
def test_M3_a_name_that_names_nothing_is_said_with_what_there_is(text: str, said: str) -> None:
    ok, wrong, told = played(text)
    assert not ok
    assert wrong
    assert said in told


DIFFERENT = [
    ("Тогда лид в стадии «Предложение»", ("ожидалось: лид в стадии «Предложение»", "вышло: лид в стадии «Новый»")),
    (
        "Когда продавец видит заявку\nТогда отказ",
        ("ожидалось: Тогда отказ", "вышло: отказа не было: лид в стадии «Новый»"),
    ),
    (
        "Когда продавец переводит лид в стадию «В обработке»\nТогда отказ, не хватает: менеджер увидел заявку",
        (
            "ожидалось: не хватает: менеджер увидел заявку",
            "вышло: не хватает: менеджер увидел заявку; менеджер принял заявку в работу",
        ),
    ),
    (
        "Тогда до стадии «В обработке» не хватает: паспорт",
        (
            "ожидалось: не хватает: паспорт",
            "вышло: не хватает: менеджер увидел заявку; менеджер принял заявку в работу",
        ),
    ),
    ("Тогда в стадию «В обработке» можно", ("вышло: в стадию «В обработке» нельзя: Стадия «Новый» ещё не закончена",)),
    ("Тогда в стадию «Нецелевой» нельзя", ("вышло: в стадию «Нецелевой» можно",)),
    ("Тогда дальше можно только: «Нецелевой»", ("ожидалось: дальше можно: «Нецелевой»", "«Приостановлен»")),
    ("Тогда предлагается стадия «Нецелевой»", ("вышло: ничего не предлагается",)),
    ("Тогда лид сам переходит в стадию «Новый»", ("ожидалось: лид в стадии «Новый», перешёл сам",)),
    ("Тогда лид возвращается в стадию «Новый»", ("ожидалось: лид в стадии «Новый», возвращён в работу",)),
    ("Тогда лид закрыт", ("ожидалось: лид закрыт", "вышло: лид в стадии «Новый»")),
    ("Тогда в карточке\n  Имя: Пётр", ("ожидалось: Имя: Пётр", "вышло: Имя: Иван")),
    ("Тогда в карточке\n  Имя: пусто", ("ожидалось: Имя: пусто", "вышло: Имя: Иван")),
    ("Тогда отмечено «менеджер увидел заявку»", ("вышло: «менеджер увидел заявку» не отмечено",)),
    ("Когда продавец видит заявку\nТогда не отмечено «менеджер увидел заявку»", ("вышло: отмечено",)),
    ("Тогда сделка засчитана", ("ожидалось: сделка засчитана", "вышло: сделка не засчитана")),
    ("Тогда от лида остаётся «только реклама»", ("вышло: лид не закрыт",)),
    ("Тогда запланировано дело «звонок»", ("вышло: дел нет",)),
    ("Тогда записано отступление от правил", ("вышло: отступления от правил нет",)),
    (
        "Когда продавец закрывает лид как «Нецелевой»\nТогда нужна причина",
        ("отказа не было", "лид в стадии «Нецелевой», закрыт"),
    ),
    (
        "Когда продавец переводит лид в стадию «В обработке»\nТогда нужна причина",
        ("ожидалось: нужна причина", "вышло: отказ по правилам S2.exit_criteria: Стадия «Новый» ещё не закончена"),
    ),
    (
        "Когда продавец переводит лид в стадию «В обработке»\nТогда отказ по правилу «S1.one_step_forward»",
        ("вышло: отказ по правилам S2.exit_criteria",),
    ),
    ("Когда клиент оставляет заявку\nТогда лид отложен", ("вышло: лид в стадии «Новый»",)),
]


@pytest.mark.parametrize(("text", "said"), DIFFERENT, ids=range(len(DIFFERENT)))
def test_M3_what_came_out_otherwise_is_told_beside_what_was_expected(text: str, said: tuple[str, ...]) -> None:
    ok, wrong, told = played(f"Дано лид в стадии «Новый»\n  Имя: Иван\n  Телефон: +79161234567\n{text}")
    assert not ok
    assert not wrong, told
    assert all(part in told for part in said), told


def test_M3_a_refusal_that_nobody_expects_fails_the_scenario_and_shows_the_leads_story() -> None:
    ok, wrong, told = played(
        "Дано лид в стадии «Новый»\n  Имя: Иван\n"
        "Когда продавец видит заявку\nИ продавец переводит лид в стадию «В обработке»\nТогда лид в стадии «Новый»"
    )
    assert not ok
    assert not wrong
    assert told.splitlines()[0] == "s.txt:6: И продавец переводит лид в стадию «В обработке»"
    assert "отказ, которого сценарий не ждал: Стадия «Новый» ещё не закончена" in told
    assert [line.strip().partition("  ")[2] for line in told.splitlines()[3:]] == [
        "client: лид поступил: site",
        "anna: стадия «Новый»",
        "anna: увидел заявку",
        "anna: отказ: Стадия «Новый» ещё не закончена. Не хватает: менеджер принял заявку в работу.",
    ]


def test_M3_an_expected_refusal_covers_one_act_only() -> None:
    ok, _, told = played(
        "Дано лид в стадии «Новый»\nКогда продавец переводит лид в стадию «В обработке»\n"
        "И продавец переводит лид в стадию «Предложение»\nТогда отказ"
    )
    assert not ok
    assert told.splitlines()[0] == "s.txt:4: Когда продавец переводит лид в стадию «В обработке»"


def test_M3_what_cannot_be_given_is_said() -> None:
    ok, _, told = played("Дано лид в стадии «Новый»\nИ продавец записывает согласие клиента\nТогда лид в работе")
    assert not ok
    assert "так не бывает: " in told


def test_M3_time_passes_as_the_calendar_has_it() -> None:
    ok, _, told = played(
        "Дано сегодня 31.01.2026\nИ лид в стадии «Предложение»\n"
        "Когда проходит месяц\nИ продавец откладывает лид до 28.02.2026 по причине «отпуск»\nТогда отказ: в будущем\n"
        "Когда продавец откладывает лид до 01.03.2026 по причине «отпуск»\nТогда лид отложен"
    )
    assert ok, told


HOWTO = (Path(__file__).parents[2] / "docs" / "howto" / "pipelines.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: phrase.id)
def test_M3_the_page_lists_every_phrase(phrase: Phrase) -> None:
    assert all(f"{example} |" in HOWTO for example in phrase.example)


def test_M3_the_pages_example_is_a_scenario_that_comes_out() -> None:
    text = next(block for block in HOWTO.split("```") if block.strip().startswith("Воронка:"))
    file = bundled.pipeline_file("services")
    assert file is not None
    pipeline = read_pipeline(file.read_text(encoding="utf-8"), file.name)
    assert [one.ok for one in run_script(read_script(text), pipeline)] == [True]

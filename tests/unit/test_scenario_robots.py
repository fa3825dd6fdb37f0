"""Robots in scenarios: what comes out as written, and in which words what does not (M3, R1-R6, N3, C7)."""

from __future__ import annotations

import pytest

from contracts.pipeline import Pipeline
from services.leads.scenarios import Played, read_script, run_script
from services.pipelines.language import read_pipeline

LESSON = """
pipeline: lesson
titles: {ru: "Занятие", en: "Lesson"}
conversion_point: deal
fields:
  - {id: day, titles: {ru: "Дата занятия", en: "Date of the lesson"}, type: date}
  - {id: place, titles: {ru: "Место", en: "Place"}}
templates:
  - id: hello
    titles: {ru: "Привет", en: "Hello"}
    kind: email
    ru: {subject: "Привет, {{ lead.name }}", text: "Ждём вас {{ card.day }}. {{ company.name }}"}
    en: {subject: "Hello", text: "See you {{ card.day }}"}
  - {id: where, titles: {ru: "Где", en: "Where"}, kind: sms, ru: {text: "Место: {{ card.place }}"}, en: {text: "Place: {{ card.place }}"}}
stages:
  - {id: new, titles: {ru: "Новый", en: "New"}, kind: open}
  - id: agreed
    titles: {ru: "Договорились", en: "Agreed"}
    kind: open
    robots:
      - {id: letter, titles: {ru: "Написать", en: "Write"}, do: {email: hello}}
      - {id: sms, titles: {ru: "Где", en: "Where"}, start: {after: letter}, do: {sms: where}}
      - id: remind
        titles: {ru: "Напомнить", en: "Remind"}
        start: {date: day, before: {days: 1}}
        do: {plan: call, text: {ru: "Напомнить о занятии", en: "Remind of the lesson"}, due: {hours: 2, working: true}}
      - {id: ads, titles: {ru: "В рекламу", en: "To ads"}, start: {delay: {hours: 1, working: true}}, do: {audience: Ученики, service: vk}}
  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won}
  - {id: lost, titles: {ru: "Отказ", en: "Lost"}, kind: lost}
"""  # noqa: E501
PIPELINE = read_pipeline(LESSON)
AGREED = """
  Дано лид в стадии «Договорились» из стадии «Новый»
    Имя: Анна
    Телефон: +7 916 123-45-67
    E-mail: anna@example.org
    Дата занятия: 05.03.2026
    Место: ул. Баумана, 1
"""
GIVEN = """
  Дано лид в стадии «Новый»
    Имя: Анна
    Телефон: +7 916 123-45-67
    E-mail: anna@example.org
  И продавец записывает
    Дата занятия: 05.03.2026
    Место: ул. Баумана, 1
  И продавец переводит лид в стадию «Договорились»
"""


def play(text: str, pipeline: Pipeline = PIPELINE) -> Played:
    """One scenario."""
    (played,) = run_script(read_script(f"Воронка: {pipeline.pipeline}\nСценарий: а\n{text}", "s.txt"), pipeline)
    return played


SO = [
    "Тогда робот «Написать» отправил письмо",
    "Тогда робот «letter» сработал",
    "Тогда в письме сказано «Ждём вас 05.03.2026. [company.name]»",
    "Тогда в письме сказано «Привет, Анна»",
    "Тогда письмо принято сервером",
    "Тогда робот «Где» отправил SMS",
    "Тогда в SMS сказано «Место: ул. Баумана, 1»",
    "Тогда робот «Напомнить» ждёт до 04.03.2026",
    "Тогда робот «Напомнить» ещё не сработал",
    "Тогда дела «Напомнить о занятии» нет",
    "Тогда клиента нет в рекламной аудитории «Ученики»",
    "Когда через 1 рабочий час\n  Тогда клиент в рекламной аудитории «Ученики»",
    "Когда через 1 рабочий час\n  И клиент отказывается от рекламы\n  Тогда клиента нет в рекламной аудитории «Ученики»",
    "Когда клиент отказывается от рекламы\n  И проходит 2 часа\n  Тогда робот «В рекламу» пропущен: клиент отказался",
    "Когда проходит 2 дня\n  Тогда дело «Напомнить о занятии» поставлено на 04.03.2026 11:00",
    "Когда продавец записывает\n    Дата занятия: 10.03.2026\n  Тогда робот «Напомнить» ждёт до 09.03.2026 09:00",
    "Когда продавец закрывает лид как «Отказ»\n  Тогда робот «Напомнить» отменён",
]
NOT_SO = [
    ("Тогда робот «Напомнить» сработал", "вышло: ждёт до 04.03.2026 09:00"),
    ("Тогда робот «Напомнить» отправил письмо", "вышло: ждёт до 04.03.2026 09:00"),
    ("Тогда робот «Написать» ещё не сработал", "вышло: сработал"),
    ("Тогда робот «Написать» пропущен", "вышло: сработал"),
    ("Тогда робот «Написать» отменён", "вышло: сработал"),
    ("Тогда робот «Напомнить» ждёт до 05.03.2026", "вышло: ждёт до 04.03.2026 09:00"),
    ("Тогда робот «Напомнить» ждёт до 04.03.2026 09:01", "вышло: ждёт до 04.03.2026 09:00"),
    ("Тогда письмо ждёт отправки", "вышло: письмо принято сервером"),
    ("Тогда в письме сказано «завтра»", "вышло: Привет, Анна Ждём вас 05.03.2026. [company.name]"),
    ("Тогда в SMS сказано «завтра»", "вышло: Место: ул. Баумана, 1"),
    ("Тогда клиенту ничего не отправлено", "вышло: отправлено: Написать, Где"),
    ("Тогда клиент в рекламной аудитории «Ученики»", "вышло: в рекламных аудиториях: —"),
    ("Тогда дело «Напомнить о занятии» поставлено на 04.03.2026", "вышло: дел нет"),
    (
        "Когда клиент отказывается от рекламы\n  И проходит 2 часа\n  Тогда робот «В рекламу» пропущен: условие",
        "вышло: пропущен: клиент отказался (ads)",
    ),
    ("Когда проходит 2 дня\n  Тогда дела «Напомнить о занятии» нет", "вышло: такое дело есть"),
    (
        "Когда проходит 2 дня\n  Тогда дело «Напомнить о занятии» поставлено на 05.03.2026",
        "вышло: срок: 04.03.2026 11:00",
    ),
    ("Тогда робот «Спеть» сработал", "в воронке нет робота «Спеть»"),
    ("Тогда робот «Напомнить» ждёт до завтра", "«завтра» — не дата и не время"),
    ("Когда продавец звонит клиенту, но тот не отвечает, много раз\n  Тогда лид в работе", "«много» — не число"),
]


@pytest.mark.parametrize("then", SO, ids=range(len(SO)))
def test_R1_what_robots_do_comes_out_as_written(then: str) -> None:
    played = play(f"{GIVEN}  {then}\n")
    assert played.ok, played.lines("s.txt", "ru")


@pytest.mark.parametrize(("then", "came"), NOT_SO, ids=range(len(NOT_SO)))
def test_M3_what_is_not_so_is_told_with_what_came_out_instead(then: str, came: str) -> None:
    played = play(f"{GIVEN}  {then}\n")
    assert not played.ok
    assert any(came in line for line in played.why), played.why


def test_R1_a_lead_that_is_given_in_a_stage_has_just_entered_it() -> None:
    assert play(f"{AGREED}  Тогда робот «В рекламу» ждёт до 02.03.2026 11:00\n").ok
    assert play(f"{AGREED}  Тогда в SMS сказано «Место: ул. Баумана, 1»\n").ok, (
        "its card is known before its robots begin"
    )


def test_R3_what_waits_for_the_mail_goes_out_once_when_it_works_again() -> None:
    played = play(
        "  Дано почта не работает\n"
        + GIVEN
        + "  Тогда письмо ждёт отправки\n  И робот «Где» ещё не сработал\n  Когда проходит 2 часа\n"
        "  Тогда клиент в рекламной аудитории «Ученики»\n  И робот «Где» ещё не сработал\n"
        "  Когда почта снова работает\n  Тогда письмо принято сервером\n  И робот «Где» отправил SMS\n"
    )
    assert played.ok, played.lines("s.txt", "ru")


def test_C7_a_letter_that_waits_is_stopped_by_a_refusal() -> None:
    played = play(
        "  Дано почта не работает\n"
        + GIVEN
        + "  Когда клиент отказывается от писем\n  И почта снова работает\n  Тогда письмо принято сервером\n"
    )
    assert played.why[-1] == "вышло: письмо не ушло"
    assert play(f"{GIVEN}  Тогда письмо не ушло\n").why[-1] == "вышло: письмо принято сервером"


def test_C7_no_call_is_planned_by_hand_for_whoever_asked_for_none() -> None:
    asked = f"{GIVEN}  Когда клиент отказывается от звонков\n  И продавец планирует звонок: спросить\n"
    assert play(f"{asked}  Тогда отказ: не звонить\n").ok
    assert not play(f"{asked}  Тогда запланировано дело «звонок»\n").ok


def test_N4_the_story_of_a_scenario_that_failed_tells_what_robots_did() -> None:
    told = play(f"{GIVEN}  Тогда лид закрыт\n").told
    said = [line.partition("  ")[2] for line in told]
    assert "pipeline-rules: робот «Написать» ждёт до 02.03.2026 10:02" in said
    assert "letter: запрошено: письмо клиенту" in said
    assert "letter: робот «Написать» сработал" in said
    assert "delivery: выполнено: письмо клиенту" in said
    assert "pipeline-rules: робот «Напомнить» ждёт до 04.03.2026 09:00" in said


def test_N3_a_loop_of_robots_ends_and_is_told() -> None:
    robot = "robots: [{{id: {0}, titles: {{ru: {0}, en: {0}}}, do: {{move: {1}}}}}]"
    text = LESSON.replace('en: "New"}, kind: open}', 'en: "New"}, kind: open, ' + robot.format("there", "agreed") + "}")
    text = text.replace(
        "    robots:\n", "    robots:\n      - {id: back, titles: {ru: назад, en: back}, do: {move: new}}\n"
    )
    looping = read_pipeline(text)
    played = play(
        "  Дано лид в стадии «Новый»\n  Тогда робот «there» пропущен: переходы пошли по кругу\n  И лид в стадии «Новый»\n",
        looping,
    )
    assert played.ok, played.lines("s.txt", "ru")


def test_S3_a_pause_comes_back_when_its_date_has_come() -> None:
    later = LESSON.replace(
        "  - {id: lost,", '  - {id: later, titles: {ru: "Отложен", en: "Later"}, kind: postponed}\n  - {id: lost,'
    )
    played = play(
        GIVEN + "  И продавец откладывает лид на 10 дней\n  Когда проходит 9 дней\n  Тогда лид отложен\n"
        "  Когда проходит 1 день\n  Тогда лид возвращается в стадию «Договорились»\n",
        read_pipeline(later),
    )
    assert played.ok, played.lines("s.txt", "ru")

"""Q7, C4, U: deadlines and assignment as people read them, in both languages."""

from __future__ import annotations

from importlib import resources

from contracts.pipeline import Pipeline
from services.leads.playbook import rows
from services.pipelines.deadline_words import assignment_words, deadline_words, in_a_line
from services.pipelines.differences import differences
from services.pipelines.language import read_pipeline
from services.pipelines.robot_words import robot_titles, robot_words

TEXT = resources.files("contracts").joinpath("pipelines", "countertops.yaml").read_text(encoding="utf-8")
COUNTERTOPS = read_pipeline(TEXT, "countertops.yaml")


def changed(old: str, new: str) -> Pipeline:
    """The pipeline with another text somewhere."""
    assert old in TEXT
    return read_pipeline(TEXT.replace(old, new, 1), "countertops.yaml")


def test_Q3_the_terms_of_the_card_are_told_with_why() -> None:
    told = deadline_words(COUNTERTOPS.deadlines_by_id["qualify"][1], COUNTERTOPS)
    assert [w.ru for w in told.within] == [
        "4 рабочих часа (есть телефон)",
        "16 рабочих часов (есть только e-mail)",
        "8 рабочих часов (нет ни телефона, ни e-mail)",
    ]
    assert told.done[1].en == (
        "“a poor lead” if “the result of the qualification” = 'poor', and filled are “The reason: why the lead is poor”: "
        "the system takes the lead to “Poor”"
    )
    assert told.missed.ru == "инцидент ответственного, и срок начинается снова"
    assert told.more[1].en == "a reminder 30 working minutes before the end"


def test_Q7_a_key_action_says_so_and_a_warning_is_named_after_its_deadline() -> None:
    told = robot_words(COUNTERTOPS.robots_by_id["step_measuring"][1], COUNTERTOPS)
    assert told.action.ru.endswith("срок — 3 рабочих дня; ключевое: не в срок — инцидент")
    assert robot_titles("qualify.warning", COUNTERTOPS).ru == "Напоминание: Квалификация"
    assert robot_titles("qualify", COUNTERTOPS).en == "Qualification"


def test_C4_assignment_is_told_line_by_line() -> None:
    assert COUNTERTOPS.assignment is not None
    told = assignment_words(COUNTERTOPS.assignment, COUNTERTOPS)
    assert [line.en for line in told] == [
        "team sales: in turn",
        "a known client's lead goes to whoever had the last one",
        "to somebody else, untouched for 1 working day: “New lead”",
        "to somebody else after deadlines missed in a row: 2",
        "without a responsible for no longer than 1 working hour, then an incident",
    ]
    assert all(line.ru for line in told)


def test_P2_the_playbook_says_what_is_due_in_time() -> None:
    new = rows(COUNTERTOPS, "ru")[0]
    line = in_a_line(COUNTERTOPS.deadlines_by_id["take"][1], COUNTERTOPS)
    assert f"Срок «Взятие в работу»: {line.ru}" in new.actions
    assert line.ru.startswith("1 рабочий час после входа в стадию — есть: ")


def test_M3_a_changed_deadline_is_told_with_what_it_was() -> None:
    other = changed("within: [{period: {hours: 1, working: true}}]", "within: [{period: {hours: 2, working: true}}]")
    [change] = differences(COUNTERTOPS, other)
    assert (change.what, change.at) == ("deadline_within", "new/take")
    assert change.en.endswith("how long there is; it was: 1 working hour; it is: 2 working hours")
    [assigned] = differences(COUNTERTOPS, changed("missed_running: 2", "missed_running: 3"))
    assert assigned.what == "assignment"

"""Q1-Q8, C4, N19, N20, U: deadlines, assignment, reviews and the incident journal told in words, by their titles."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal, get_args, get_origin
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from contracts import events as e
from contracts.pipeline import Pipeline
from contracts.recorded import Recorded
from services.web.shapes import event_out
from services.web.telling import Telling, Told
from services.web.telling_journal import told_of_journal
from services.web.texts import TEXTS, Words
from tests.contract.golden_deadlines import OF_JOURNALS
from tests.contract.golden_samples import meta_of
from tests.unit.given_robots import pipeline_of

ZONE = ZoneInfo("Europe/Moscow")
DUE = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
SHOP: Pipeline = pipeline_of(
    """
  - id: new
    titles: {ru: "Новая", en: "New"}
    kind: open
    robots: [{id: no_try, titles: {ru: "Нет попыток", en: "No attempt"}, do: {incident: {ru: "Не звонили", en: "No call"}}}]
    deadlines:
      - id: qualify
        titles: {ru: "Заполнить карточку", en: "Fill in the card"}
        within:
          - {period: {hours: 4, working: true}, when: "has(lead.phone)", titles: {ru: "есть телефон", en: "there is a phone"}}
          - {period: {hours: 8, working: true}, when: "has(lead.email)"}
          - {period: {days: 2, working: true}}
        results:
          - {id: good, titles: {ru: "хороший лид", en: "a good lead"}, when: card.budget > 1, needs: [budget]}
  - id: weak
    titles: {ru: "Некачественный", en: "Poor"}
    kind: lost
    review: true
    reasons: [{id: no_money, titles: {ru: "Нет бюджета", en: "No budget"}}]
""",
    """
assignment:
  rules: [{id: english, titles: {ru: "Говорят по-английски", en: "English speakers"}, languages: [en]}]
""",
)
TURN: dict[str, Any] = {"deadline": "qualify", "timer": uuid4(), "visit": 2, "turn": 1, "due_at": DUE}


def tell(event: e.Event, language: str = "ru") -> Told:
    return Telling(Words(language), ZONE).tell(event_out(Recorded(meta_of(event), event)), SHOP)


def set_for(clause: str | None, hours: int, **more: Any) -> e.DeadlineSet:
    term = e.Term(hours=hours, working=True)
    return e.DeadlineSet(**{**TURN, **more}, because="entry", begun_at=DUE, term=term, clause=clause)


@pytest.mark.parametrize(
    ("clause", "hours", "why"),
    [
        ("has(lead.phone)", 4, "4 рабочих часа — есть телефон"),
        ("has(lead.email)", 8, "8 рабочих часов — e-mail есть"),
        (None, 16, "16 рабочих часов — для всех остальных"),
    ],
)
def test_Q3_a_deadline_says_until_when_and_why_so_long(clause: str | None, hours: int, why: str) -> None:
    told = tell(set_for(clause, hours))
    assert told.sentence == "Срок «Заполнить карточку»: до 02.03.2026 13:00"
    assert dict(told.details)["Почему такой срок"] == why
    assert dict(told.details)["С чего начался"] == "лид вошёл в стадию"


def test_Q4_what_is_asked_for_again_is_named_by_its_title() -> None:
    asked = e.DeadlineAsked(**TURN, lacks=("budget", "reachable"))
    assert tell(asked).sentence.endswith("не хватает: Бюджет, телефон или e-mail клиента. Спрошено снова")
    again = tell(set_for(None, 4, turn=2, lacks=("budget",)))
    assert again.sentence == "Срок «Заполнить карточку», круг 2: до 02.03.2026 13:00"
    assert dict(again.details)["Не хватает"] == "Бюджет"
    met = tell(e.DeadlineMet(**TURN, result="good", left_s=5400), "en")
    assert met.sentence == "Deadline “Fill in the card”: done in time, a good lead"
    assert dict(met.details)["Working time left"] == "1 h"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"responsible": "anna"}, "anna"),
        ({"responsible": "anna", "cause": "assigned_late"}, "лид передан поздно"),
        ({"responsible": None, "cause": "nobody_responsible"}, "ответственного не было"),
    ],
)
def test_Q6_a_miss_says_whose_it_is_and_the_cause(more: dict[str, Any], said: str) -> None:
    term = e.Term(hours=4, working=True)
    event = e.DeadlineMissed(**TURN, stage="new", running=2, begun_at=DUE, term=term, late_ms=120_000, **more)
    told = tell(event)
    assert told.sentence == f"Срок «Заполнить карточку» пропущен: {said}"
    details = dict(told.details)
    assert details["Пропусков подряд"] == "2"
    assert details["Проверено позже на"] == "2 мин"
    assert details["Пропуск"] == "в журнал не идёт", "no incident id: none is raised"


def test_N19_an_assignment_answers_why_this_one_in_one_look() -> None:
    event = e.LeadAssigned(
        to="anna",
        previous="boris",
        reason="least_loaded",
        candidates=("anna", "boris"),
        loads={"anna": 3, "boris": 5},
        excluded={"vera": "absent", "gleb": "languages"},
        rule="english",
        team="sales@2",
    )
    told = tell(event)
    assert told.sentence == "Ответственный: anna"
    assert told.details == [
        ("Почему этот", "меньше всего открытых лидов"),
        ("Правило", "Говорят по-английски"),
        ("Кто мог", "anna: открытых 3; boris: открытых 5"),
        ("Почему не vera", "отсутствует"),
        ("Почему не gleb", "не говорит на этом языке"),
        ("Прежний", "boris"),
        ("Команда", "sales@2"),
    ]
    in_turn = e.LeadAssigned(to="anna", reason="in_turn", candidates=("anna", "boris"), loads={"anna": 7, "boris": 8})
    assert ("Who could", "anna: had 7; boris: had 8") in tell(in_turn, "en").details


def test_C4_a_pooled_lead_says_of_each_person_why_not() -> None:
    told = tell(e.LeadPooled(team="sales@2", excluded={"anna": "quota_open", "boris": "off_hours"}))
    assert ("Почему не anna", "открытых лидов уже сколько можно") in told.details
    assert ("Почему не boris", "сейчас не рабочее время") in told.details


def test_S4_a_moved_activity_says_from_when_to_when() -> None:
    moved = e.ActivityMoved(activity=uuid4(), activity_kind="call", due_at=DUE, previous=None, reason="просил", times=2)
    told = tell(moved)
    assert told.sentence == "Перенесено: звонок; было: без срока, стало: 02.03.2026 13:00"
    assert told.details == [("Причина", "просил"), ("Переносили раз", "2")]


def test_Q7_a_planned_task_of_a_deadline_and_a_recurring_one_say_so() -> None:
    planned = e.ActivityPlanned(
        activity=uuid4(), activity_kind="task", reason="deadline", deadline="qualify", due_at=DUE, key=True
    )
    assert ("По сроку", "Заполнить карточку") in tell(planned).details
    weekly = e.ActivityPlanned(
        activity=uuid4(), activity_kind="call", reason="recurring", due_at=DUE, every=e.Every(days=5, working=True)
    )
    details = dict(tell(weekly).details)
    assert (details["Причина"], details["Повторять"]) == ("повторяется", "5 рабочих дней")


def test_Q5_reviews_are_told_with_the_reason_by_its_title() -> None:
    opened = tell(e.ReviewOpened(visit=3, status="weak", reason="no_money", automatic=True, responsible="anna"))
    assert opened.sentence == "Ждёт проверки руководителя: «Некачественный»"
    assert opened.details == [("Причина", "Нет бюджета"), ("Чья работа", "anna"), ("Забраковано", "автоматически")]


@pytest.mark.parametrize("event", OF_JOURNALS, ids=lambda event: str(event.TOPIC))
@pytest.mark.parametrize("pipeline", [SHOP, None], ids=["known", "unknown"])
def test_U_every_event_of_a_journal_is_told_in_both_languages(event: e.Event, pipeline: Pipeline | None) -> None:
    kind = event.TOPIC.rpartition(".")[2]
    data = event.model_dump(mode="json")
    ru, en = (told_of_journal(kind, data, pipeline, Telling(Words(name), ZONE)) for name in ("ru", "en"))
    assert ru[0] != en[0]
    for sentence, details in (ru, en):
        assert "{" not in sentence
        assert all(label and value for label, value in details)


WORDED = (
    *((e.DeadlineSet, "because", "begins"), (e.DeadlineDropped, "by", "dropped"), (e.DeadlineMissed, "cause", "cause")),
    *((e.ReviewDropped, "by", "review_dropped"), (e.LeadAssigned, "reason", "event"), (e.RobotRan, "did", "did")),
    *(
        (e.ActivityPlanned, "reason", "event"),
        (e.ActivityClosed, "reason", "event"),
        (e.RobotArmed, "because", "because"),
    ),
    *((e.RobotCancelled, "by", "cancelled"), (e.RobotSkipped, "reason", "skipped")),
    *((e.IncidentRecorded, "incident_kind", "incident_kind"), (e.IncidentRecorded, "cause", "cause")),
    *((e.NoticeRequested, "about", "notice_about"), (e.IncidentRestated, "verdict", "verdict")),
    *((e.IncidentTold, "via", "told_via"), (e.EscalationClosed, "by", "event.leadline.incident.escalation_closed")),
)


def literals(annotation: object) -> list[str]:
    """The values of a Literal, or of those in a union."""
    if get_origin(annotation) is Literal:
        return [str(value) for value in get_args(annotation)]
    return [value for part in get_args(annotation) for value in literals(part)]


@pytest.mark.parametrize(("event", "field", "words"), WORDED, ids=lambda part: getattr(part, "__name__", part))
def test_U_every_reason_an_event_can_have_is_said_in_words(event: type[e.Event], field: str, words: str) -> None:
    values = literals(event.model_fields[field].annotation)
    assert values
    assert [value for value in values if f"{words}.{value}" not in TEXTS] == []


def test_Q6_a_strike_says_which_one_of_how_many_and_a_restatement_what_is_true() -> None:
    telling = Telling(Words("ru"), ZONE)
    told = e.IncidentTold(incident=uuid4(), via="mail", strike=2, of=3, days=30).model_dump(mode="json")
    assert told_of_journal("told", told, None, telling)[0] == "Сообщено сотруднику: письмом. Пропуск 2-й из 3 за 30 дн."
    restated = e.IncidentRestated(
        incident=uuid4(), verdict="in_time", due_at=DUE, calendar="sales@4", reason="праздник"
    ).model_dump(mode="json")
    sentence, details = told_of_journal("restated", restated, None, telling)
    assert sentence == "Пересчитан: сделано вовремя"
    assert ("Номер пропуска", "не идёт") in details

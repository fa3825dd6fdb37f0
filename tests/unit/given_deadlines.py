"""A lead's story with deadlines: `Deadlines(TAKE).until(hours=5)`; what was set, met, asked, missed, dropped is at hand.

Stories begin on Monday, 2 March 2026, at noon in Moscow (`tests.unit.given_robots`); work is from 9 to 18.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from contracts import events as e
from contracts.pipeline import Pipeline
from services.pipelines.language import read_pipeline
from tests.unit.given_robots import Robots

TAKE = """
      - id: take
        titles: {ru: "Взять в работу", en: "Take into work"}
        task: {ru: "Взять заявку в работу", en: "Take the lead into work"}
        within: [{period: {hours: 1, working: true}}]
        warn: {minutes: 15, working: true}
        done: [{fact: seen}, {fact: accepted}]
"""
QUALIFY = """
      - id: qualify
        titles: {ru: "Квалификация", en: "Qualification"}
        task: {ru: "Заполнить карточку", en: "Fill in the card"}
        within:
          - {period: {hours: 4, working: true}, when: "has(lead.phone)"}
          - {period: {hours: 16, working: true}, when: "has(lead.email)"}
          - {period: {hours: 8, working: true}}
        results:
          - id: good
            titles: {ru: "качественный", en: "good"}
            when: "facts.quality == 'good'"
            mandatory: true
            then: {move: offer}
          - id: poor
            titles: {ru: "некачественный", en: "poor"}
            when: "facts.quality == 'poor'"
            needs: [why_poor]
            then: {reject: poor, reason_field: why_poor}
"""


def pipeline_of(new: str = "", work: str = "", *, robots: str = "[]", won: str = "") -> Pipeline:
    """A pipeline whose first stage has the deadlines `new`, its second, with two mandatory fields, the deadlines `work`."""

    def of(deadlines: str) -> str:
        return f"deadlines:{deadlines}" if deadlines.strip() else "deadlines: []"

    return read_pipeline(
        f"""
pipeline: stone
titles: {{ru: "Камень", en: "Stone"}}
conversion_point: deal
fields:
  - {{id: size, titles: {{ru: "Габариты", en: "Size"}}}}
  - {{id: budget, titles: {{ru: "Бюджет", en: "Budget"}}, type: number}}
  - {{id: visit_on, titles: {{ru: "Замер", en: "Measuring"}}, type: date}}
  - id: why_poor
    titles: {{ru: "Почему некачественный", en: "Why poor"}}
    type: choice
    options:
      - {{id: silent, titles: {{ru: "молчит", en: "silent"}}}}
      - {{id: wrong, titles: {{ru: "неверные данные", en: "wrong data"}}}}
facts:
  - id: quality
    titles: {{ru: "результат квалификации", en: "result"}}
    holds: visit
    options:
      - {{id: good, titles: {{ru: "качественный", en: "good"}}}}
      - {{id: poor, titles: {{ru: "некачественный", en: "poor"}}}}
  - {{id: agreed, titles: {{ru: "согласовано", en: "agreed"}}, holds: visit}}
templates:
  - id: hello
    titles: {{ru: "Привет", en: "Hello"}}
    kind: email
    ru: {{subject: "Здравствуйте", text: "Здравствуйте,"}}
    en: {{subject: "Hello", text: "Hello,"}}
stages:
  - id: new
    titles: {{ru: "Новый", en: "New"}}
    kind: open
    {of(new)}
  - id: work
    titles: {{ru: "Взят в работу", en: "In work"}}
    kind: open
    mandatory: [size, budget]
    robots: {robots}
    {of(work)}
  - {{id: offer, titles: {{ru: "Предложение", en: "Offer"}}, kind: open}}
  - id: deal
    titles: {{ru: "Сделка", en: "Deal"}}
    kind: won
    {of(won)}
  - id: poor
    titles: {{ru: "Некачественный", en: "Poor"}}
    kind: lost
    reasons:
      - {{id: silent, titles: {{ru: "молчит", en: "silent"}}}}
      - {{id: wrong, titles: {{ru: "неверные данные", en: "wrong data"}}}}
  - {{id: later, titles: {{ru: "Отложен", en: "Later"}}, kind: postponed}}
""",
        "stone.yaml",
    )


class Deadlines(Robots):
    """A lead from its capture on, with its deadlines."""

    def working(self, name: str = "move", **more: Any) -> Deadlines:
        """It is taken into work."""
        self.given(name, to="work", **more)
        return self

    @property
    def open(self) -> list[e.DeadlineSet]:
        """The turns that are open."""
        return list(self.lead.deadlines.open.values())

    @property
    def turn(self) -> e.DeadlineSet:
        """The one turn that is open."""
        [turn] = self.open
        return turn

    def tick(self, result: str = "готово") -> Deadlines:
        """The task of the one open turn is ticked off."""
        self.given("complete", activity=self.turn.activity, result=result)
        return self

    def told(self) -> list[str]:
        """What became of turns, in order: `missed:qualify`."""
        kinds = (e.DeadlineSet, e.DeadlineMet, e.DeadlineAsked, e.DeadlineMissed, e.DeadlineDropped)
        return [f"{event.TOPIC.rpartition('_')[2]}:{event.deadline}" for event in self.of(*kinds)]

    def open_tasks(self) -> list[str]:
        """Texts of the tasks that nobody did yet."""
        return [a.text or "" for a in self.lead.activities.values() if a.done_at is None]


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """An instant of March 2026 on Moscow's wall clock."""
    return datetime(2026, 3, day, hour, minute, tzinfo=ZoneInfo("Europe/Moscow"))

"""A lead's story in any pipeline, by commands alone: `Story(PIPELINE).give("see").give("move", to="work")`.

Commands go through the domain as the aggregate service sends them, automatic moves after each. A refusal is the answer of
`give`, and changes nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from contracts import events as e
from contracts.commands import COMMAND_BODIES, Command, Refusal
from contracts.meta import Actor, Meta
from contracts.pipeline import Pipeline
from services.leads.domain.decide import Surroundings, automatic_move, decide
from services.leads.domain.state import LeadState, evolve_lead
from services.pipelines.language import read_pipeline

LEAD, CONTACT = UUID(int=1), UUID(int=2)
BEGAN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SELLER = Actor(id="anna", kind="person", role="seller")
HEAD = Actor(id="helen", kind="person", role="head")
SYSTEM = Actor(id="pipeline-rules", kind="system")

WORKSHOP = read_pipeline(
    """
pipeline: workshop
titles: {ru: "Мастерская", en: "Workshop"}
conversion_point: deal
groups:
  - {id: product, titles: {ru: "Продукт", en: "Product"}}
fields:
  - {id: site, titles: {ru: "Сайт", en: "Site"}}
  - id: length
    titles: {ru: "Длина", en: "Length"}
    type: number
    unit: {ru: "м", en: "m"}
    least: 0.1
    most: 50
    group: product
  - {id: budget, titles: {ru: "Бюджет", en: "Budget"}, type: money, currencies: [RUB, EUR], unknown: true}
  - {id: wanted, titles: {ru: "Срок", en: "Wanted"}, type: date}
  - id: material
    titles: {ru: "Материал", en: "Material"}
    type: choice
    options:
      - {id: stone, titles: {ru: "Камень", en: "Stone"}}
      - {id: oak, titles: {ru: "Дуб", en: "Oak"}}
  - {id: delivery, titles: {ru: "Доставка", en: "Delivery"}, type: yes_no}
  - {id: address, titles: {ru: "Адрес", en: "Address"}}
  - {id: score, titles: {ru: "Оценка", en: "Score"}, type: number, by: [head]}
facts:
  - {id: interested, titles: {ru: "клиент заинтересован", en: "the client is interested"}, proposes: meeting}
  - {id: won_again, titles: {ru: "интерес снова есть", en: "interest won again"}, holds: visit}
  - id: meeting_held
    titles: {ru: "встреча проведена", en: "the meeting was held"}
    holds: visit
    options:
      - {id: consent, titles: {ru: "согласие", en: "consent"}, opens: [closing]}
      - {id: needs, titles: {ru: "вернуться к потребностям", en: "back to the needs"}, opens: [contact]}
  - {id: paid, titles: {ru: "оплачено", en: "paid"}, by: [head]}
stages:
  - id: found
    titles: {ru: "Объект", en: "Found"}
    kind: open
    exit:
      - {contact: company}
      - {field: site}
    moves: [{to: contact, auto: true}]
  - id: contact
    titles: {ru: "Контакт", en: "Contact"}
    kind: open
    mandatory: [length, material, {field: address, when: "card.delivery == 'yes'"}]
    desirable: [budget]
    exit: [{fact: interested}]
  - id: meeting
    titles: {ru: "Встреча", en: "Meeting"}
    kind: open
    exit: [{fact: meeting_held}]
    moves:
      - {to: closing}
      - {to: contact}
    outcomes: [waiting, closed]
  - id: closing
    titles: {ru: "Дожатие", en: "Closing"}
    kind: open
    by: [head]
    exit: [{fact: document_sent, value: contract}, {fact: approved}, {fact: paid}]
  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won}
  - id: closed
    titles: {ru: "Закрыто", en: "Closed"}
    kind: lost
    reopen: {seller_after: {months: 12}, client: true, to: contact}
    reasons:
      - {id: price, titles: {ru: "дорого", en: "too dear"}}
      - {id: nobody, titles: {ru: "нет такого", en: "nobody there"}, outcome: bad_data}
  - {id: spam, titles: {ru: "Спам", en: "Spam"}, kind: lost, outcome: bad_data, final: true}
  - id: waiting
    titles: {ru: "Отложено", en: "Waiting"}
    kind: postponed
    reopen: {seller: false}
    moves:
      - {to: meeting, needs: [{fact: won_again}], instead_of_exit: true}
      - {to: closing, needs: [{fact: won_again}], by: [head]}
""",
    "workshop.yaml",
)
"""A pipeline that uses every part of the language that a decision looks at."""


class Story:
    """A lead from its capture on."""

    def __init__(self, pipeline: Pipeline = WORKSHOP, **known: Any) -> None:
        self.pipeline = pipeline
        self.now = BEGAN
        self.events: list[e.Event] = []
        self.metas: list[Meta] = []
        self.state: LeadState | None = None
        first = pipeline.first
        self.keep(
            (
                e.LeadCaptured(
                    pipeline=pipeline.pipeline, contact=CONTACT, channel="hand", source="s", received_at=BEGAN, **known
                ),
                e.StageEntered(stage=first.id, kind=first.kind, visit=1, cause="captured", direction="in"),
            ),
            SELLER,
        )

    @property
    def lead(self) -> LeadState:
        """Where the story stands."""
        assert self.state is not None
        return self.state

    @property
    def entered(self) -> list[e.StageEntered]:
        """Every change of stage so far."""
        return [event for event in self.events if isinstance(event, e.StageEntered)]

    def give(
        self,
        name: str,
        /,
        *,
        by: Actor = SELLER,
        around: Surroundings | None = None,
        at: datetime | None = None,
        **body: Any,
    ) -> Any:
        """A command: the story itself when it was done, the refusal when not."""
        number = len(self.events) + 1
        command = Command(
            id=uuid5(LEAD, f"{name}:{number}"),
            lead=LEAD,
            actor=by,
            body=COMMAND_BODIES[name].model_validate({"type": name, **body}),  # type: ignore[arg-type]
            happened_at=at,
        )
        surroundings = around or Surroundings(("anna", "helen"), activity=uuid5(LEAD, f"activity:{number}"))
        answer = decide(self.lead, command, self.pipeline, self.now, surroundings)
        if isinstance(answer, Refusal):
            return answer
        self.keep(answer, by)
        while answer := automatic_move(self.lead, answer, self.pipeline):
            self.keep(answer, SYSTEM)
        return self

    def given(self, name: str, /, **more: Any) -> Story:
        """A command that must be done: for what comes before the test's point."""
        answer = self.give(name, **more)
        assert answer is self, answer
        return self

    def later(self, **period: int) -> Story:
        """Time goes on."""
        self.now += timedelta(**period)
        return self

    def keep(self, events: tuple[e.Event, ...], by: Actor) -> None:
        """Fold events as the store would give them."""
        for event in events:
            meta = Meta(
                stream=LEAD,
                version=len(self.events) + 1,
                kind="lead",
                type=event.TOPIC,
                happened_at=self.now,
                recorded_at=self.now,
                actor=by,
                command=LEAD,
                correlation="test",
                person=CONTACT,
                pipeline=f"{self.pipeline.pipeline}@1",
            )
            self.events.append(event)
            self.metas.append(meta)
            self.state = evolve_lead(self.state, meta, event)


def refused_by(answer: Any, *rules: str, missing: tuple[str, ...] = ()) -> Refusal:
    """The answer is a refusal by exactly these rules, naming what is missing, in both languages."""
    assert isinstance(answer, Refusal), f"not refused: {answer}"
    assert (answer.rules, tuple(lack.id for lack in answer.missing)) == (rules, missing), answer
    assert answer.ru
    assert answer.en
    return answer

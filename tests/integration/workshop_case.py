"""A pipeline that uses the language's breadth, for tests of what people see: typed fields, facts, reasons, outcomes."""

from __future__ import annotations

from contracts.meta import Actor
from services.clock import SystemClock
from services.database import Pool
from services.pipelines.registry import publish

WORKSHOP = """
pipeline: workshop
titles: {ru: "Мастерская", en: "Workshop"}
conversion_point: deal
groups:
  - {id: product, titles: {ru: "ИЗДЕЛИЕ", en: "PRODUCT"}}
  - {id: client, titles: {ru: "КЛИЕНТ", en: "CLIENT"}}
fields:
  - {id: length, type: number, group: product, unit: {ru: "мм", en: "mm"}, titles: {ru: "Длина", en: "Length"}, unknown: true}
  - id: material
    type: choice
    group: product
    titles: {ru: "Материал", en: "Material"}
    options: [{id: oak, titles: {ru: "Дуб", en: "Oak"}}, {id: stone, titles: {ru: "Камень", en: "Stone"}}]
  - {id: measuring, type: yes_no, group: product, titles: {ru: "Нужен замер", en: "Measuring needed"}}
  - {id: budget, type: money, group: client, currencies: [RUB, EUR], titles: {ru: "Бюджет", en: "Budget"}}
  - {id: wanted, type: date, group: client, titles: {ru: "Желаемый срок", en: "Wanted date"}}
  - {id: second_phone, type: phone, group: client, titles: {ru: "Второй телефон", en: "Second phone"}}
  - {id: margin, group: client, by: [head], titles: {ru: "Наценка", en: "Margin"}}
facts:
  - id: interest
    titles: {ru: "интерес клиента", en: "the client's interest"}
    options:
      - {id: hot, titles: {ru: "просит счёт", en: "asks for an invoice"}, proposes: agreement}
      - {id: none, titles: {ru: "не интересно", en: "not interested"}, proposes: poor}
  - id: meeting_held
    titles: {ru: "встреча проведена", en: "a meeting was held"}
    options:
      - {id: agreed, titles: {ru: "договорились", en: "agreed"}}
      - {id: open, titles: {ru: "не договорились", en: "not agreed"}}
stages:
  - id: fresh
    titles: {ru: "Новая заявка", en: "New request"}
    kind: open
    next_step: {ru: "Увидеть и принять", en: "See it and take it"}
    client: {ru: "Ждёт звонка", en: "Waits for a call"}
    exit: [{fact: seen}, {fact: accepted}]
  - id: measure
    titles: {ru: "Замер", en: "Measuring"}
    kind: open
    mandatory: [length, material, budget]
    desirable: [wanted, measuring]
    exit: [{fact: call_held}]
  - id: agreement
    titles: {ru: "Согласование", en: "Agreement"}
    kind: open
    exit:
      - {fact: meeting_held, value: agreed}
      - {fact: document_sent, value: contract}
      - {fact: file_attached}
      - {fact: approved}
  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won}
  - id: poor
    titles: {ru: "Некачественный", en: "Poor"}
    kind: lost
    outcome: ads
    reasons:
      - {id: not_ours, titles: {ru: "Не наше", en: "Not ours"}}
      - {id: later, titles: {ru: "Интересен позже", en: "Of interest later"}, outcome: contact}
      - {id: wrong, titles: {ru: "Неверные данные", en: "Wrong data"}, outcome: bad_data}
  - id: waiting
    titles: {ru: "Отложен", en: "Put off"}
    kind: postponed
    reasons: [{id: holiday, titles: {ru: "В отпуске", en: "On holiday"}}]
"""


async def publish_workshop(pool: Pool) -> None:
    """Put it in force."""
    await publish(pool, SystemClock(), WORKSHOP, Actor(id="tests", kind="system"))

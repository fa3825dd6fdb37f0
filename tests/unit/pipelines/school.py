"""An English school: its pipeline, a lead of it, and what templates see of that lead."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from contracts.pipeline.templates import Template
from services.pipelines.language import read_pipeline
from services.pipelines.templates import Language, LeadValues, values_for

SCHOOL = read_pipeline(
    """
pipeline: school
titles: {ru: "Школа", en: "School"}
conversion_point: booked
fields:
  - {id: lesson_date, titles: {ru: "Дата занятия", en: "Lesson date"}, type: date, unknown: true}
  - {id: lesson_time, titles: {ru: "Время занятия", en: "Lesson time"}, type: time}
  - {id: lessons, titles: {ru: "Занятий", en: "Lessons"}, type: number}
  - {id: length, titles: {ru: "Длина", en: "Length"}, type: number, unit: {ru: "м", en: "m"}}
  - {id: price, titles: {ru: "Цена", en: "Price"}, type: money, currencies: [RUB, EUR, CHF]}
  - {id: online, titles: {ru: "Онлайн", en: "Online"}, type: yes_no}
  - {id: parent_phone, titles: {ru: "Телефон родителя", en: "Parent's phone"}, type: phone}
  - {id: wishes, titles: {ru: "Пожелания", en: "Wishes"}}
  - id: branch
    titles: {ru: "Филиал", en: "Branch"}
    type: choice
    options:
      - {id: north, titles: {ru: "Северный", en: "North"}}
      - {id: south, titles: {ru: "Южный", en: "South"}}
facts:
  - id: level_told
    titles: {ru: "уровень назван", en: "the level is told"}
    options: [{id: beginner, titles: {ru: "начальный", en: "beginner"}}]
stages:
  - {id: new, titles: {ru: "Новая заявка", en: "New lead"}, kind: open}
  - {id: booked, titles: {ru: "Записан", en: "Booked"}, kind: won}
"""
)
NOW = datetime(2026, 11, 23, 21, 30, tzinfo=UTC)
MOSCOW = ZoneInfo("Europe/Moscow")
COMPANY = {"name": "Школа «Ключ»", "phone": "+7 495 123-45-67", "signature": "<b>Ключ</b>"}
LEAD = LeadValues(
    name="Иван Петров",
    phone="+79001234567",
    responsible="Анна",
    source="site",
    stage="new",
    card={
        "lesson_date": "2026-11-24",
        "lesson_time": "18:30",
        "lessons": "5",
        "length": "2.4",
        "price": "120000.00 RUB",
        "online": "yes",
        "parent_phone": "+79007654321",
        "branch": "north",
    },
    facts={"seen": None, "level_told": "beginner"},
)


def seen(
    language: Language = "ru", lead: LeadValues = LEAD, unsubscribe: str | None = "https://school.example/u/1"
) -> dict[str, object]:
    """What a template sees of a lead."""
    return values_for(SCHOOL, lead, language=language, now=NOW, zone=MOSCOW, company=COMPANY, unsubscribe=unsubscribe)


def template(**parts: Any) -> Template:
    """A letter, with these parts otherwise; `ru` and `en`: parts of its texts."""
    texts = {language: {"subject": "S", "text": "T", **parts.pop(language, {})} for language in ("ru", "en")}
    return Template.model_validate(
        {"id": "reminder", "titles": {"ru": "Напоминание", "en": "Reminder"}, "kind": "email", **texts, **parts}
    )

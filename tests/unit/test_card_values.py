"""What people type on the card, and what is kept of it (Q2, S2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.pipeline import CardField
from services.leads.domain.card import read_value
from services.pipelines.card_values import Unreadable, plain_value
from tests.unit.given_pipeline import WORKSHOP

FIELDS = WORKSHOP.fields_by_id
PHONE = CardField(id="second_phone", titles=FIELDS["site"].titles, type="phone")


@pytest.mark.parametrize(
    ("field", "typed", "kept"),
    [
        ("length", "2,4", "2.4"),
        ("length", " 2.40 м ", "2.4"),
        ("length", "2 m", "2"),
        ("length", "10", "10"),
        ("budget", "120 000", "120000.00 RUB"),
        ("budget", "120\u00a0000,50 ₽", "120000.50 RUB"),
        ("budget", "1 200 000 руб.", "1200000.00 RUB"),
        ("budget", "€ 500", "500.00 EUR"),
        ("budget", "500 eur", "500.00 EUR"),
        ("budget", "Пока неизвестно", "unknown"),
        ("wanted", "24.12.2026", "2026-12-24"),
        ("wanted", "2026-12-24", "2026-12-24"),
        ("material", "Дуб", "oak"),
        ("material", "stone", "stone"),
        ("delivery", "Да", "yes"),
        ("delivery", "no", "no"),
        ("delivery", "пока неизвестно", "unknown"),
        ("site", "  example.org ", "example.org"),
        ("length", "", ""),
    ],
)
def test_Q2_what_people_type_is_read_by_the_fields_type(field: str, typed: str, kept: str) -> None:
    assert read_value(FIELDS[field], typed, "RU") == kept


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("length", "около двух"),
        ("length", "2 км"),
        ("length", "0,01"),
        ("length", "51"),
        ("length", "неизвестно"),
        ("length", "1" * 16),
        ("budget", "-5"),
        ("budget", "100 USD"),
        ("budget", "от 100 до 200"),
        ("wanted", "31.02.2026"),
        ("wanted", "24.12.0026"),
        ("wanted", "завтра"),
        ("material", "пластик"),
        ("delivery", "может быть"),
    ],
)
def test_Q2_what_cannot_be_read_is_told_without_repeating_it(field: str, typed: str) -> None:
    told = read_value(FIELDS[field], typed, "RU")
    assert isinstance(told, Unreadable)
    assert FIELDS[field].titles.ru in told.ru
    assert FIELDS[field].titles.en in told.en
    assert typed not in told.ru


def test_C6_a_time_of_day_is_kept_as_one() -> None:
    field = CardField(id="at", titles=FIELDS["site"].titles, type="time")
    assert [read_value(field, typed, "RU") for typed in ("18:30", "9.05", "7")] == ["18:30", "09:05", "07:00"]
    assert all(isinstance(read_value(field, typed, "RU"), Unreadable) for typed in ("24:00", "12:60", "вечером"))


def test_Q2_a_phone_on_the_card_is_kept_as_one() -> None:
    assert read_value(PHONE, "8 900 123-45-67", "RU") == "+79001234567"
    assert isinstance(read_value(PHONE, "12", "RU"), Unreadable)


@given(st.text(max_size=40), st.sampled_from(sorted(FIELDS)))
def test_Q2_reading_never_fails_and_what_is_kept_reads_as_itself(typed: str, name: str) -> None:
    kept = read_value(FIELDS[name], typed, "RU")
    if isinstance(kept, str):
        assert read_value(FIELDS[name], kept, "RU") == kept
        plain_value(FIELDS[name], kept)


def test_Q2_conditions_see_numbers_as_numbers() -> None:
    assert plain_value(FIELDS["length"], "2.4") == 2.4
    assert plain_value(FIELDS["budget"], "10.00 EUR") == {"amount": 10.0, "currency": "EUR"}
    assert plain_value(FIELDS["budget"], "unknown") == "unknown"
    assert plain_value(FIELDS["length"], "written as text before") == "written as text before"

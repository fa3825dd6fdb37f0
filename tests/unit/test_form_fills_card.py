"""Further fields of a form that bear the ids of the card's fill it (Q2, K5)."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from contracts import events as e
from contracts.inbound import FormBody
from services.leads.domain.arrivals import Arrival, Said
from services.leads.domain.recognition import from_form
from tests.unit.given_pipeline import WORKSHOP


def form(**fields: str) -> Arrival:
    at = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    return Arrival(UUID(int=5), "form", "site", at, FormBody(), Said("site", fields=fields))


def test_Q2_form_fields_of_the_cards_ids_are_read_as_if_typed_there() -> None:
    (recorded,) = from_form(form(length="2,4 м", material="Дуб", score="5", colour="белый"), {}, WORKSHOP, "RU")
    assert recorded == e.CardRecorded(
        names=("length", "material", "score"), values={"length": "2.4", "material": "oak", "score": "5"}
    )


def test_Q2_a_form_overwrites_nothing_and_unreadable_values_stay_with_the_message() -> None:
    assert from_form(form(length="много", material="камень"), {"material": "oak"}, WORKSHOP, "RU") == ()
    assert from_form(form(colour="белый"), {}, WORKSHOP, "RU") == ()

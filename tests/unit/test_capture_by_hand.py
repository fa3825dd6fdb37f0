"""A lead entered by hand: a person, or a company without one (P7, P10, C3)."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from contracts import commands as c
from contracts import events as e
from contracts.commands import Refusal
from services.leads.domain.arrivals import Known, Owner, Recognised
from services.leads.domain.capturing import capture
from services.leads.domain.contact import ContactState
from services.leads.domain.decide import Surroundings
from services.leads.domain.identities import Identity
from services.leads.handlers import Reader
from services.settings import Settings
from tests.unit.given_pipeline import BEGAN, LEAD, SELLER, WORKSHOP

PHONE = Identity("phone", "+79001234567", b"p")
KNOWN = UUID(int=7)
NOBODY = Known({}, {}, {})


def entered(known: Known = NOBODY, identities: tuple[Identity, ...] = (), by: Any = SELLER, **body: Any) -> Any:
    command = c.Command(id=UUID(int=3), lead=LEAD, actor=by, body=c.Capture(**body))
    assert isinstance(command.body, c.Capture)
    around = Surroundings(("anna", "boris"))
    return capture(command, command.body, identities, known, WORKSHOP, 1, BEGAN, around)


def of_ivan(name: str | None = "Иван") -> Known:
    contact = ContactState(KNOWN, 2, name=name, identities=frozenset({("phone", PHONE.value)}))
    return Known({PHONE.hmac: Owner(KNOWN, False)}, {KNOWN: contact}, {})


def test_P10_a_company_without_any_person_is_a_lead() -> None:
    found = entered(company="Ромашка", source="выставка", card={"site": "romashka.example.org", "length": "2,4"})
    assert isinstance(found, Recognised)
    assert found.contact_is_new
    captured, stage, card = found.lead_events
    assert isinstance(captured, e.LeadCaptured)
    assert (captured.channel, captured.source, captured.company, captured.phone) == (
        "hand",
        "выставка",
        "Ромашка",
        None,
    )
    assert isinstance(stage, e.StageEntered)
    assert stage.stage == "found"
    assert isinstance(card, e.CardRecorded)
    assert card.values == {"site": "romashka.example.org", "length": "2.4"}


def test_C3_a_known_person_is_found_and_gets_no_second_open_lead() -> None:
    found = entered(of_ivan(), (PHONE,), name="Иван", phone="8 900 123-45-67")
    assert (found.contact, found.contact_is_new, found.claims) == (KNOWN, False, [])
    busy = replace(of_ivan(), open_leads={KNOWN: UUID(int=8)})
    refusal = entered(busy, (PHONE,), name="Иван", phone="8 900 123-45-67")
    assert isinstance(refusal, Refusal)
    assert (refusal.rules, refusal.status) == (("C3.one_open_lead",), 409)
    assert str(UUID(int=8)) in refusal.en


def test_C3_a_number_of_somebody_of_another_name_joins_nothing_unseen() -> None:
    found = entered(of_ivan("Пётр"), (PHONE,), name="Иван", phone="8 900 123-45-67")
    assert found.contact_is_new
    assert any(isinstance(event, e.DuplicateSuspected) for event in found.lead_events)
    assert found.share == [PHONE]


def test_C3_a_phone_that_cannot_be_read_is_told_at_once() -> None:
    refusal = entered(name="Иван", phone="12")
    assert isinstance(refusal, Refusal)
    assert refusal.rules == ("C3.readable_identity",)


def test_P7_a_recommended_client_names_who_recommended_them() -> None:
    found = entered(name="Иван", recommended_by=UUID(int=9))
    assert found.lead_events[0].recommended_by == UUID(int=9)


def test_Q2_a_card_that_cannot_be_read_makes_no_lead() -> None:
    refusal = entered(name="Иван", card={"length": "много"})
    assert isinstance(refusal, Refusal)
    assert refusal.rules == ("Q2.readable_value",)


def test_C3_a_phone_typed_among_the_cards_fields_finds_the_person_like_any() -> None:
    settings = Settings(pepper=SecretStr(base64.b64encode(b"p" * 32).decode()))
    reader = Reader(settings, None)
    body = c.Capture(company="Ромашка", card={"phone": "8 916 123-45-67", "email": "A@example.org"})
    work = reader.command(c.Command(id=UUID(int=3), lead=LEAD, actor=SELLER, body=body))
    assert [(i.kind, i.value) for i in work.identities] == [("phone", "+79161234567"), ("email", "a@example.org")]

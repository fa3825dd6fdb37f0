"""Rows of an import on the pure domain: typed cards, ways back, reasons, bad data (P10, Q2, P4, C1)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from contracts import events as e
from contracts.commands import Refusal
from contracts.inbound import FormBody
from contracts.meta import Actor
from contracts.pipeline import Pipeline
from services.leads.domain.arrivals import Known, Recognised
from services.leads.domain.decide import Surroundings
from services.leads.domain.history import HistoryRow, advance, capture
from services.leads.domain.identities import Identity
from services.pipelines.language import read_pipeline
from tests.unit.given_pipeline import BEGAN, CONTACT, LEAD, WORKSHOP, Story, refused_by

NOW = BEGAN + timedelta(days=30)
IMPORT = Actor(id="import:crm", kind="import")
AROUND = Surroundings(("anna", "helen"), history=True)


def row(stage: str, **more: Any) -> HistoryRow:
    return HistoryRow(UUID(int=9), LEAD, CONTACT, "workshop", stage, BEGAN, "crm", IMPORT, **more)


def captured(taken: HistoryRow) -> Recognised:
    found = capture(taken, BEGAN, Known({}, {}, {}, {}), WORKSHOP, 1, NOW, AROUND)
    assert isinstance(found, Recognised), found
    return found


def advanced(story: Story, taken: HistoryRow, pipeline: Pipeline = WORKSHOP) -> Any:
    """What a further row makes of a story: its events, or the refusal."""
    return advance(story.lead, taken, story.now, pipeline, story.now + timedelta(days=1), AROUND)


def test_Q2_the_first_row_of_a_case_is_read_by_the_types_of_the_card() -> None:
    found = captured(row("found", card={"material": "Дуб", "length": "2,4 м", "budget": "90 000"}))
    (card,) = [event for event in found.lead_events if isinstance(event, e.CardRecorded)]
    assert card.values == {"material": "oak", "length": "2.4", "budget": "90000.00 RUB"}


def test_Q2_a_first_row_whose_card_cannot_be_read_is_refused_without_repeating_the_value() -> None:
    answer = capture(row("found", card={"length": "Иванова"}), BEGAN, Known({}, {}, {}, {}), WORKSHOP, 1, NOW, AROUND)
    assert "Иванова" not in refused_by(answer, "Q2.readable_value").ru


def test_P4_a_row_comes_back_to_the_stage_it_names_or_is_refused() -> None:
    """The workshop's closed leads come back to «Контакт», whichever stage they had left."""
    story = Story().given("record", fields={"company": "Ромашка", "site": "romashka.example"})
    story.given("establish", fact="interested")
    story.given("record", fields={"length": "2", "material": "Дуб"}).given("move", to="meeting")
    story.given("reject", status="closed", reason="price").later(days=1)
    refused_by(advanced(story, row("meeting")), "S3.closed_stays_closed")
    events = advanced(story, row("contact"))
    assert [event.stage for event in events if isinstance(event, e.StageEntered)] == ["contact"]


def test_C1_a_row_gives_the_reason_of_its_status_by_id_title_or_in_words() -> None:
    for said, reason, comment in (("price", "price", None), ("Дорого", "price", None), ("так", None, "так")):
        rejected, _ = advanced(Story(), row("closed", reason=said))
        assert (rejected.reason, rejected.comment) == (reason, comment)
        _, first, stage = captured(row("closed", reason=said)).lead_events
        assert first == rejected
        assert isinstance(stage, e.StageEntered)


def test_C1_of_bad_data_nothing_of_the_person_is_taken_over() -> None:
    person = FormBody(name="Анна", phone="+79161234567", fields={"Бюджет": "90"}, source="expo")
    identity = Identity("phone", "+79161234567", b"hmac")
    for stage, reason in (("spam", None), ("closed", "nobody")):
        found = captured(row(stage, reason=reason, person=person, identities=(identity,), card={"site": "a.example"}))
        assert (found.claims, found.contact_events) == ([], [e.ContactMade()])
        lead = next(event for event in found.lead_events if isinstance(event, e.LeadCaptured))
        assert (lead.name, lead.phone, lead.fields, lead.source) == (None, None, {}, "expo")
        assert not any(isinstance(event, e.CardRecorded) for event in found.lead_events)


def test_S2_a_history_is_held_to_stated_moves_but_not_to_their_conditions() -> None:
    text = """
pipeline: workshop
titles: {ru: "Мастерская", en: "Workshop"}
conversion_point: deal
fields: [{id: score, titles: {ru: "Оценка", en: "Score"}, type: number}]
stages:
  - id: found
    titles: {ru: "Объект", en: "Found"}
    kind: open
    moves: [{to: work, when: "card.score > 5.0"}]
  - {id: work, titles: {ru: "В работе", en: "In work"}, kind: open}
  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won}
"""
    pipeline = read_pipeline(text, "workshop.yaml")
    story = Story(pipeline)
    assert not isinstance(advanced(story, row("work"), pipeline), Refusal)
    refused_by(advanced(story, row("deal"), pipeline), "P4.stated_moves")
    refused_by(story.give("move", to="work"), "P4.move_condition")

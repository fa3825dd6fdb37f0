"""A lead's win opens a deal in a pipeline of its own, which goes through the same stage engine (C6, D1, decision 7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import orjson
import pytest

from contracts.inbound import TYPE_OF_CHANNEL
from contracts.meta import Actor
from services.clock import SystemClock
from services.database import Pool
from services.eventlog.consuming import RawRecord
from services.leads.domain.deals import deal_of
from services.leads.publishing import archive as archiving
from services.leads.publishing.run import Asked, look
from services.ops.history import describe
from services.pipelines.bundled import pipeline_file
from services.pipelines.registry import publish
from services.settings import Settings
from tests.integration.deals_case import LESSON, PIPELINE, applied, state_of, told, types, won
from tests.integration.leads_case import HEAD, Leads, running


@pytest.fixture
async def leads(settings: Settings, pool: Pool) -> AsyncIterator[Leads]:
    async with running(settings, pool, at_once=False) as it:
        yield it


async def streams_of_deals(leads: Leads) -> list[UUID]:
    rows = await leads.pool.fetch("SELECT DISTINCT originator_id FROM leadline.events WHERE kind = 'deal'")
    return [row[0] for row in rows]


async def test_C6_an_english_lead_that_wins_stands_as_a_deal_on_stage_one(leads: Leads) -> None:
    lead, deal = await won(leads)
    assert await streams_of_deals(leads) == [deal]
    history = await told(leads, deal)
    assert [recorded.meta.type for recorded in history] == [
        f"leadline.deal.{name}" for name in ("opened", "stage_entered", "assigned")
    ]
    opened, entered, assigned = history
    of_lead = await told(leads, lead)
    win = of_lead[-1]
    assert win.data.stage == "deal"
    assert win.data.kind == "won"
    assert {recorded.meta.command for recorded in history} == {win.meta.command}
    assert {recorded.meta.causation for recorded in history} == {win.meta.event_id}
    assert {recorded.meta.happened_at for recorded in history} == {win.meta.happened_at}
    assert {recorded.meta.kind for recorded in history} == {"deal"}
    assert {recorded.meta.pipeline for recorded in history} == {"trial_lesson@1"}
    assert (opened.data.lead, opened.data.contact) == (lead, of_lead[0].data.contact)
    assert (opened.data.source, opened.data.channel) == (of_lead[0].data.source, of_lead[0].data.channel)
    assert (entered.data.stage, entered.data.visit) == ("booked", 1)
    assert assigned.data.to == (await state_of(leads, lead)).responsible
    assert not any(recorded.data.PERSONAL & set(recorded.data.model_fields_set) for recorded in history[:2])
    assert describe(entered) == "stage entered booked (open, visit 1, captured, in)"
    topics = await leads.pool.fetch("SELECT DISTINCT topic FROM leadline.outbox WHERE stream = $1", deal)
    assert [row[0] for row in topics] == ["deals.events"]


async def test_C6_a_lead_that_has_not_won_is_no_deal(leads: Leads) -> None:
    lead = await applied(leads)
    await leads.send(lead, "hold", kind="call")
    assert await streams_of_deals(leads) == []


async def test_C6_nothing_is_copied_a_deal_shows_what_its_lead_says_under_what_it_says_itself(leads: Leads) -> None:
    lead, deal = await won(leads)
    shown = await state_of(leads, deal)
    assert (shown.name, shown.phone, shown.email) == ("Анна Смирнова", "+79161234567", "anna@example.org")
    assert shown.card["lesson_time"] == "18:30"
    stored = await leads.pool.fetch("SELECT state FROM leadline.events WHERE originator_id = $1", deal)
    assert not any(b'"personal"' in row["state"] for row in stored)
    await leads.send(lead, "record", fields={"lesson_time": "19:00", "name": "Анна Петрова"})
    shown = await state_of(leads, deal)
    assert (shown.card["lesson_time"], shown.name) == ("19:00", "Анна Петрова")
    await leads.send(deal, "record", fields={"name": "Аня", "company": "ООО «Ромашка»"})
    assert (await state_of(leads, deal)).name == "Аня"
    assert (await state_of(leads, lead)).name == "Анна Петрова"
    await leads.send(deal, "record", fields={"name": "", "email": "", "company": ""})
    cleared = await state_of(leads, deal)
    assert (cleared.name, cleared.email, cleared.company) == (None, None, None)


async def test_C6_whether_the_pupil_came_moves_the_deal_by_itself(leads: Leads) -> None:
    _, deal = await won(leads)
    refused = await leads.send(deal, "move", to="held")
    assert refused.refusal is not None
    assert refused.refusal.rules == ("S2.exit_criteria",)
    result = await leads.send(deal, "establish", fact="attended", value="yes")
    assert result.outcome == "done", result.refusal
    assert (await types(leads, deal))[-2:] == ["fact_established", "stage_entered"]
    state = await state_of(leads, deal)
    assert (state.stage, state.entered_by) == ("held", "auto")
    won_it = await leads.send(deal, "convert")
    assert won_it.outcome == "done", won_it.refusal
    assert (await types(leads, deal))[-2:] == ["converted", "stage_entered"]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("plan", {"kind": "call", "text": "Спросить о занятии"}),
        ("assign", {"to": "boris"}),
        ("hold", {"kind": "meeting"}),
        ("send", {"document": "contract"}),
        ("attach", {"name": "договор.pdf", "link": "https://example.org/1"}),
        ("offer", {"volume": "курс", "price": {"amount": "30000", "currency": "RUB"}, "delivery_days": 5}),
        ("see", {}),
        ("accept", {}),
        ("reject", {"status": "not_bought", "reason": "price"}),
    ],
)
async def test_D1_a_deal_takes_the_commands_of_a_lead(leads: Leads, name: str, body: dict[str, object]) -> None:
    _, deal = await won(leads)
    version = (await state_of(leads, deal)).version
    result = await leads.send(deal, name, by=HEAD, **body)
    assert result.outcome == "done", result.refusal
    history = await leads.history(deal)
    assert len(history) > version
    assert {recorded.meta.kind for recorded in history} == {"deal"}
    assert all(recorded.meta.type.startswith("leadline.deal.") for recorded in history)


async def test_C6_repeats_and_races_open_one_deal(leads: Leads) -> None:
    lead = await applied(leads)
    command = uuid4()
    await leads.send(lead, "hold", kind="call")
    await asyncio.gather(*(leads.send(lead, "convert", by=HEAD, override="сразу", id=command) for _ in range(5)))
    await asyncio.gather(*(leads.send(lead, "convert", by=HEAD, override="сразу") for _ in range(5)))
    assert await types(leads, deal_of(lead, PIPELINE)) == ["opened", "stage_entered", "assigned"]


async def test_C6_a_call_that_wins_opens_one_deal_however_often_it_is_delivered(settings: Settings, pool: Pool) -> None:
    async with running(settings.model_copy(update={"default_pipeline": "english"}), pool, at_once=False) as leads:
        lead = await applied(leads)
        assert (await leads.send(lead, "record", fields=LESSON)).outcome == "done"
        call = {
            "call_id": "pbx-1",
            "direction": "out",
            "from": "+74951234567",
            "to": "+79161234567",
            "answered": True,
            "started_at": "2026-11-25T09:00:00Z",
            "ended_at": "2026-11-25T09:05:00Z",
        }
        headers = [("ce_type", TYPE_OF_CHANNEL["call"].encode()), ("ce_source", b"pbx"), ("ce_id", b"call-1")]
        record = RawRecord("leads.inbound", 0, 1, None, orjson.dumps(call), headers, 1_700_000_000_000)
        for _ in range(3):
            await asyncio.gather(leads.take(leads.reader.direct(record)), leads.take(leads.reader.direct(record)))
        assert (await state_of(leads, lead)).kind == "won"
        deal = deal_of(lead, PIPELINE)
        assert await streams_of_deals(leads) == [deal]
        assert await types(leads, deal) == ["opened", "stage_entered", "assigned"]
        (opened, *_) = await told(leads, deal)
        win = (await told(leads, lead))[-1]
        assert (opened.meta.causation, opened.meta.correlation) == (win.meta.event_id, win.meta.correlation)
        assert opened.meta.actor.id == "pipeline-rules"


async def test_M3_deals_go_on_under_the_next_version_of_their_pipeline(leads: Leads) -> None:
    _, deal = await won(leads)
    file = pipeline_file(PIPELINE)
    assert file is not None
    text = file.read_text(encoding="utf-8").replace("Предложить курс", "Предложить курс и место в группе")
    _, number = await publish(leads.pool, SystemClock(), text, Actor(id="tests", kind="system"))
    assert number == 2
    adopted = await leads.send(deal, "adopt", by=HEAD, pipeline=PIPELINE, number=2)
    assert adopted.outcome == "done", adopted.refusal
    last = (await told(leads, deal))[-1]
    assert last.meta.type == "leadline.deal.adopted"
    state = await state_of(leads, deal)
    assert (state.pipeline_number, state.stage) == (2, "booked")
    places = await leads.pool.fetch("SELECT number, stage FROM leadline.lead_places WHERE lead = $1", deal)
    assert [tuple(row) for row in places] == [(2, "booked")]


async def test_N12_an_undone_win_withdraws_the_deal_and_a_second_win_brings_the_same_back(leads: Leads) -> None:
    lead, deal = await won(leads)
    await leads.send(deal, "establish", fact="attended", value="no")
    undone = await leads.send(lead, "undo", by=HEAD, reason="поспешили")
    assert undone.outcome == "done", undone.refusal
    assert (await types(leads, deal))[-1] == "withdrawn"
    state = await state_of(leads, deal)
    assert state.withdrawn
    assert not state.is_open
    for name, body in (("record", {"fields": {"name": "А"}}), ("move", {"to": "bought"}), ("undo", {"reason": "а"})):
        refused = await leads.send(deal, name, by=HEAD, **body)
        assert refused.refusal is not None, name
        assert refused.refusal.rules == ("D1.not_withdrawn",)
    again = await leads.send(lead, "convert", by=HEAD)
    assert again.outcome == "done", again.refusal
    assert await streams_of_deals(leads) == [deal]
    assert (await types(leads, deal))[-2:] == ["withdrawn", "restored"]
    state = await state_of(leads, deal)
    assert (state.stage, state.is_open) == ("held", True)
    assert (await leads.send(deal, "move", to="bought")).outcome == "done"


async def test_D1_a_deal_claims_nothing_its_person_may_apply_anew(leads: Leads) -> None:
    lead, deal = await won(leads)
    claims = await leads.pool.fetch("SELECT lead FROM leadline.open_leads")
    assert [row[0] for row in claims] == []
    second = await applied(leads, name="Анна Смирнова")
    assert second != lead
    assert [row[0] for row in await leads.pool.fetch("SELECT lead FROM leadline.open_leads")] == [second]
    assert (await leads.send(deal, "reject", status="not_bought", reason="price")).outcome == "done"
    assert (await leads.send(deal, "reopen")).outcome == "done"
    assert [row[0] for row in await leads.pool.fetch("SELECT lead FROM leadline.open_leads")] == [second]


async def test_D1_leads_are_merged_not_deals(leads: Leads) -> None:
    lead, deal = await won(leads)
    other = await applied(leads, phone="+79160000000", email="other@example.org")
    for stream, into in ((deal, lead), (other, deal)):
        refused = await leads.send(stream, "merge", by=HEAD, into=into)
        assert refused.refusal is not None
        assert refused.refusal.rules == ("D1.on_the_lead",)
    taken = await leads.send(deal, "capture", name="Кто-то", phone="+79165550000")
    assert taken.refusal is not None
    assert taken.refusal.status == 409


async def test_M7_erasing_the_person_covers_the_deal(leads: Leads) -> None:
    lead, deal = await won(leads)
    await leads.send(deal, "record", fields={"name": "Аня"})
    contact = (await state_of(leads, lead)).contact
    assert (await leads.erase(contact)).outcome == "done"
    state = await state_of(leads, deal)
    assert state.erased
    assert state.name is None
    assert state.card == {}
    refused = await leads.send(deal, "record", fields={"name": "Аня"})
    assert refused.refusal is not None
    assert refused.refusal.rules == ("M7.not_erased",)
    places = await leads.pool.fetch("SELECT lead, erased FROM leadline.lead_places WHERE lead = $1", deal)
    assert [tuple(row) for row in places] == [(deal, True)]


async def test_C3_whose_phone_it_is_that_is_written_in_a_deal_is_said_on_its_lead(leads: Leads) -> None:
    await applied(leads, name="Пётр", phone="+79167654321", email="petr@example.org")
    lead, deal = await won(leads)
    result = await leads.send(deal, "record", fields={"phone": "+79167654321"})
    assert result.outcome == "done", result.refusal
    assert (await types(leads, deal))[-1] == "card_recorded"
    assert (await types(leads, lead))[-1] == "duplicate_suspected"


async def test_K5_a_message_that_names_the_deal_comes_to_the_deal(leads: Leads) -> None:
    _, deal = await won(leads)
    letter = {"sender": "anna@example.org", "subject": "Re: занятие", "text": "Приду", "thread": str(deal)}
    headers = [("ce_type", TYPE_OF_CHANNEL["mail"].encode()), ("ce_source", b"imap"), ("ce_id", b"letter-1")]
    work = leads.reader.direct(RawRecord("leads.inbound", 0, 1, None, orjson.dumps(letter), headers, 1_700_000_000_000))
    await leads.take(work)
    outcome = await leads.outcome(work)
    assert (outcome["outcome"], outcome["lead"]) == ("joined", deal), outcome
    assert (await types(leads, deal))[-1] == "letter_received"


SHOP = """
pipeline: shop_{name}
titles: {{ru: "Лавка", en: "Shop"}}
conversion_point: sold
stages:
  - id: fresh
    titles: {{ru: "Новая заявка", en: "New request"}}
    kind: open
    exit: [{{fact: call_held}}]
  - {{id: sold, titles: {{ru: "Продано", en: "Sold"}}, kind: won, deal: {{pipeline: {deals}}}}}
  - {{id: lost, titles: {{ru: "Некачественный", en: "Poor"}}, kind: lost}}
"""


async def test_M3_a_pipeline_of_deals_is_there_before_it_is_named_and_stays_while_it_is(leads: Leads) -> None:
    name, deals = f"b{uuid4().hex[:8]}", f"c{uuid4().hex[:8]}"
    text, tests = SHOP.format(name=name, deals=f"shop_{deals}"), Actor(id="tests", kind="system")

    async def objections() -> list[tuple[str, str]]:
        async with leads.pool.acquire() as database:
            return [(found.what, found.at) for found in (await look(database, Asked(text))).objections]

    assert await objections() == [("deal_pipeline", "sold")]
    await publish(leads.pool, SystemClock(), SHOP.format(name=deals, deals=PIPELINE), tests)
    assert await objections() == []
    await publish(leads.pool, SystemClock(), text, tests)
    with pytest.raises(archiving.CannotArchiveError, match=f"shop_{name}"):
        await archiving.archive(leads.pool, SystemClock(), f"shop_{deals}", tests, "classic")
    await archiving.archive(leads.pool, SystemClock(), f"shop_{name}", tests, "classic")
    await archiving.archive(leads.pool, SystemClock(), f"shop_{deals}", tests, "classic")
    assert await objections() == [("archived", f"shop_{name}"), ("deal_pipeline", "sold")]


async def test_C6_where_the_pipeline_takes_no_deals_the_lead_is_won_and_everyone_is_told(leads: Leads) -> None:
    name = f"a{uuid4().hex[:8]}"
    text = SHOP.format(name=name, deals="nowhere_yet")
    await publish(leads.pool, SystemClock(), text, Actor(id="tests", kind="system"))
    lead = uuid4()
    await leads.send(lead, "capture", pipeline=f"shop_{name}", name="Иван", phone="+79161112233")
    await leads.send(lead, "hold", kind="call")
    result = await leads.send(lead, "convert")
    assert result.outcome == "done"
    assert (await state_of(leads, lead)).kind == "won"
    assert await streams_of_deals(leads) == []
    told = await leads.pool.fetch("SELECT value FROM leadline.outbox WHERE topic = 'leads.refusals'")
    assert any(b"D1.pipeline_takes_deals" in row["value"] for row in told)

"""Deals on everything that reads the log: board, timeline, funnel, BI, API, pages, history, verify (C6, D1, M2, K4)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from projections.all import PROJECTIONS
from projections.rebuild.run import rebuild
from services.database import Pool
from services.ops.verify.run import verify
from services.privacy.store import KeyRing
from services.settings import Settings
from tests.eventlog_builders import until
from tests.integration.deals_case import PIPELINE, applied, state_of, won
from tests.integration.leads_case import HEAD
from tests.integration.web_case import Web, command, door_over, whole_system

pytestmark = pytest.mark.kafka

BEHIND = """
SELECT count(*) FROM (SELECT originator_id, max(originator_version) AS last FROM leadline.events
                      WHERE kind IN ('lead', 'deal', 'contact', 'company') GROUP BY 1) AS e
LEFT JOIN leadline.seen AS s ON s.stream = e.originator_id AND s.consumer = 'projections'
WHERE s.version IS DISTINCT FROM e.last
"""


@pytest.fixture
async def web(settings: Settings, pool: Pool) -> AsyncIterator[Web]:
    async with whole_system(settings, pool) as system, door_over(system, pool, at_once=False) as it:
        yield it


async def shown(web: Web) -> None:
    """Wait until the projections have read all there is."""

    async def caught_up() -> bool:
        return not await web.pool.fetchval(BEHIND)

    await until(caught_up, "the projections have read all")


async def columns_of(web: Web, pipeline: str) -> dict[str, list[dict[str, object]]]:
    async with web.api("seller") as api:
        board = (await api.get(f"/api/boards/{pipeline}")).json()
    return {column["stage"]["id"]: column["cards"] for column in board["columns"]}


async def test_C6_the_deal_is_on_its_board_with_what_the_lead_says_and_moves_when_the_pupil_came(web: Web) -> None:
    lead, deal = await won(web.leads)
    await shown(web)
    columns = await columns_of(web, PIPELINE)
    assert [card["lead"] for card in columns["booked"]] == [str(deal)]
    card = columns["booked"][0]
    assert (card["name"], card["deal_of"], card["source"]) == ("Анна Смирнова", str(lead), "by_hand")
    assert card["responsible"] == (await state_of(web.leads, lead)).responsible
    assert [card["lead"] for card in (await columns_of(web, "english"))["deal"]] == [str(lead)]
    await web.leads.send(lead, "record", fields={"name": "Анна Петрова"})
    async with web.api("seller") as api:
        answer = await api.post(f"/api/deals/{deal}/commands/establish", json={"fact": "attended", "value": "yes"})
        assert answer.status_code == 200, answer.text
        events = [event["type"] for event in answer.json()["events"]]
        assert [name for name in events if ".robot_" not in name] == [
            "leadline.deal.fact_established",
            "leadline.deal.stage_entered",
        ]
    await shown(web)
    columns = await columns_of(web, PIPELINE)
    assert columns["booked"] == []
    assert [(card["lead"], card["name"]) for card in columns["held"]] == [(str(deal), "Анна Петрова")]


async def test_D1_the_api_finds_a_deal_by_its_lead_and_the_lead_by_its_deal(web: Web) -> None:
    lead, deal = await won(web.leads)
    await shown(web)
    async with web.api("seller") as api:
        of_lead = (await api.get(f"/api/leads/{lead}")).json()
        assert (of_lead["deals"], of_lead["deal_of"]) == ([str(deal)], None)
        found = (await api.get(f"/api/deals/{deal}")).json()
        assert (found["deal_of"], found["deals"], found["name"]) == (str(lead), [], "Анна Смирнова")
        assert found["stage"]["id"] == "booked"
        assert found["next_step"]["en"] == "After the lesson, record whether the pupil came"
        assert found["last_step"]["ru"] == "Стадия «Записан на занятие»"
        check = (await api.get(f"/api/deals/{deal}/check", params={"to": "held"})).json()
        assert (check["allowed"], [item["id"] for item in check["missing"]]) == (False, ["attended"])
        history = (await api.get(f"/api/deals/{deal}/history")).json()["items"]
        names = [event["type"].rpartition(".")[2] for event in history]
        assert names == ["opened", "stage_entered", "assigned", "robot_armed", "robot_armed"]
        assert (await api.get(f"/api/deals/{lead}")).status_code == 404
        assert (await command(api, deal, "record", {"fields": {"name": "Аня"}})).status_code == 200
        preview = await api.get(f"/api/leads/{deal}/merge/preview", params={"into": str(lead)})
        assert preview.status_code == 422


async def test_D1_the_pages_link_lead_and_deal_and_the_deals_forms_work(web: Web) -> None:
    lead, deal = await won(web.leads)
    await shown(web)
    browser = await web.signed_in("seller")
    page = (await browser.get(f"/leads/{lead}")).text
    assert f'href="/leads/{deal}"' in page
    assert "Лид стал сделкой" in page
    page = (await browser.get(f"/leads/{deal}")).text
    assert f'href="/leads/{lead}"' in page
    assert "Сделка лида" in page
    assert "Записан на занятие" in page
    assert "Анна Смирнова" in page
    assert "leadline.deal." not in page, "every event of a deal is told in words"
    assert f'action="/leads/{deal}/merge"' not in page
    board = (await browser.get(f"/boards/{PIPELINE}")).text
    assert f'href="/leads/{deal}"' in board


async def test_D1_pages_and_answers_about_a_deal_speak_of_a_deal(web: Web) -> None:
    lead, deal = await won(web.leads)
    await shown(web)
    browser = await web.signed_in("seller")
    for stream, ru, en in ((lead, ("Лид", "лид"), "lead"), (deal, ("Сделка", "сделка"), "deal")):
        page = (await browser.get(f"/leads/{stream}?lang=ru")).text
        assert f'aria-label="{ru[0]}"' in page
        assert f"{ru[1]} " in page
        assert "⟨" not in page
        assert f'aria-label="{en.capitalize()}"' in (await browser.get(f"/leads/{stream}?lang=en")).text
    async with web.api("seller") as api:
        for stream, words in ((lead, "Выигранный лид не возобновляют."), (deal, "Сделка и так в работе.")):
            answer = await api.post(f"/api/leads/{stream}/commands/reopen", json={"reason": "x"})
            assert (answer.status_code, answer.json()["rule"]) == (422, "S3.reopen_what_was_closed")
            assert words in answer.json()["ru"]


async def test_D1_pages_of_a_pipeline_of_deals_speak_of_deals(web: Web) -> None:
    await won(web.leads)
    await shown(web)
    browser = await web.signed_in("head")
    for path, of_leads, of_deals in (
        ("/funnels/{}", "Берутся лиды", "Берутся сделки"),
        ("/forecast/{}", "как лиды шли", "как сделки шли"),
        ("/boards/{}/people", "Сколько лидов", "Сколько сделок"),
    ):
        for pipeline, words, not_said in (("english", of_leads, of_deals), (PIPELINE, of_deals, of_leads)):
            answer = await browser.get(f"{path.format(pipeline)}?lang=ru")
            assert answer.status_code == 200, path
            assert words in answer.text
            assert not_said not in answer.text
            assert "⟨" not in answer.text


async def test_N12_a_withdrawn_deal_stands_on_no_board_and_comes_back(web: Web) -> None:
    lead, deal = await won(web.leads)
    await web.leads.send(lead, "undo", by=HEAD, reason="поспешили")
    await shown(web)
    assert (await columns_of(web, PIPELINE))["booked"] == []
    async with web.api("head") as api:
        funnel = (await api.get(f"/api/funnels/{PIPELINE}")).json()
        stages = {stage["stage"]["id"]: stage for stage in funnel["total"]["stages"]}
        assert {way: stages["booked"][way]["count"] for way in ("entries", "merged_away", "still_there", "lost")} == {
            "entries": 1,
            "merged_away": 1,
            "still_there": 0,
            "lost": 0,
        }
        assert (await api.get(f"/api/deals/{deal}")).json()["withdrawn"] is True
    browser = await web.signed_in("head")
    assert "Конвертацию лида отменили" in (await browser.get(f"/leads/{deal}")).text
    assert (await verify(web.leads.settings, range_events=7)).differences == []
    again = await web.leads.send(lead, "convert", by=HEAD)
    assert again.outcome == "done", again.refusal
    await shown(web)
    assert [card["lead"] for card in (await columns_of(web, PIPELINE))["booked"]] == [str(deal)]
    report = await verify(web.leads.settings, range_events=7)
    assert report.differences == []


async def test_M2_verify_agrees_with_deals_in_every_state_and_a_rebuild_gives_the_same(
    web: Web, settings: Settings, pool: Pool
) -> None:
    made: list[tuple[UUID, UUID]] = []
    for number in range(5):
        made.append(
            await won(web.leads, name=f"Клиент {number}", phone=f"+7916000000{number}", email=f"k{number}@example.org")
        )
    await web.leads.send(made[0][1], "establish", fact="attended", value="no")
    await web.leads.send(made[0][1], "reject", status="not_bought", reason="price")
    await web.leads.send(made[1][1], "record", fields={"name": "", "company": "ООО «Ромашка»"})
    await web.leads.send(made[2][1], "record", fields={"name": "Другое имя"})
    await web.leads.send(made[2][0], "undo", by=HEAD, reason="поспешили")
    await web.leads.send(made[3][1], "establish", fact="attended", value="yes")
    await web.leads.send(made[3][1], "undo", by=HEAD, reason="ошиблись")
    await web.leads.send(made[4][1], "record", fields={"name": "Забудьте меня"})
    await web.leads.send(
        made[3][1], "offer", volume="курс", price={"amount": "30000", "currency": "RUB"}, delivery_days=5
    )
    contact = (await state_of(web.leads, made[4][0])).contact
    await web.leads.erase(contact)
    await applied(web.leads, phone="+79169999999", email="new@example.org")
    await shown(web)
    report = await verify(settings, range_events=7)
    assert report.differences == []
    assert report.counts["open leads"] == 2  # the new one, and the one whose conversion was undone: deals claim nothing
    for projection in PROJECTIONS:
        rebuilt = await rebuild(pool, KeyRing(settings.master_key_bytes), projection, settings.kafka_partitions)
        assert rebuilt.comparison is not None
        assert rebuilt.comparison.equal, projection.name
    columns = await columns_of(web, PIPELINE)
    assert {stage: len(cards) for stage, cards in columns.items() if cards} == {"booked": 2, "held": 1, "not_bought": 1}
    names = {card["lead"]: card["name"] for cards in columns.values() for card in cards}
    assert names[str(made[1][1])] is None  # cleared on the deal
    assert names[str(made[4][1])] is None  # erased


async def test_K4_bi_has_leads_and_deals_apart(web: Web, settings: Settings) -> None:
    lead, deal = await won(web.leads)
    await shown(web)
    bi = await asyncpg.connect(settings.database_bi_url.get_secret_value(), timeout=10)
    try:
        assert [row[0] for row in await bi.fetch("SELECT lead FROM bi.leads")] == [lead]
        rows = await bi.fetch("SELECT deal, lead, pipeline, stage, name, source, withdrawn, erased FROM bi.deals")
        assert [tuple(row) for row in rows] == [
            (deal, lead, PIPELINE, "booked", "Анна Смирнова", "by_hand", False, False)
        ]
        visits = await bi.fetch("SELECT stage, cause FROM bi.stage_visits WHERE lead = $1", deal)
        assert [tuple(row) for row in visits] == [("booked", "captured")]
        assert await bi.fetchval("SELECT count(*) FROM bi.timeline WHERE lead = $1", deal) == 5
    finally:
        await bi.close()

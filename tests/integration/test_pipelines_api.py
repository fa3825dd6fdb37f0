"""Pipelines over HTTP and as pages: versions, publishing for heads, the archive (M3, N14, N26)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.clock import SystemClock
from services.database import Pool
from services.pipelines import registry
from services.settings import Settings
from services.web import api_pipelines
from tests.integration.leads_case import HEAD
from tests.integration.publishing_case import MAPPING, fourteen, seven, text_of, unique
from tests.integration.web_case import Web, command, door_over

NAME = "fourteen"


@pytest.fixture
def pipeline() -> str:
    return unique(NAME)


@pytest.fixture
async def web(settings: Settings, pool: Pool, pipeline: str) -> AsyncIterator[Web]:
    """The door; new leads come to a pipeline of 14 stages."""
    await registry.publish(pool, SystemClock(), fourteen(pipeline), HEAD)
    async with door_over(settings.model_copy(update={"default_pipeline": pipeline}), pool) as running:
        yield running


async def fill(web: Web, leads: int = 6) -> None:
    """Leads in the first stages."""
    for n in range(leads):
        lead = await web.leads.lead_of(name=f"Клиент {n}", phone=f"+7900000000{n}")
        for stage in ("s02", "s03")[: n % 3]:
            await web.leads.send(lead, "move", to=stage)


async def test_M3_a_head_publishes_with_a_dry_run_first_and_goes_on_until_nobody_is_left(
    web: Web, pipeline: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_pipelines, "MOVED_AT_ONCE", 4)
    await fill(web)
    asked = {"text": seven(pipeline), "adopt_open": True, "map": MAPPING}
    async with web.api("head") as head, web.api("seller") as seller:
        assert (await seller.post("/api/pipelines", json=asked)).status_code == 403
        refused = await head.post("/api/pipelines", json={"text": seven(pipeline)})
        assert refused.status_code == 422
        assert [(o["what"], o["at"]) for o in refused.json()["objections"]] == [
            ("stage_in_use", "s02"),
            ("stage_in_use", "s03"),
        ]
        dry = (await head.post("/api/pipelines", json={**asked, "dry_run": True})).json()
        assert (dry["number"], dry["new"], dry["moved"], dry["left"], dry["refused"]) == (2, True, 4, 2, [])
        assert {(m["stage"], m["to"], m["leads"]) for m in dry["moves"]} == {
            ("s01", "s01", 2), ("s02", "contact", 2), ("s03", "contact", 2),
        }  # fmt: skip
        assert (await seller.get(f"/api/pipelines/{pipeline}")).json()["number"] == 1, "nothing was written"
        first = (await head.post("/api/pipelines", json=asked)).json()
        assert (first["number"], first["new"], first["moved"], first["left"]) == (2, True, 4, 2)
        second = (await head.post("/api/pipelines", json=asked)).json()
        assert (second["number"], second["new"], second["moved"], second["left"]) == (2, False, 2, 0)
        wrong = await head.post("/api/pipelines", json={"text": "pipeline: Нет"})
        assert wrong.status_code == 422
        assert wrong.json()["type"].endswith(":pipeline")
        whole = (await seller.get(f"/api/pipelines/{pipeline}")).json()
        assert [(v["number"], v["leads"]) for v in whole["versions"]] == [(2, 6), (1, 0)]
        assert {row["stage"]["id"]: row["leads"] for row in whole["stages"] if row["leads"]} == {
            "s01": {"open": 2},
            "contact": {"open": 4},
        }
        version = (await seller.get(f"/api/pipelines/{pipeline}/versions/2")).json()
        assert version["source"] == seven(pipeline)
        assert "stage_removed" in {change["what"] for change in version["changes"]}
        assert (await seller.get(f"/api/pipelines/{pipeline}/versions/9")).status_code == 404
        assert (await seller.get("/api/pipelines/none")).status_code == 404
        assert (await web.client().get("/api/pipelines")).status_code == 401


async def test_M3_heads_adopt_by_the_api_and_sellers_do_not(web: Web, pool: Pool, pipeline: str) -> None:
    lead = await web.leads.lead_of(name="Анна", phone="+79000000001")
    async with web.api("head") as head, web.api("seller") as seller:
        await head.post("/api/pipelines", json={"text": seven(pipeline)})
        refused = await command(seller, lead, "adopt", {"pipeline": pipeline, "number": 2})
        assert (refused.status_code, refused.json()["rule"]) == (422, "M3.who_adopts")
        done = await command(head, lead, "adopt", {"pipeline": pipeline, "number": 2, "comment": "по новой"})
        assert done.status_code == 200, done.text
        assert [event["type"] for event in done.json()["events"]] == ["leadline.lead.adopted"]
        assert (await seller.get(f"/api/leads/{lead}")).json()["pipeline_version"] == 2


async def test_N14_archive_over_http_names_what_is_in_the_way(web: Web, pool: Pool, pipeline: str) -> None:
    other = unique("repair")
    await registry.publish(pool, SystemClock(), text_of(other, ["work open Работа", "deal won Сделка"]), HEAD)
    lead = await web.leads.lead_of(name="Анна", phone="+79000000001")
    async with web.api("head") as head, web.api("seller") as seller:
        assert (
            await command(head, lead, "adopt", {"pipeline": other, "number": 1, "stage": "work"})
        ).status_code == 200
        assert (await seller.post(f"/api/pipelines/{other}/archive")).status_code == 403
        in_the_way = await head.post(f"/api/pipelines/{other}/archive")
        assert in_the_way.status_code == 409
        assert (in_the_way.json()["in_the_way"], in_the_way.json()["leads"]) == (
            1,
            [{"lead": str(lead), "stage": "work"}],
        )
        assert (await head.post(f"/api/pipelines/{pipeline}/archive")).json()["type"].endswith(":default-pipeline")
        assert (await head.post("/api/pipelines/none/archive")).status_code == 404
        assert (await command(head, lead, "move", {"to": "deal"})).status_code == 200
        archived = (await head.post(f"/api/pipelines/{other}/archive")).json()
        assert (archived["archived"], archived["changed"]) == (True, True)
        listed = {one["pipeline"]: one for one in (await seller.get("/api/pipelines")).json()["items"]}
        assert listed[other]["archived_at"] is not None
        assert listed[pipeline]["default"]
        refused = await head.post(
            "/api/pipelines", json={"text": text_of(other, ["work open Дело", "deal won Сделка"])}
        )
        assert [o["what"] for o in refused.json()["objections"]] == ["archived"]
        assert (await head.post(f"/api/pipelines/{other}/restore")).json()["changed"]


@pytest.mark.parametrize("language", ["ru", "en"])
async def test_M3_pages_show_versions_changes_and_a_history_in_the_words_of_its_time(
    web: Web, pipeline: str, language: str
) -> None:
    await fill(web, 3)
    lead = await web.leads.lead_of(name="Клиент 2", phone="+79000000002")
    async with web.api("head") as head:
        await head.post("/api/pipelines", json={"text": seven(pipeline), "adopt_open": True, "map": MAPPING})
    browser = await web.signed_in("seller")
    page = await browser.get(f"/pipelines?lang={language}")
    assert page.status_code == 200
    assert f"/pipelines/{pipeline}" in page.text
    page = await browser.get(f"/pipelines/{pipeline}")
    assert page.status_code == 200
    assert ("Новая стадия «Контакт»" if language == "ru" else "New stage “Контакт (en)”") in page.text
    assert (await browser.get(f"/pipelines/{pipeline}?version=1")).status_code == 200
    assert (await browser.get(f"/pipelines/{pipeline}?version=7")).status_code == 404
    told = (await browser.get(f"/leads/{lead}?all=1")).text
    if language == "ru":
        assert "Опубликована версия 2 воронки" in told
        assert "Стадия «Шаг 3» стала стадией «Контакт»" in told
        assert "Стадия «Шаг 2» → «Шаг 3»" in told, "N14: what was called so then is told so"
    else:
        assert "Version 2 of the pipeline was published" in told
        assert "The stage “Шаг 3 (en)” became “Контакт (en)”" in told
    board = (await browser.get(f"/boards/{pipeline}")).text
    assert board


async def test_N5_a_head_is_told_that_a_new_version_has_robots_for_leads_that_are_there(
    web: Web, pipeline: str
) -> None:
    await fill(web, 3)
    robots = "robots: [{id: look, titles: {ru: а, en: b}, do: {tag: seen}}]"
    text = fourteen(pipeline).replace("id: s02,", f"id: s02, {robots},")
    page, seller = await web.signed_in("head"), await web.signed_in("seller")
    async with web.api("head") as head:
        await head.post("/api/pipelines", json={"text": text})
        assert (await head.get(f"/api/pipelines/{pipeline}")).json()["robots_added"] == [], "nobody is under it yet"
        assert "robots start" not in (await page.get(f"/pipelines/{pipeline}")).text
        await head.post("/api/pipelines", json={"text": text, "adopt_open": True})
        [told] = (await head.get(f"/api/pipelines/{pipeline}")).json()["robots_added"]
        assert (told["stage"], told["robots"], told["leads"]) == ("s02", ["look"], 1)
        assert f"leadline robots start {pipeline} --dry-run" in (await page.get(f"/pipelines/{pipeline}")).text
        assert "robots start" not in (await seller.get(f"/pipelines/{pipeline}")).text

"""Q6: an employee is told of an incident by their page being shown: the page says so itself, once, and nobody clicks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import uvicorn

from contracts import events as e
from contracts.journal import journal_of, quarter_of
from deploy.embedded.ports import free_port
from services.clock import SystemClock
from services.database import Pool
from services.pipelines.registry import publish
from services.settings import Settings
from tests.browser.demo_case import CHROMIUM, Demo, browsing
from tests.integration.conftest import pool, servers, settings, template
from tests.integration.leads_case import HEAD
from tests.integration.test_web_incidents import PIPELINE, made, missed
from tests.integration.web_case import Web, door_over, project, until

__all__ = ["pool", "servers", "settings", "template"]


@pytest.fixture
async def web(settings: Settings, pool: Pool) -> AsyncIterator[Web]:
    """The application, to be served."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    async with door_over(settings, pool, at_once=False) as made_here:
        await publish(pool, SystemClock(), PIPELINE, HEAD)
        yield made_here


async def test_Q6_the_page_tells_its_own_employee_and_no_one_clicks(web: Web, tmp_path: Path) -> None:
    incident = await missed(web, await made(web))
    await project(web)
    port = free_port(set())
    server = uvicorn.Server(uvicorn.Config(web.app, host="127.0.0.1", port=port, log_level="warning"))
    serving = asyncio.create_task(server.serve())
    await until(lambda: asyncio.sleep(0, server.started), "the page is served")
    journal = journal_of("anna", quarter_of(datetime.now(UTC), ZoneInfo("Europe/Moscow")))

    async def told() -> list[e.IncidentTold]:
        return [r.data for r in await web.leads.history(journal) if isinstance(r.data, e.IncidentTold)]

    try:
        demo = Demo(f"http://127.0.0.1:{port}", web.tokens["seller"], tmp_path)
        async with browsing(demo, "ru", tmp_path) as page:
            await page.goto("/login")
            await page.fill("input[name=token]", demo.token)
            await page.click("main button")
            assert await told() == [], "the board tells nothing"
            await page.goto("/work")
            await until(told, "the journal says that they were told")
            await page.get_by_role("button", name="Прочитано").wait_for(state="hidden")
            await page.reload()
        assert [(event.incident, event.via) for event in await told()] == [(incident, "app")]
    finally:
        server.should_exit = True
        await serving

"""What tests of the door share: the application over the real aggregate service, tokens, a browser's eye for forms."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

import httpx
import orjson

import projections.app
import projections.schema
import services.eventlog.relay.app
import services.leads.app
from contracts.meta import Meta, cloud_event_headers
from projections.all import PROJECTIONS
from projections.runner import Runner
from services.clock import SystemClock
from services.database import Pool
from services.eventlog.consuming import Batch, RawRecord
from services.health import Health
from services.leads.door import door as leads_app
from services.pipelines.registry import publish_bundled
from services.privacy.store import KeyRing
from services.settings import Settings
from services.web.app import create_app
from services.web.forwarding import LeadsDoor
from tests.beside_others import free_port
from tests.integration.leads_case import Leads, running
from tests.integration.tokens import make_token

LIMIT = 60.0
"""Seconds that anything waited for may take."""


class Web:
    """The application, tokens of every role, and the aggregate service behind it."""

    def __init__(self, app: Any, pool: Pool, leads: Leads) -> None:
        self.app, self.pool, self.leads = app, pool, leads
        self.tokens: dict[str, str] = {}

    def client(self, **arguments: Any) -> httpx.AsyncClient:
        """A client without a token, with a cookie jar of its own."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=self.app), base_url="http://door", **arguments)

    def api(self, role: str) -> httpx.AsyncClient:
        """A client with a token of this role."""
        return self.client(headers={"Authorization": f"Bearer {self.tokens[role]}", "Accept-Language": "en"})

    async def signed_in(self, role: str) -> httpx.AsyncClient:
        """A browser with a session."""
        browser = self.client()
        answer = await browser.post("/login", data={"token": self.tokens[role]})
        assert answer.status_code == 303, answer.text
        return browser


async def deliver(web: Web) -> int:
    """Hand what intake keeps for `leads.inbound` to the aggregate service, as the relay and Kafka would. How many it was."""
    rows = await web.pool.fetch(
        "DELETE FROM leadline.outbox WHERE topic = 'leads.inbound' RETURNING n, key, headers, value"
    )
    records = [
        RawRecord(
            "leads.inbound",
            0,
            row["n"],
            row["key"].encode(),
            row["value"],
            [(name, value.encode()) for name, value in orjson.loads(row["headers"]).items()],
            1_700_000_000_000,
        )
        for row in sorted(rows, key=lambda row: row["n"])
    ]
    await web.leads.batcher.submit(await web.leads.reader.records(records))
    return len(records)


@asynccontextmanager
async def door_over(settings: Settings, pool: Pool, *, at_once: bool = True) -> AsyncIterator[Web]:
    """API and pages over the aggregate service's own door; no Kafka, so lists stay empty. Without `at_once` every robot waits to
    be fired."""
    async with pool.acquire() as connection:
        await projections.schema.prepare(connection)
    async with running(settings, pool, at_once=at_once) as leads, AsyncExitStack() as stack:
        inside = httpx.ASGITransport(app=leads_app(settings, leads.batcher, leads.reader))
        door = LeadsDoor.at("http://leads", settings.internal_token, inside)
        stack.push_async_callback(door.client.aclose)
        ring = KeyRing(settings.master_key_bytes)
        app = create_app(settings, pool, ring, Health("door"), leads=door, demo=True)
        made = Web(app, pool, leads)
        for role, name in (("seller", "anna"), ("head", "helen"), ("ops", "olga"), ("auditor", "alex")):
            made.tokens[role] = await make_token(pool, name, role)
        made.tokens["adapter"] = await make_token(pool, "tilda", "adapter")
        yield made


async def project(web: Web) -> None:
    """Hand the events that wait in the outbox to the projections, as the relay and Kafka would."""
    rows = await web.pool.fetch(
        """SELECT o.n, o.topic, o.key, e.state, e.digest FROM leadline.outbox AS o
           JOIN leadline.events AS e ON e.originator_id = o.stream AND e.originator_version = o.version ORDER BY o.n"""
    )
    records = [
        RawRecord(
            row["topic"],
            0,
            row["n"],
            row["key"].encode(),
            row["state"],
            cloud_event_headers(Meta.model_validate(orjson.loads(row["state"])["meta"]), row["digest"]),
            1_700_000_000_000,
        )
        for row in rows
    ]
    runner = Runner(web.pool, KeyRing(web.leads.settings.master_key_bytes), SystemClock(), PROJECTIONS)
    await runner.handle(Batch(records, []))
    await web.pool.execute("DELETE FROM leadline.outbox WHERE n = ANY($1::bigint[])", [row["n"] for row in rows])
    assert not await web.pool.fetchval("SELECT count(*) FROM leadline.parked"), "nothing is put aside"


class Forms(HTMLParser):
    """The forms of a page: action → hidden fields and values, as a browser would send them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((given.get("action", ""), {}))
        elif tag == "input" and self.forms and "name" in given:
            self.forms[-1][1][given["name"]] = given.get("value", "")

    def to(self, action: str) -> dict[str, str]:
        """The fields of the first form to this address."""
        return next(dict(fields) for to, fields in self.forms if to == action)


async def command(client: httpx.AsyncClient, lead: UUID, name: str, body: Any = None, **headers: str) -> httpx.Response:
    return await client.post(f"/api/leads/{lead}/commands/{name}", json=body, headers=headers)


@asynccontextmanager
async def whole_system(settings: Settings, pool: Pool) -> AsyncIterator[Settings]:
    """Aggregate service, relay and projections at work on real Kafka and Postgres."""
    made = settings.model_copy(update={"leads_url": f"http://127.0.0.1:{free_port()}", "open_forms": ["site"]})
    await publish_bundled(pool, SystemClock())
    stop = asyncio.Event()
    parts = {name: Health(name) for name in ("leads", "relay", "projections")}
    tasks = [
        asyncio.create_task(services.leads.app.run(made, parts["leads"], stop)),
        asyncio.create_task(services.eventlog.relay.app.run(made, parts["relay"], stop)),
        asyncio.create_task(projections.app.run(made, parts["projections"], stop)),
    ]
    try:
        deadline = time.monotonic() + LIMIT
        while not all(part.is_ready() for part in parts.values()):
            for task in tasks:
                if task.done():
                    task.result()
            assert time.monotonic() < deadline, {name: part.parts for name, part in parts.items()}
            await asyncio.sleep(0.05)
        yield made
    finally:
        stop.set()
        await asyncio.wait(tasks, timeout=LIMIT)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Any, what: str) -> Any:
    """What `condition` gives as soon as it is not empty."""
    deadline = time.monotonic() + LIMIT
    while not (found := await condition()):
        assert time.monotonic() < deadline, f"{what} did not come within {LIMIT} s"
        await asyncio.sleep(0.05)
    return found

"""(h) Leads that enter a stage with five robots: two labels, a plan, a letter to a mail server, a call to a web server (R1-R4).

The same leads are moved twice at the same rate: first into a stage without robots, which is the baseline, then into the one with
five. Told are: when all timers were armed, fired and closed; how late; how long after the entry each effect was requested (how
fast they then go out, one call after the other, is told apart and not waited for); and the board, its page over HTTP and how
soon a move is on it, at rest, without robots and with them. A page is asked for when it is due, however late the one before was
answered; instants in events are those of their batch's beginning, so that a batch's own time (under a second) comes on top.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4, uuid5

import httpx
import orjson
from aiokafka import AIOKafkaProducer

from contracts.commands import Command, Move
from contracts.meta import Actor
from contracts.topics import LEADS_COMMANDS, LEADS_INBOUND
from services.clock import SystemClock
from services.leads.domain.recognition import NAMESPACE
from services.pipelines.registry import publish
from tests.bench.outside import Outside, outside_world
from tests.bench.stack import REACTORS, SERVICES, Stack, until
from tests.integration.tokens import make_token

LIMIT = 900.0
REST_SECONDS = 15
DELIVERY_SECONDS = 10
PAGES_PER_SECOND = 5
WATCHED = 20
"""Every so many leads one is looked for on the board."""
LOOK_SECONDS = 0.05
ANNA = Actor(id="anna", kind="person", role="seller")
ROBOTS = 5
UNLIMITED = 600_000
"""Letters and calls a minute: more than go out one after the other."""
WITHOUT, WITH = "calm", "offered"
PIPELINE = """
pipeline: bench_robots
titles: {ru: "Роботы", en: "Robots"}
conversion_point: deal
templates:
  - id: offer
    titles: {ru: "Предложение", en: "Offer"}
    kind: email
    ru: {subject: "{{ lead.name }}, предложение", text: "Здравствуйте, {{ lead.name }}! Ждём вас."}
    en: {subject: "An offer for {{ lead.name }}", text: "Hello {{ lead.name }}! We wait for you."}
stages:
  - {id: new, titles: {ru: "Новый", en: "New"}, kind: open}
  - {id: calm, titles: {ru: "Без роботов", en: "No robots"}, kind: open}
  - id: offered
    titles: {ru: "Предложено", en: "Offered"}
    kind: open
    robots:
      - {id: warm, titles: {ru: "Тёплый", en: "Warm"}, do: {tag: warm}}
      - {id: autumn, titles: {ru: "Осень", en: "Autumn"}, do: {tag: autumn}}
      - {id: call, titles: {ru: "Звонок", en: "Call"},
         do: {plan: call, due: {hours: 1, working: true}, text: {ru: "Позвонить", en: "Call"}}}
      - {id: letter, titles: {ru: "Письмо", en: "Letter"}, do: {email: offer}}
      - {id: crm, titles: {ru: "Учёт", en: "Books"}, do: {webhook: crm}}
  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won}
  - {id: poor, titles: {ru: "Брак", en: "Poor"}, kind: lost}
"""
FIRED = re.compile(r'leadline_timers_sent_total\{again="no"\} ([\d.e+]+)')
OUTWARD = 2
"""Of a lead's five robots, those that request something of the outside."""


@dataclass(slots=True)
class Load:
    """What was seen while the leads were moved. Seconds; `visible`: from a command's sending to its card in the new stage;
    `spent`: of each part's processor; `moments`: since the first command."""

    pages: list[float] = field(default_factory=list)
    visible: list[float] = field(default_factory=list)
    spent: dict[str, float] = field(default_factory=dict)
    moments: dict[str, float] = field(default_factory=dict)
    began_at: datetime | None = None


async def measure_robots(stack: Stack, leads: int, seconds: float) -> str:
    """(h) for so many leads that enter within so many seconds."""
    environment = dict(stack.environment)
    async with outside_world() as outside:
        await publish(stack.pool, SystemClock(), PIPELINE, Actor(id="helen", kind="person", role="head"))
        stack.environment |= _ways_out(outside)
        await _restart(stack, (*SERVICES, REACTORS))
        ids = await _fill(stack, leads)
        token = await make_token(stack.pool, f"bench-{uuid4()}", "head")
        async with _browser(stack, token) as browser:
            rest: list[float] = []
            async with _sampling(browser, rest):
                await asyncio.sleep(REST_SECONDS)
            calm = await _enter(stack, browser, ids, WITHOUT, seconds)
            busy = await _enter(stack, browser, ids, WITH, seconds)
        told = await _report(stack, leads, sorted(rest), calm, busy, outside)
    stack.environment = environment
    await _restart(stack, SERVICES)
    return told


def _ways_out(outside: Outside) -> dict[str, str]:
    """Settings: the pipeline that new leads come to, and where letters and calls go."""
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    mail = {
        "host": "127.0.0.1",
        "port": outside.ports["smtp"],
        "security": "none",
        "from_address": "school@bench.example",
    }
    crm = {"url": f"http://127.0.0.1:{outside.ports['http']}/in", "secret": secret, "allow_private": True}
    return {
        "LEADLINE_DEFAULT_PIPELINE": "bench_robots",
        "LEADLINE_MAIL_OUT": json.dumps({**mail, "per_minute": UNLIMITED}),
        "LEADLINE_WEBHOOKS": json.dumps({"crm": {**crm, "per_minute": UNLIMITED}}),
    }


async def _restart(stack: Stack, names: Iterable[str]) -> None:
    """Everything anew, under the environment as it is now."""
    for name in list(stack.processes):
        await stack.stop(name)
    for name in names:
        await stack.start(name)


async def _fill(stack: Stack, leads: int) -> list[UUID]:
    """So many new leads, all of them on the board and known to the reactors; their ids."""
    marks = [f"bench-{uuid4()}" for _ in range(leads)]
    async with _producer(stack) as producer:
        for n, mark in enumerate(marks):
            form = {"name": f"Имя {n}", "email": f"{mark}@example.org", "source": "form", "comment": "Нужна столешница"}
            said = {"ce_type": "leadline.inbound.form", "ce_source": "bench", "ce_id": mark, "ce_subject": "contact"}
            headers = [(name, value.encode()) for name, value in said.items()]
            await producer.send(LEADS_INBOUND.name, orjson.dumps(form), key=mark.encode(), headers=headers)
    ids = [uuid5(NAMESPACE, f"lead:{uuid5(NAMESPACE, f'direct:bench:{mark}')}") for mark in marks]

    async def there() -> bool:
        shown = "SELECT count(*) FROM proj_board_1.cards WHERE pipeline = 'bench_robots' AND stage = 'new'"
        return bool(await stack.pool.fetchval(shown) == leads) and await _read(stack)

    await until(there, LIMIT, f"{leads} leads are on the board", pause=0.2)
    await stack.pool.execute("VACUUM (ANALYZE)", timeout=LIMIT)
    return ids


async def _read(stack: Stack) -> bool:
    """Whether the reactors have read all that was recorded."""
    return not await stack.pool.fetchval(
        """SELECT EXISTS (SELECT FROM leadline.outbox) OR EXISTS (
               SELECT FROM leadline.positions AS p JOIN leadline.positions AS r USING (topic, partition)
               WHERE p.consumer = 'projections' AND r.consumer IN ('robots', 'delivery') AND r.next_offset < p.next_offset)"""
    )


async def _enter(stack: Stack, browser: httpx.AsyncClient, ids: list[UUID], stage: str, seconds: float) -> Load:
    """Move them all within so many seconds, and wait until everything that follows is done."""
    load = Load(began_at=await stack.pool.fetchval("SELECT now()"))
    before, began = stack.cpu(), time.perf_counter()
    sent: dict[UUID, float] = {}
    following = asyncio.create_task(_follow(stack, load, began, len(ids) * ROBOTS if stage == WITH else 0))
    async with _sampling(browser, load.pages):
        looking = asyncio.create_task(_look(stack, load, sent, stage, len(ids[::WATCHED])))
        async with _producer(stack) as producer:
            for n, lead in enumerate(ids):
                due = began + n * seconds / len(ids)
                if (wait := due - time.perf_counter()) > 0:
                    await asyncio.sleep(wait)
                command = Command(id=uuid4(), lead=lead, actor=ANNA, body=Move(to=stage))
                value = command.model_dump_json(exclude_none=True).encode()
                await producer.send(LEADS_COMMANDS.name, value, key=str(lead).encode())
                if n % WATCHED == 0:
                    sent[lead] = time.perf_counter()
        load.moments["sent"] = time.perf_counter() - began
        await asyncio.wait_for(looking, LIMIT)
        await asyncio.wait_for(following, LIMIT)
    if stage == WITHOUT:
        await until(lambda: _read(stack), LIMIT, "everything was read", pause=0.2)
    after = stack.cpu()
    load.spent = {name: after[name] - before[name] for name in after}
    load.pages.sort()
    load.visible.sort()
    return load


async def _look(stack: Stack, load: Load, sent: dict[UUID, float], stage: str, expected: int) -> None:
    """When each watched lead's card is in the new stage."""
    seen: set[UUID] = set()
    while len(seen) < expected:
        rows = await stack.pool.fetch(
            "SELECT lead FROM proj_board_1.cards WHERE lead = ANY($1::uuid[]) AND stage = $2",
            [lead for lead in sent if lead not in seen],
            stage,
        )
        now = time.perf_counter()
        load.visible += [now - sent[row[0]] for row in rows]
        seen.update(row[0] for row in rows)
        await asyncio.sleep(LOOK_SECONDS)


async def _follow(stack: Stack, load: Load, began: float, timers: int) -> None:
    """When all timers were armed, fired, closed."""
    while timers and not {"armed", "fired", "closed"} <= load.moments.keys():
        armed, closed = await stack.pool.fetchrow(
            "SELECT coalesce(sum(armed), 0), coalesce(sum(ran + skipped + cancelled + failed), 0) FROM leadline.timer_counts"
        )
        async with httpx.AsyncClient() as client:
            found = FIRED.search((await client.get(f"http://127.0.0.1:{stack.ports[REACTORS]}/metrics")).text)
        now = {"armed": armed, "fired": float(found[1]) if found is not None else 0.0, "closed": closed}
        for what, count in now.items():
            if count >= timers:
                load.moments.setdefault(what, time.perf_counter() - began)
        await asyncio.sleep(0.5)


async def _delivery_rate(stack: Stack) -> tuple[float, int]:
    """Effects that go out in a second once nothing else is done, and how many are left after it was looked at."""
    left = "SELECT count(*) FROM leadline.effects WHERE state IN ('waiting', 'working')"
    before, began = await stack.pool.fetchval(left), time.perf_counter()
    await asyncio.sleep(DELIVERY_SECONDS)
    after: int = await stack.pool.fetchval(left)
    return (before - after) / (time.perf_counter() - began), after


async def _report(stack: Stack, leads: int, rest: list[float], calm: Load, busy: Load, outside: Outside) -> str:
    late, requested, ran = await _from_events(stack, busy)
    rate, left = await _delivery_rate(stack)
    came = await outside.counts()
    moments = busy.moments
    one = {name: (busy.spent[name] - calm.spent[name]) / (leads * ROBOTS) * 1e6 for name in busy.spent}
    move = sum(calm.spent.values()) / leads * 1e6
    parts = ", ".join(f"{name} {spent:,.0f}" for name, spent in sorted(one.items(), key=lambda part: -part[1]))
    lines = [
        f"(h) {leads:,} leads entered a stage with {ROBOTS} robots each within {moments['sent']:.0f} s "
        f"({leads / moments['sent']:.0f}/s); after the first of them all {leads * ROBOTS:,} timers were armed in "
        f"{moments['armed']:.1f} s, fired in {moments['fired']:.1f} s, closed in {moments['closed']:.1f} s",
        f"    robots that ran: {ran:,} of {leads * ROBOTS:,}; late by p50 {_ms(late, 0.5)}, p99 {_ms(late, 0.99)}, longest "
        f"{_ms(late, 1)}",
        f"    effects requested: {len(requested):,} of {leads * OUTWARD:,}; after the entry p50 {_ms(requested, 0.5)}, p99 "
        f"{_ms(requested, 0.99)}, longest {_ms(requested, 1)}; within 1 s {_share(requested, 1.0)}, within 5 s "
        f"{_share(requested, 5.0)}",
        f"    sent outside afterwards: {rate:,.0f} a second, {left:,} left; in all {came['letters']:,} letters, "
        f"{came['different_letters']:,} different; {came['calls']:,} calls, {came['different_calls']:,} different",
        _compared("the board's page", {"at rest": rest, "moves alone": calm.pages, "with robots": busy.pages}),
        _compared("a move on the board after its command", {"moves alone": calm.visible, "with robots": busy.visible}),
        f"    processor: a move alone {move:,.0f} µs; each robot on top {sum(one.values()):,.0f} µs, "
        f"{sum(one.values()) / move:.2f} of that ({parts})",
    ]
    return "\n".join(lines)


async def _from_events(stack: Stack, load: Load) -> tuple[list[float], list[float], int]:
    """Sorted seconds by which robots were late, and from a lead's entry to each request; how many robots ran."""
    entered: dict[UUID, datetime] = {}
    late: list[float] = []
    requested: list[float] = []
    rows = await stack.pool.fetch(
        """SELECT originator_id, topic, recorded_at, state FROM leadline.events
           WHERE recorded_at >= $1 AND topic = ANY($2::text[]) ORDER BY originator_id, originator_version""",
        load.began_at,
        ["leadline.lead.stage_entered", "leadline.lead.robot_ran", "leadline.lead.effect_requested"],
    )
    for row in rows:
        if row[1].endswith("stage_entered"):
            entered[row[0]] = row[2]
        elif row[1].endswith("robot_ran"):
            late.append(orjson.loads(row[3])["data"]["late_ms"] / 1000)
        else:
            requested.append((row[2] - entered[row[0]]).total_seconds())
    return sorted(late), sorted(requested), len(late)


def _compared(what: str, taken: dict[str, list[float]]) -> str:
    """p50 and p99 of each, and the last as a ratio to the one before and the first."""
    told = [f"{when} p50 {_ms(times, 0.5)}, p99 {_ms(times, 0.99)} ({len(times)})" for when, times in taken.items()]
    *others, (_, last) = taken.items()
    ratios = [
        f"{_at(last, 0.5) / _at(times, 0.5):.2f} and {_at(last, 0.99) / _at(times, 0.99):.2f} of «{when}»"
        for when, times in others
    ]
    return f"    {what}: {'; '.join(told)}; with robots p50 and p99 are {', '.join(ratios)}"


def _at(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]


def _ms(values: list[float], share: float) -> str:
    return f"{_at(values, share) * 1000:,.0f} ms" if values else "none"


def _share(values: list[float], limit: float) -> str:
    return f"{sum(value <= limit for value in values) / len(values):.1%}" if values else "none"


def _producer(stack: Stack) -> AIOKafkaProducer:
    return AIOKafkaProducer(bootstrap_servers=stack.servers.bootstrap, enable_idempotence=True, linger_ms=5)


@asynccontextmanager
async def _browser(stack: Stack, token: str) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who looks at the board's page."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{stack.ports['door']}", timeout=60) as browser:
        if (answer := await browser.post("/login", data={"token": token})).status_code != 303:
            raise RuntimeError(f"no login: {answer.status_code}")
        yield browser


@asynccontextmanager
async def _sampling(browser: httpx.AsyncClient, pages: list[float]) -> AsyncIterator[None]:
    """Ask for the page again and again meanwhile; seconds from when each was due to its last byte."""
    asked: set[asyncio.Task[None]] = set()

    async def ask(due: float) -> None:
        (await browser.get("/boards/bench_robots")).raise_for_status()
        pages.append(time.perf_counter() - due)

    async def keep_asking() -> None:
        due = time.perf_counter()
        while True:
            asked.add(asyncio.create_task(ask(due)))
            due += 1 / PAGES_PER_SECOND
            await asyncio.sleep(max(0.0, due - time.perf_counter()))

    asking = asyncio.create_task(keep_asking())
    try:
        yield
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await asyncio.gather(*asked)

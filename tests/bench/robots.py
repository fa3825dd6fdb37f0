"""(h) Leads that enter a stage with five robots: two labels, a plan, a letter to a mail server, a call to a web server (R1-R4).

The same leads are moved three times at the same rate: into a stage without robots, which is the baseline; into one whose five
robots start at once; into one where the same five start a minute later, all five of a lead at the same instant. Told are: when
all timers were armed and closed, and how many of them the robots service fired; how late; how long after the robot's instant
each effect was requested (they then go out as fast as the providers take them, 600 a minute each, which is told apart and not
waited for); and the board, its page over HTTP and how soon a move is on it, at rest, without robots and with them. A page is
asked for when it is due, however late the one before was answered; instants in events are those of their batch's beginning, so
that a batch's own time (under a second) comes on top.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
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
from tests.bench.stack import REACTORS, SERVICES, TIMERS, Stack, until
from tests.integration.tokens import make_token

LIMIT = 900.0
REST_SECONDS = 15
DELIVERY_SECONDS = 10
PAGES_PER_SECOND = 5
WATCHED = 20
"""Every so many leads one is looked for on the board."""
LOOK_SECONDS = 0.1
ANNA = Actor(id="anna", kind="person", role="seller")
ROBOTS = 5
PER_MINUTE = 600
"""Letters, and calls, that the providers take in a minute: what is requested faster waits for its turn, as it does outside."""
WITHOUT = "calm"
STARTING: Final = {"at_once": "", "a_minute_later": ", start: {delay: {minutes: 1}}"}
"""Stages with robots, and when those start."""
STAGE = """
  - id: {stage}
    titles: {{ru: "{stage}", en: "{stage}"}}
    kind: open
    robots:
      - {{id: {stage}_warm, titles: {{ru: "Тёплый", en: "Warm"}}, do: {{tag: {stage}_warm}}{start}}}
      - {{id: {stage}_autumn, titles: {{ru: "Осень", en: "Autumn"}}, do: {{tag: {stage}_autumn}}{start}}}
      - {{id: {stage}_call, titles: {{ru: "Звонок", en: "Call"}}, do: {{plan: call, due: {{hours: 1, working: true}},
         text: {{ru: "Позвонить", en: "Call"}}}}{start}}}
      - {{id: {stage}_letter, titles: {{ru: "Письмо", en: "Letter"}}, do: {{email: offer}}{start}}}
      - {{id: {stage}_crm, titles: {{ru: "Учёт", en: "Books"}}, do: {{webhook: crm}}{start}}}
"""
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
{stages}  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won}
  - {id: poor, titles: {ru: "Брак", en: "Poor"}, kind: lost}
"""
SENT = re.compile(r'leadline_timers_sent_total\{again="no"\} ([\d.e+]+)')
OUTWARD = 2
"""Of a lead's five robots, those that request something of the outside."""


@dataclass(slots=True)
class Load:
    """What was seen while the leads were moved. Seconds; `visible`: from a command's sending to its card in the new stage;
    `spent`: of each part's processor; `moments`: since the first command."""

    stage: str
    pages: list[float] = field(default_factory=list)
    visible: list[float] = field(default_factory=list)
    spent: dict[str, float] = field(default_factory=dict)
    moments: dict[str, float] = field(default_factory=dict)
    fired: int = 0
    """Timers that the robots service fired."""
    began_at: datetime | None = None


async def measure_robots(stack: Stack, leads: int, seconds: float, stages: Sequence[str]) -> str:
    """(h) for so many leads that enter within so many seconds, for robots that start at once, later, or both."""
    environment = dict(stack.environment)
    async with outside_world() as outside:
        text = PIPELINE.replace(
            "{stages}", "".join(STAGE.format(stage=name, start=STARTING[name]) for name in STARTING)
        )
        await publish(stack.pool, SystemClock(), text, Actor(id="helen", kind="person", role="head"))
        stack.environment |= _ways_out(outside)
        await _restart(stack, (*SERVICES, TIMERS, REACTORS))
        ids = await _fill(stack, leads)
        token = await make_token(stack.pool, f"bench-{uuid4()}", "head")
        async with _browser(stack, token) as browser:
            rest: list[float] = []
            async with _sampling(browser, rest):
                await asyncio.sleep(REST_SECONDS)
            calm = await _enter(stack, browser, ids, WITHOUT, seconds)
            told = [_calm(leads, calm)]
            for stage in stages:
                busy = await _enter(stack, browser, ids, stage, seconds)
                told.append(await _report(stack, leads, sorted(rest), calm, busy))
        came = await outside.counts()
        told.append(
            f"    outside in all: {came['letters']:,} letters, {came['different_letters']:,} different; {came['calls']:,} calls, "
            f"{came['different_calls']:,} different"
        )
    stack.environment = environment
    await _restart(stack, SERVICES)
    return "\n".join(told)


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
        "LEADLINE_MAIL_OUT": json.dumps({**mail, "per_minute": PER_MINUTE}),
        "LEADLINE_WEBHOOKS": json.dumps({"crm": {**crm, "per_minute": PER_MINUTE}}),
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
    load = Load(stage, began_at=await stack.pool.fetchval("SELECT now()"))
    commands = (Command(id=uuid4(), lead=lead, actor=ANNA, body=Move(to=stage)) for lead in ids)
    values = [command.model_dump_json(exclude_none=True).encode() for command in commands]
    before, began = stack.cpu(), time.perf_counter()
    sent: dict[UUID, float] = {}
    fired, counted = await _fired(stack), await _counts(stack)
    following = asyncio.create_task(_follow(stack, load, began, len(ids) * ROBOTS if stage in STARTING else 0, counted))
    async with _sampling(browser, load.pages):
        looking = asyncio.create_task(_look(stack, load, sent, stage, len(ids[::WATCHED])))
        async with _producer(stack) as producer:
            for n, lead in enumerate(ids):
                due = began + n * seconds / len(ids)
                if (wait := due - time.perf_counter()) > 0:
                    await asyncio.sleep(wait)
                await producer.send(LEADS_COMMANDS.name, values[n], key=str(lead).encode())
                if n % WATCHED == 0:
                    sent[lead] = time.perf_counter()
        load.moments["sent"] = time.perf_counter() - began
        await asyncio.wait_for(looking, LIMIT)
        await asyncio.wait_for(following, LIMIT)
    if stage == WITHOUT:
        await until(lambda: _read(stack), LIMIT, "everything was read", pause=0.2)
    after = stack.cpu()
    load.spent = {name: after[name] - before[name] for name in after}
    load.fired = await _fired(stack) - fired
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


async def _follow(stack: Stack, load: Load, began: float, timers: int, before: tuple[int, int]) -> None:
    """When all timers were armed and closed."""
    while timers and not {"armed", "closed"} <= load.moments.keys():
        for what, count, had in zip(("armed", "closed"), await _counts(stack), before, strict=True):
            if count - had >= timers:
                load.moments.setdefault(what, time.perf_counter() - began)
        await asyncio.sleep(0.5)


async def _counts(stack: Stack) -> tuple[int, int]:
    """Timers armed and closed so far."""
    armed, closed = await stack.pool.fetchrow(
        "SELECT coalesce(sum(armed), 0), coalesce(sum(ran + skipped + cancelled + failed), 0) FROM leadline.timer_counts"
    )
    return int(armed), int(closed)


async def _fired(stack: Stack) -> int:
    """Timers that the robots service has fired so far."""
    async with httpx.AsyncClient() as client:
        found = SENT.search((await client.get(f"http://127.0.0.1:{stack.ports[TIMERS]}/metrics")).text)
    return int(float(found[1])) if found is not None else 0


async def _delivery_rate(stack: Stack) -> tuple[float, int]:
    """Effects that go out in a second once nothing else is done, and how many are left after it was looked at."""
    left = "SELECT count(*) FROM leadline.effects WHERE state IN ('waiting', 'working')"
    before, began = await stack.pool.fetchval(left), time.perf_counter()
    await asyncio.sleep(DELIVERY_SECONDS)
    after: int = await stack.pool.fetchval(left)
    return (before - after) / (time.perf_counter() - began), after


def _calm(leads: int, calm: Load) -> str:
    parts = ", ".join(f"{name} {spent / leads * 1e6:,.0f}" for name, spent in sorted(calm.spent.items(), key=_dearest))
    return (
        f"(h) {leads:,} leads, {ROBOTS} robots each; the baseline is the same leads moved at the same rate into a stage without "
        "robots\n"
        f"    processor: a move alone {sum(calm.spent.values()) / leads * 1e6:,.0f} µs ({parts})"
    )


def _dearest(part: tuple[str, float]) -> float:
    return -part[1]


async def _report(stack: Stack, leads: int, rest: list[float], calm: Load, busy: Load) -> str:
    late, requested, ran = await _from_events(stack, busy)
    rate, left = await _delivery_rate(stack)
    moments = busy.moments
    one = {name: (busy.spent[name] - calm.spent[name]) / (leads * ROBOTS) * 1e6 for name in busy.spent}
    move = sum(calm.spent.values()) / leads * 1e6
    parts = ", ".join(f"{name} {spent:,.0f}" for name, spent in sorted(one.items(), key=_dearest))
    lines = [
        f"  {busy.stage}: they entered within {moments['sent']:.0f} s ({leads / moments['sent']:.0f}/s); after the first of them "
        f"all {leads * ROBOTS:,} timers were armed in {moments['armed']:.1f} s, closed in {moments['closed']:.1f} s, "
        f"{busy.fired:,} of them by a command of the robots service",
        f"    robots that ran: {ran:,} of {leads * ROBOTS:,}; late by p50 {_ms(late, 0.5)}, p99 {_ms(late, 0.99)}, longest "
        f"{_ms(late, 1)}; within 1 s {_share(late, 1.0)}",
        f"    effects requested: {len(requested):,} of {leads * OUTWARD:,}; after the robot's instant p50 {_ms(requested, 0.5)}, "
        f"p99 {_ms(requested, 0.99)}, longest {_ms(requested, 1)}; within 1 s {_share(requested, 1.0)}, within 5 s "
        f"{_share(requested, 5.0)}",
        f"    sent outside afterwards: {rate:,.0f} a second, {left:,} left",
        _compared("the board's page", {"at rest": rest, "moves alone": calm.pages, "with robots": busy.pages}),
        _compared("a move on the board after its command", {"moves alone": calm.visible, "with robots": busy.visible}),
        f"    processor: each robot on top {sum(one.values()):,.0f} µs, {sum(one.values()) / move:.2f} of a move alone ({parts})",
    ]
    return "\n".join(lines)


async def _from_events(stack: Stack, load: Load) -> tuple[list[float], list[float], int]:
    """Sorted seconds by which robots were late, and from a robot's instant to its request; how many robots ran."""
    due: dict[tuple[UUID, str], datetime] = {}
    late: list[float] = []
    requested: list[float] = []
    rows = await stack.pool.fetch(
        """SELECT originator_id, topic, recorded_at, state FROM leadline.events
           WHERE recorded_at >= $1 AND topic = ANY($2::text[]) ORDER BY originator_id, originator_version""",
        load.began_at,
        ["leadline.lead.robot_armed", "leadline.lead.robot_ran", "leadline.lead.effect_requested"],
    )
    for row in rows:
        data = orjson.loads(row[3])["data"]
        if row[1].endswith("robot_armed"):
            due[row[0], data["robot"]] = datetime.fromisoformat(data["due_at"])
        elif row[1].endswith("robot_ran"):
            late.append(data["late_ms"] / 1000)
        else:
            requested.append((row[2] - due[row[0], data["robot"]]).total_seconds())
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
    return AIOKafkaProducer(bootstrap_servers=stack.servers.bootstrap, enable_idempotence=True, linger_ms=20)


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

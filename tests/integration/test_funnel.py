"""The funnel over real Kafka and Postgres: numbers, the leads behind each, API, page, BI (M9, C5, N11, N12)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.events.lead import LeadAssigned, LeadCaptured, LeadReopened, StageEntered
from projections.funnel.alike.store import Alike
from projections.funnel.numbers import store as numbers
from projections.funnel.numbers.asked import Asked, By, Step, View
from projections.funnel.projection import HOW
from services.database import Database, Pool
from services.settings import Settings
from tests.builders import Keys, Stream, contact, send
from tests.integration.test_projections import projections, seen
from tests.integration.web_case import Web, door_over

pytestmark = pytest.mark.kafka

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
KINDS = {"converted": "won", "price": "lost", "terms": "lost", "paused": "postponed"}
SCALE = ("new", "processing", "proposal", "closing", "converted")
STEPS = tuple(
    Step(version, stage, SCALE.index(stage) + 1 if stage in SCALE else None, stage == "converted")
    for version in (0, 1)
    for stage in (*SCALE, "price", "terms", "paused")
)
"""The classic pipeline's stages, as far as these paths know them."""


@dataclass
class Path:
    """A lead as a list of (day in March, stage) and a source."""

    source: str
    stages: list[tuple[int, str]]
    responsible: str | None = "anna"


PATHS = [
    Path("site", [(1, "new"), (2, "processing"), (3, "proposal"), (4, "closing"), (6, "converted")]),
    Path("site", [(1, "new"), (2, "processing"), (5, "price"), (9, "processing"), (10, "proposal"), (12, "converted")]),
    Path("site", [(2, "new"), (3, "processing"), (4, "new"), (5, "processing"), (6, "new")]),
    Path("fair", [(3, "new"), (4, "paused"), (20, "new"), (21, "processing")], "boris"),
    Path("fair", [(3, "new"), (4, "price")], "boris"),
    Path("fair", [(28, "new")], None),
    Path("site", [(30, "new"), (31, "processing"), (35, "terms")]),
]


def made(keys: Keys, person: UUID, path: Path) -> Stream:
    """The path as a stream of events."""
    stream = Stream(keys, person)

    def add(day: int, data: Any) -> None:
        at = MARCH + timedelta(days=day - 1, hours=12)
        stream.add(data, happened_at=at, recorded_at=at + timedelta(seconds=1))

    first = path.stages[0][0]
    received = MARCH + timedelta(days=first - 1, hours=12)
    add(first, LeadCaptured(pipeline="classic", contact=person, channel="form", source=path.source, received_at=received, name="Анна"))  # fmt: skip  # noqa: E501
    for n, (day, stage) in enumerate(path.stages, start=1):
        before = path.stages[n - 2][1] if n > 1 else None
        kind = KINDS.get(stage, "open")
        cause, direction = "captured", "in"
        if before is not None:
            cause = {"won": "converted", "lost": "rejected", "postponed": "paused"}.get(kind, "moved")
            if before in KINDS:
                cause, direction = "reopened", "return"
                add(day, LeadReopened(from_stage=before, to_stage=stage))
            elif stage in SCALE:
                step = SCALE.index(stage) - SCALE.index(before)
                direction = "back" if step < 0 else "forward" if step == 1 else "skip"
            else:
                direction = "out"
        add(
            day,
            StageEntered(
                stage=stage, kind=kind, visit=n, from_stage=before, from_visit=n - 1 or None, cause=cause, direction=direction  # type: ignore[arg-type]
            ),
        )  # fmt: skip
        if n == 1 and path.responsible:
            add(day, LeadAssigned(to=path.responsible, reason="in_turn", candidates=("anna", "boris"), turn=0))
    return stream


@pytest.fixture(scope="module")
async def web(shared_settings: Settings, shared_pool: Pool) -> AsyncIterator[Web]:
    """The door, over a funnel that holds `PATHS`; nobody changes it."""
    settings, pool = shared_settings, shared_pool
    keys = Keys()
    person = contact(keys)
    streams = [made(keys, person.id, path) for path in PATHS]
    await keys.store(pool, settings)
    async with projections(settings):
        await send(settings, [*person.made, *(event for stream in streams for event in stream.made)])
        await seen(pool, person, *streams)
    async with door_over(settings, pool) as running:
        yield running


@asynccontextmanager
async def undone(connection: Database) -> AsyncIterator[None]:
    """What is changed in here is not there afterwards."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()


def oracle(start: int, end: int, view: str, by: str | None = None, group: str | None = None) -> dict[str, Counter[str]]:
    """The numbers of visits, from the paths alone. Days of March, `end` included."""
    found: dict[str, Counter[str]] = {}
    for path in PATHS:
        if by == "source" and path.source != group:
            continue
        for n, (day, stage) in enumerate(path.stages):
            left = path.stages[n + 1] if n + 1 < len(path.stages) else None
            if view == "cohort":
                counts, entered, over = start <= path.stages[0][0] <= end, True, left is not None
            else:
                counts = day <= end and (left is None or left[0] >= start)
                entered, over = day >= start, left is not None and left[0] <= end
            if not counts:
                continue
            mine = found.setdefault(stage, Counter())
            mine["entries" if entered else "there_before"] += 1
            way = "still_there"
            if over and left is not None:
                to = left[1]
                way = {"won": "won", "lost": "lost", "postponed": "postponed"}.get(KINDS.get(to, ""), "")
                if not way:
                    step = SCALE.index(to) - SCALE.index(stage) if stage in SCALE else -1
                    way = "moved_back" if step < 0 else "went_on" if step == 1 else "skipped_on"
            mine[way] += 1
    return found


WAYS = (*HOW, "still_there")


@pytest.mark.parametrize("view", ["cohort", "activity"])
@pytest.mark.parametrize(("start", "end"), [(1, 31), (1, 3), (4, 20), (29, 31)])
async def test_M9_numbers_are_those_of_the_paths_and_the_identity_holds(
    web: Web, view: str, start: int, end: int
) -> None:
    query = {"from": f"2026-03-{start:02}", "to": f"2026-03-{end:02}", "view": view}
    async with web.api("seller") as client:
        shown = (await client.get("/api/funnels/classic", params=query)).json()
        wanted = oracle(start, end, view)
        for row in shown["total"]["stages"]:
            have = {name: row[name]["count"] for name in ("entries", "there_before", *WAYS)}
            assert have == {name: wanted.get(row["stage"]["id"], Counter())[name] for name in have}, row["stage"]["id"]
            assert have["entries"] + have["there_before"] == sum(have[way] for way in WAYS)


@pytest.mark.parametrize(
    "query", [{}, {"by": "source"}, {"by": "responsible", "view": "activity", "from": "2026-03-04"}]
)
async def test_M9_every_number_opens_exactly_what_it_counts(web: Web, query: dict[str, str]) -> None:
    async with web.api("head") as client:
        shown = (await client.get("/api/funnels/classic", params=query)).json()
        links = [
            (number["count"], number["leads"])
            for group in [shown["total"], *shown["groups"]]
            for number in _numbers(group)
        ]
        assert len(links) > 100
        for count, link in links:
            items, after = [], ""
            while True:
                page = (await client.get(f"{link}&limit=2{after}")).json()
                items += page["items"]
                if page["next"] is None:
                    break
                after = f"&after={page['next']}"
            assert len(items) == len({(item["lead"], item["visit"]) for item in items}) == count, link


def _numbers(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        if set(value) == {"count", "leads"}:
            return [value]
        return [number for inner in value.values() for number in _numbers(inner)]
    return [number for inner in value for number in _numbers(inner)] if isinstance(value, list) else []


async def test_C5_conversion_counts_each_lead_once_and_says_when_cases_are_few(web: Web) -> None:
    async with web.api("seller") as client:
        march = {"from": "2026-03-01", "to": "2026-03-31"}
        total = (await client.get("/api/funnels/classic", params=march)).json()["total"]
        assert (total["received"]["count"], total["deals"]["count"], total["won"]["count"]) == (7, 2, 2)
        assert total["conversion"] == {"part": 2, "of": 7, "percent": "28.6", "enough": False}
        assert total["verdict"] == "too_few"
        assert {kind: n["count"] for kind, n in total["now"].items()} == {
            "open": 3,
            "won": 2,
            "lost": 2,
            "postponed": 0,
            "merged": 0,
            "handed_over": 0,
        }
        new = next(row for row in total["stages"] if row["stage"]["id"] == "new")
        assert (new["entries"]["count"], new["leads"]["count"]) == (10, 7)  # repeated entries, different leads
        assert new["conversion_on"] == {"part": 5, "of": 7, "percent": "71.4", "enough": False}
        assert new["median_seconds"] == 86400.0
        assert (new["postponed"]["count"], new["lost"]["count"]) == (1, 1)  # a pause is no loss (S3)
        # activity: deals of the period against leads received in it, whichever they are
        first = {"from": "2026-03-05", "to": "2026-03-12", "view": "activity"}
        total = (await client.get("/api/funnels/classic", params=first)).json()["total"]
        assert (total["received"]["count"], total["deals"]["count"]) == (0, 2)
        assert total["conversion"]["percent"] is None
        by = (await client.get("/api/funnels/classic", params={**march, "by": "source"})).json()["groups"]
        assert [(g["group"], g["received"]["count"], g["deals"]["count"]) for g in by] == [
            ("site", 4, 2),
            ("fair", 3, 0),
        ]
        who = (await client.get("/api/funnels/classic", params={**march, "by": "responsible"})).json()["groups"]
        assert [(g["group"], g["received"]["count"]) for g in who] == [("anna", 4), ("boris", 2), ("", 1)]
        for bad in ({"from": "yesterday"}, {"from": "2026-04-01", "to": "2026-03-01"}, {"view": "both"}):
            assert (await client.get("/api/funnels/classic", params=bad)).status_code == 422, bad
        for bad in ({"number": "x"}, {"number": "lost"}, {"number": "received", "group": "site"}, {"number": "received", "after": "?"}):  # fmt: skip  # noqa: E501
            assert (await client.get("/api/funnels/classic/leads", params=bad)).status_code == 422, bad
        assert (await client.get("/api/funnels/none")).status_code == 404
        before = (await client.get("/api/funnels/classic", params={"as_of": "2026-03-01"})).json()
        assert (before["total"]["received"]["count"], before["closing"]) == (0, None)


@pytest.mark.parametrize("language", ["ru", "en"])
async def test_M9_the_page_shows_the_numbers_and_each_opens_its_list(web: Web, language: str) -> None:
    browser = await web.signed_in("seller")
    for query in ("", "&view=activity&from=2026-03-04&to=2026-03-20&by=responsible"):
        page = await browser.get(f"/funnels/classic?lang={language}{query}")
        assert page.status_code == 200, page.text
        assert "<svg" in page.text
        links = re.findall(r'<a href="(/funnels/classic/leads\?[^"]+)">(\d+)</a>', page.text)
        assert len(links) > 15
        for link, count in links[:12]:
            behind = await browser.get(link.replace("&amp;", "&"))
            assert behind.status_code == 200
            assert behind.text.count('<a href="/leads/') == int(count), link
    assert (await browser.get("/funnels")).headers["location"] == "/funnels/classic"
    assert "/funnels/classic" in (await browser.get("/boards/classic")).text


@pytest.mark.parametrize("by", [None, "source", "responsible"])
@pytest.mark.parametrize("view", ["cohort", "activity"])
async def test_M9_leads_counted_as_one_another_give_the_numbers_of_leads_counted_alone(
    web: Web, view: View, by: By | None
) -> None:
    """The same paths many times over, each shifted by some hours, some under names that look like our separators."""
    rest = (
        "pipeline_version, stage, kind, cause, direction, basis, from_stage, undone, to_stage, left_by, left_how, "
        "left_direction, left_version, left_reason, left_outcome, responsible"
    )
    moments = ("captured_at", "entered_at", "known_from", "left_at", "left_known_at")
    moved = ", ".join(f"{name} + d" for name in moments)
    copies = "CROSS JOIN generate_series(1, 40) AS n, LATERAL (SELECT n * interval '5 hours' AS d) AS shift"
    named = "CASE n % 3 WHEN 0 THEN {0} || '|/|' WHEN 1 THEN {0} || '/1|new' ELSE {0} END"
    async with web.pool.acquire() as connection, undone(connection):
        await connection.execute(
            f"""INSERT INTO proj_funnel_1.visits (lead, visit, pipeline, {rest}, {", ".join(moments)}, source, worked_by)
                SELECT md5(lead::text || n)::uuid, visit, pipeline, {rest}, {moved}, {named.format("source")},
                    {named.format("worked_by")}
                FROM proj_funnel_1.visits {copies}"""
        )
        everyone = [row[0] for row in await connection.fetch("SELECT DISTINCT lead FROM proj_funnel_1.visits")]
        alone = Alike(everyone, [1] * len(everyone))
        for start, end in [(None, None), (3, None), (None, 9), (2, 6), (6, 20)]:
            asked = Asked(
                "classic", STEPS, view,
                MARCH + timedelta(days=start) if start else None, MARCH + timedelta(days=end) if end else None,
            )  # fmt: skip
            found = await numbers.alike(connection, asked, by)
            assert len(found.leads) < len(everyone) == 41 * len(PATHS)
            assert await numbers.totals(connection, asked, by, found) == await numbers.totals(
                connection, asked, by, alone
            )
            rows = [await numbers.stages(connection, asked, by, of) for of in (found, alone)]
            first, second = (sorted(row, key=lambda stage: (stage.group, stage.stage)) for row in rows)
            assert first == second != []


async def test_K4_bi_reads_the_same_funnel(web: Web) -> None:
    pool = web.pool
    rows = await pool.fetch("SELECT * FROM bi.funnel")
    for row in rows:
        assert row["entries"] == sum(row[way] for way in WAYS)
    entries = Counter[str]()
    for row in rows:
        entries[row["stage"]] += row["entries"]
    async with pool.acquire() as connection:
        stages = await numbers.stages(connection, Asked("classic", STEPS))
    assert entries == {found.stage: found.visits["entries"] for found in stages}
    visits = await pool.fetch(
        "SELECT left_how, worked_by FROM bi.stage_visits WHERE stage = 'processing' ORDER BY 1, 2"
    )
    assert Counter(row["left_how"] for row in visits)["moved_back"] == 2

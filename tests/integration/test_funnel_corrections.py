"""The funnel over real Kafka and Postgres after corrections, merges, migrations, erasures and late records: as it is, as it was
known at any moment, and beside a closed report (M9, M1, N12, N16, C5, S3)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from contracts.events import EVENT_TYPES
from contracts.meta import Actor
from projections.event import Event
from projections.funnel.projection import HOW
from projections.funnel.store import FUNNEL
from services.database import Pool
from services.ops.verify.run import verify
from services.settings import Settings
from tests.builders import Keys, Stream, contact, erased
from tests.integration.test_projections import projections, seen
from tests.integration.test_rebuild import World
from tests.integration.web_case import Web, door_over
from tests.unit.given_funnel import CLASSIC, CLASSIC_KINDS, History, Told

pytestmark = pytest.mark.kafka

END = datetime(2026, 3, 31, 21, tzinfo=UTC)
"""Of March, in Moscow."""
CLOSED = END + timedelta(days=1)
MARCH = {"from": "2026-03-01", "to": "2026-03-31"}
START = datetime(2026, 2, 28, 21, tzinfo=UTC)
WAYS = (*HOW, "still_there")


def history() -> History:
    """Two months of 40 leads: everything that can happen to them, some of it written down ten days later."""
    given, chance = History("classic", CLASSIC, CLASSIC_KINDS), Random(7)  # noqa: S311
    for _ in range(260):
        given.step = timedelta(hours=chance.choice([1, 3, 9, 11]))
        given.lateness = timedelta(days=chance.choice([0, 0, 0, 10]))
        may_undo = given.there(lambda told: told.may_undo and not told.merged)
        merged = given.there(lambda told: told.merged)
        choice = chance.random()
        if not given.there() or (choice < 0.18 and len(given.told) < 40):
            given.capture(chance.choice(["site", "fair"]), chance.choice(["person", "person", "import"]))
        elif choice < 0.28:
            given.assign(chance.choice(sorted(given.told)), chance.choice(["anna", "boris"]))
        elif choice < 0.38 and may_undo:
            given.undo(chance.choice(may_undo))
        elif choice < 0.42:
            given.merge(chance.choice(given.there()))
        elif choice < 0.47 and merged:
            given.unmerge(chance.choice(merged))
        elif choice < 0.52:
            pipeline = chance.choice(["classic", "classic", "other"])
            given.adopt(chance.choice(given.there()), pipeline, chance.choice([None, "proposal"]))
        else:
            lead = chance.choice(given.there())
            basis, actor = chance.choice(
                [("check", "person"), ("check", "person"), ("override", "person"), ("check", "import")]
            )
            given.move(lead, chance.choice(sorted(CLASSIC_KINDS)), basis, actor)
    return given


class Streams:
    """Streams of the events of a history, all of one person."""

    def __init__(self) -> None:
        self.keys = Keys()
        self.person = contact(self.keys)
        self.leads: dict[str, Stream] = {}

    def add(self, events: Iterable[Event]) -> list[Stream]:
        """Make these events; the streams that have new ones."""
        for one in events:
            stream = self.leads.setdefault(one.stream, Stream(self.keys, self.person.id, UUID(one.stream)))
            cls, data = EVENT_TYPES[one.type], dict(one.data)
            if cls.__name__ == "LeadCaptured":
                data |= {"contact": self.person.id, "channel": "form", "received_at": one.happened_at, "name": "Анна"}
            if cls.__name__ == "LeadAssigned":
                data |= {"reason": "by_hand"}
            stream.add(
                cls(**data),
                happened_at=one.happened_at,
                recorded_at=one.recorded_at,
                actor=Actor(id="anna", kind=one.actor["kind"]),
                pipeline=one.pipeline,
            )
        return [stream for stream in self.leads.values() if stream.made]


def numbers(
    told: dict[str, Told], view: str, until: datetime | None = None, by: str | None = None, group: str | None = None
) -> dict[str, Counter[str]]:
    """March in the pipeline `classic`, from what is told of the leads alone."""
    found: dict[str, Counter[str]] = {}
    for one in told.values():
        captured = one.stays[0].since
        for stay in one.stays:
            if until is not None and stay.since >= until:
                continue
            out = stay.out if stay.out is not None and (until is None or stay.out[1] < until) else None
            mine = {None: None, "source": one.source, "responsible": stay.who or ""}[by]
            if stay.pipeline != "classic" or mine != group:
                continue
            if view == "cohort":
                counts, entered = START <= captured < END, True
            else:
                counts, entered = stay.since < END and (out is None or out[1] >= START), stay.since >= START
                out = out if out is not None and out[1] < END else None
            if counts:
                row = found.setdefault(stay.stage, Counter())
                row["entries" if entered else "there_before"] += 1
                row[out[0] if out else "still_there"] += 1
                names = {"override": "overridden", "adoption": "adopted", "import": "imported"}
                if entered and stay.basis in names:
                    row[names[stay.basis]] += 1
    return found


SHOWN = ("entries", "there_before", *WAYS, "overridden", "adopted", "imported")


async def funnel(client: httpx.AsyncClient, **query: str) -> dict[str, Any]:
    answer = await client.get("/api/funnels/classic", params=query)
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def shown(group: dict[str, Any]) -> dict[str, Counter[str]]:
    """The numbers of visits of a group, with the identity checked."""
    for row in group["stages"]:
        have = {name: row[name]["count"] for name in SHOWN}
        assert have["entries"] + have["there_before"] == sum(have[way] for way in WAYS), row["stage"]["id"]
    rows = {row["stage"]["id"]: Counter({name: row[name]["count"] for name in SHOWN}) for row in group["stages"]}
    return {stage: +row for stage, row in rows.items() if +row}


@pytest.fixture
async def after(settings: Settings, pool: Pool) -> AsyncIterator[tuple[Web, History, World, dict[str, Any]]]:
    """The door over the whole history, and what it showed of March on the day that was closed."""
    given, streams = history(), Streams()
    world = World(settings, pool, streams.keys)
    async with projections(settings), door_over(settings, pool) as web:
        first = streams.add(one for one in given.events if one.recorded_at <= CLOSED)
        await streams.keys.store(pool, settings)
        await world.happen(streams.person, *first)
        await seen(pool, streams.person, *first)
        async with web.api("head") as client:
            closed = {
                view: await funnel(client, view=view, until=END.isoformat(), **MARCH) for view in ("cohort", "activity")
            }
        second = streams.add(one for one in given.events if one.recorded_at > CLOSED)
        erased(streams.person)
        await world.happen(streams.person, *second)
        await seen(pool, streams.person, *second)
        yield web, given, world, closed


def counts(value: Any) -> Any:
    """An answer without its links."""
    if isinstance(value, dict):
        return (
            value["count"]
            if set(value) == {"count", "leads"}
            else {name: counts(inner) for name, inner in value.items()}
        )
    return [counts(inner) for inner in value] if isinstance(value, list) else value


async def test_M9_M1_the_funnel_after_everything_that_can_happen_now_then_and_closed(
    after: tuple[Web, History, World, dict[str, Any]], pool: Pool
) -> None:
    web, given, world, closed = after
    moments = [None, CLOSED, datetime(2026, 3, 20, tzinfo=UTC)]
    async with web.api("seller") as client:
        for view in ("cohort", "activity"):
            for at in moments:
                query = {"view": view, **MARCH, **({"as_of": at.isoformat()} if at else {})}
                told = given.as_known(at or given.now)
                for by in (None, "source", "responsible"):
                    answer = await funnel(client, **query, **({"by": by} if by else {}))
                    assert shown(answer["total"]) == numbers(told, view), (view, at)
                    for group in answer["groups"]:
                        assert shown(group) == numbers(told, view, None, by, group["group"]), (view, at, group["group"])
                        if by == "responsible" and group["group"]:
                            own = await funnel(client, **query, responsible=group["group"])
                            assert counts({**own["total"], "group": 0}) == counts({**group, "group": 0})
            # what is shown now of the moment it was closed is what was shown then
            again = await funnel(client, view=view, until=END.isoformat(), as_of=CLOSED.isoformat(), **MARCH)
            assert counts(again["total"]) == counts(closed[view]["total"])
            await a_closed_report_keeps_its_figures(client, given, view)
        undone = sum(row["undone"]["count"] for row in (await funnel(client))["total"]["stages"])
        assert undone == sum(told.undone for told in given.told.values()) - await undone_elsewhere(pool)
        assert (
            await client.get("/api/funnels/classic/late", params={"to": "2026-03-31", "as_of": "2026-03-31"})
        ).status_code == 422
    assert await pool.fetchval("SELECT count(*) FROM proj_funnel_1.past_visits") > 20
    await world.rebuild(FUNNEL)  # refused unless it comes out row for row the same
    report = await verify(world.settings, range_events=50)
    assert [d for d in report.differences if "funnel" in str(d)] == []
    assert report.counts["rows of funnel.past_visits"] > 20
    await pool.execute("UPDATE proj_funnel_1.past_visits SET known_to = known_to + interval '1 minute'")
    await pool.execute("UPDATE proj_funnel_2.past_visits SET known_to = known_to + interval '1 minute'")
    report = await verify(world.settings, range_events=50)
    assert [d for d in report.differences if "funnel.past_visits" in str(d) and "known_to" in str(d)]


async def undone_elsewhere(pool: Pool) -> int:
    count: int = await pool.fetchval("SELECT count(*) FROM bi.undone_visits WHERE pipeline <> 'classic'")
    return count


async def a_closed_report_keeps_its_figures(client: httpx.AsyncClient, given: History, view: str) -> None:
    """Original and restated, both as of the end of the period; the events between them."""
    closing = (await funnel(client, view=view, **MARCH))["closing"]
    original, restated = (numbers(given.as_known(at), view, END) for at in (CLOSED, given.now))
    wanted = {
        (stage, name): (original.get(stage, Counter())[name], restated.get(stage, Counter())[name])
        for stage in {**original, **restated}
        for name in SHOWN
    }
    found = {
        (row["stage"], row["number"]): (row["original"]["count"], row["restated"]["count"])
        for row in closing["differences"]
        if row["number"] in SHOWN and row["stage"]
    }
    assert found == {place: pair for place, pair in wanted.items() if pair[0] != pair[1]} != {}
    assert closing["restated"]
    for row in closing["differences"]:
        assert row["difference"] == row["restated"]["count"] - row["original"]["count"]
        for figure in (row["original"], row["restated"]):
            assert len(await pages(client, figure["leads"])) == figure["count"], figure
    late = await pages(client, closing["events"])
    assert late == sorted(late, key=lambda item: item["recorded_at"])
    assert all(datetime.fromisoformat(item["recorded_at"]) > CLOSED for item in late)
    assert len({(item["lead"], item["version"]) for item in late}) == len(late) > 0


async def pages(client: httpx.AsyncClient, link: str) -> list[dict[str, Any]]:
    items, after = [], ""
    while True:
        page = (await client.get(f"{link}&limit=7{after}")).json()
        items += page["items"]
        if page["next"] is None:
            return items
        after = f"&after={page['next']}"


@pytest.mark.parametrize("language", ["ru", "en"])
async def test_M9_every_number_opens_what_it_counts_as_of_a_moment_and_on_the_page(
    after: tuple[Web, History, World, dict[str, Any]], language: str
) -> None:
    web, _, _, _ = after
    async with web.api("head") as client:
        for query in (
            {"as_of": CLOSED.isoformat(), "by": "source"},
            {"view": "activity", **MARCH, "responsible": "anna"},
        ):
            answer = await funnel(client, **query)
            links = [n for group in (answer["total"], *answer["groups"]) for n in _numbers(group)]
            assert len(links) > 100
            for number in links:
                items = await pages(client, number["leads"])
                assert len(items) == len({(i["lead"], i["visit"]) for i in items}) == number["count"], number
    browser = await web.signed_in("seller")
    page = await browser.get(
        "/funnels/classic", params={"lang": language, **MARCH, "view": "activity", "counting": "reached"}
    )
    assert page.status_code == 200
    assert 'id="closed"' in page.text
    late = re.search(r'href="(/funnels/classic/late[^"]+)"', page.text)
    assert late is not None
    events = await browser.get(late[1].replace("&amp;", "&"))
    assert events.text.count('<a href="/leads/') > 0
    for query in ({"responsible": "anna"}, {"as_of": "2026-03-20T10:00"}, {"until": "2026-03-20"}):
        assert (await browser.get("/funnels/classic", params={**query, "by": "source"})).status_code == 200
    mine = re.search(r'href="(/funnels/classic\?[^"]*responsible=anna[^"]*)"', page.text)
    assert mine is not None


def _numbers(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        if set(value) == {"count", "leads"}:
            return [value]
        return [number for inner in value.values() for number in _numbers(inner)]
    return [number for inner in value for number in _numbers(inner)] if isinstance(value, list) else []


def path(lead: Stream, person: UUID, *stages: tuple[str, str], source: str = "site", at: datetime = START) -> Stream:
    """A lead that went through these (stage, direction), an hour apart."""
    captured = EVENT_TYPES["leadline.lead.captured"]
    entered = EVENT_TYPES["leadline.lead.stage_entered"]
    lead.add(captured(pipeline="classic", contact=person, channel="form", source=source, received_at=at), happened_at=at, recorded_at=at)  # type: ignore[call-arg]  # fmt: skip  # noqa: E501
    for n, (stage, direction) in enumerate(stages, start=1):
        data = {"stage": stage, "kind": CLASSIC_KINDS[stage], "visit": n, "cause": "moved", "direction": direction}
        if n > 1:
            data |= {"from_stage": stages[n - 2][0], "from_visit": n - 1}
        when = at + timedelta(hours=n)
        lead.add(entered(**data), happened_at=when, recorded_at=when)
    return lead


async def test_C5_of_100_leads_20_deals_are_exactly_20_percent_and_say_whose_work_it_is(
    settings: Settings, pool: Pool
) -> None:
    keys = Keys()
    person = contact(keys)
    world = World(settings, pool, keys)
    new, on = ("new", "in"), ("processing", "forward")
    won, lost = ("converted", "skip"), ("price", "out")
    site = [[new, on, won]] * 20 + [[new, on, lost]] * 5 + [[new, lost]] * 75
    fair = [[new, on]] + [[new, lost]] * 29
    few = [[new, on, won]] * 19
    fresh = [[new, on]] * 10 + [[new]] * 15
    streams = [
        path(Stream(keys, person.id, uuid4()), person.id, *stages, source=source)
        for source, paths in (("site", site), ("fair", fair), ("few", few), ("fresh", fresh))
        for stages in paths
    ]
    await keys.store(pool, settings)
    async with projections(settings), door_over(settings, pool) as web:
        await world.happen(person, *streams)
        await seen(pool, person, *streams)
        async with web.api("head") as client:
            by = {g["group"]: g for g in (await funnel(client, by="source", **MARCH))["groups"]}
            assert by["site"]["conversion"] == {"part": 20, "of": 100, "percent": "20.0", "enough": True}
            assert (by["site"]["first_step"]["percent"], by["site"]["verdict"]) == ("25.0", "sellers_work")
            assert (by["fair"]["first_step"]["percent"], by["fair"]["verdict"]) == ("3.3", "lead_quality")
            assert (by["few"]["conversion"]["of"], by["few"]["verdict"]) == (19, "too_few")
            assert (by["fresh"]["first_step"]["percent"], by["fresh"]["verdict"]) == ("40.0", "none")
            rows = {row["stage"]["id"]: row for row in by["site"]["stages"]}
            over = {stage: rows[stage]["skipped_over"]["count"] for stage in CLASSIC}
            assert over == {"new": 0, "processing": 0, "proposal": 20, "closing": 20, "converted": 0}
            reached = {stage: (rows[stage]["leads"]["count"], rows[stage]["reached"]["count"]) for stage in CLASSIC}
            assert reached == {
                "new": (100, 100), "processing": (25, 25), "proposal": (0, 20), "closing": (0, 20), "converted": (20, 20),
            }  # fmt: skip

"""`verify` and `rebuild timers` against events of the store (M2, M8, N1, N2), the relay and the robots service at work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from contracts.events import EffectRequested, RobotRan
from services.database import Pool
from services.ops.rebuild import DONE, REFUSED
from services.ops.verify.run import verify
from services.robots.rebuilding.run import TimersDifferError, rebuild
from services.settings import Settings
from tests.builders import Stream
from tests.eventlog_builders import Relay, write
from tests.integration.robots_case import NOON, HandClock, Lead, commands, counts, read_all, robots, rows, states

pytestmark = pytest.mark.kafka

HOUR = timedelta(hours=1)


class World:
    """Leads with robots, in the store and on the topics, read by the robots service."""

    def __init__(self, settings: Settings, pool: Pool) -> None:
        self.settings, self.pool, self.clock = settings, pool, HandClock()

    async def write(self, *leads: Stream) -> None:
        """Append what is new of these leads."""
        for lead in leads:
            await write(self.pool, lead.made)
            lead.made.clear()

    async def timers_differ(self) -> list[tuple[str, str, str]]:
        """What `verify` says of timers: kind, about, detail."""
        report = await verify(self.settings, range_events=7)
        return [(d.kind, d.about, d.detail) for d in report.differences if d.place == "timers"]


@asynccontextmanager
async def at_work(world: World, *leads: Stream) -> AsyncIterator[None]:
    """Relay and robots, until both have read these leads."""
    async with Relay(world.settings), robots(world.settings, world.clock):
        await world.write(*leads)
        await read_all(world.pool, leads)
        yield


@pytest.fixture
def world(settings: Settings, pool: Pool) -> World:
    return World(settings, pool)


def crowd() -> tuple[list[Lead], list[UUID]]:
    """Leads in every state a timer can be in; the timers that wait or are on their way."""
    leads, waiting = [Lead() for _ in range(12)], []
    for number, lead in enumerate(leads):
        done = lead.arm("first_letter", NOON - HOUR)
        lead.close(done, ("ran", "skipped", "cancelled", "failed")[number % 4])
        waiting += [lead.arm("call", NOON - HOUR), lead.arm("remind", NOON + HOUR)]
    return leads, waiting


async def test_M2_N2_verify_agrees_while_timers_wait_are_sent_and_closed(world: World) -> None:
    leads, waiting = crowd()
    async with at_work(world, *leads):
        await states(world.pool, sent=12, pending=12)
        assert await world.timers_differ() == []
        report = await verify(world.settings, range_events=7)
        assert (report.counts["timers waiting"], report.counts["timers armed"], report.counts["timers ran"]) == (
            24,
            36,
            3,
        )
    # what the service has not read yet is no difference
    leads[0].close(waiting[0], robot="call")
    late = Lead()
    late.arm()
    await world.write(leads[0], late)
    assert await world.timers_differ() == []


async def test_M2_N2_verify_names_each_timer_that_is_not_as_the_events_say(world: World) -> None:
    leads, waiting = crowd()
    async with at_work(world, *leads):
        await states(world.pool, sent=12, pending=12)
    lost, moved, closed = waiting[0], waiting[3], uuid4()
    await world.pool.execute("DELETE FROM leadline.timers WHERE timer = $1", lost)
    await world.pool.execute("UPDATE leadline.timers SET due_at = due_at + interval '1 s' WHERE timer = $1", moved)
    await world.pool.execute(
        """INSERT INTO leadline.timers (timer, stream, kind, pipeline, robot, due_at, armed_version, correlation, autodepth)
           SELECT $1, stream, kind, pipeline, 'stray', due_at, armed_version, correlation, 0 FROM leadline.timers LIMIT 1""",
        closed,
    )
    await world.pool.execute("UPDATE leadline.timer_counts SET ran = ran + 1 WHERE robot = 'first_letter'")
    found = await world.timers_differ()
    assert sorted(kind for kind, _, _ in found) == ["differs", "differs", "missing", "unexpected"]
    for kind, timer, robot in (
        ("missing", lost, "call"),
        ("differs", moved, "remind"),
        ("unexpected", closed, "stray"),
    ):
        assert any(k == kind and str(timer) in detail and f"robot {robot}" in detail for k, _, detail in found)
    assert ("differs", "classic/first_letter (lead)", "ran: counted 4, the events say 3") in found


async def test_M2_N1_verify_names_what_was_armed_closed_or_done_twice(world: World) -> None:
    twice, ran_twice, never, effects = Lead(), Lead(), Lead(), Lead()
    timer = twice.arm()
    twice.arm(timer=timer)
    twice.close(timer)
    twice.close(timer, "failed")
    for _ in range(2):
        ran_twice.close(ran_twice.arm("call"), robot="call")
    stranger = uuid4()
    never.close(stranger, "skipped")
    unasked, shared = uuid4(), uuid4()
    request = EffectRequested(effect=shared, effect_kind="email", robot="letter", visit=1, email="a@example.com")
    effects.add(request)
    effects.add(request)
    for robot, effect in (("letter", shared), ("second", shared), ("third", unasked)):
        common = {"robot": robot, "timer": effects.arm(robot), "visit": 1}
        effects.add(RobotRan(**common, did="email", due_at=NOON, late_ms=0, effect=effect))
    await effects.keys.store(world.pool, world.settings)
    async with at_work(world, twice, ran_twice, never, effects):
        pass
    found = await world.timers_differ()
    assert sorted(found) == sorted(
        [
            ("repeated", str(twice.id), f"robot first_letter: armed twice ({timer})"),
            ("repeated", str(twice.id), f"robot first_letter: failed after it was ran ({timer})"),
            ("repeated", str(ran_twice.id), f"robot call ran 2 times in visit 1 for {NOON:%Y-%m-%dT%H:%M:%SZ}"),
            ("unexpected", str(never.id), f"robot first_letter: skipped, but it was never armed ({stranger})"),
            ("repeated", str(effects.id), f"robot second: its effect is that of another run, of letter ({shared})"),
            ("repeated", str(effects.id), f"robot second: the same effect was requested 2 times ({shared})"),
            (
                "missing",
                str(effects.id),
                f"robot third: it ran, but what it does outside was never requested ({unasked})",
            ),
        ]
    )


async def damage(pool: Pool, waiting: Sequence[UUID]) -> None:
    """Rows lost, moved, added, given to another lead; counts changed."""
    await pool.execute("DELETE FROM leadline.timers WHERE timer = ANY($1)", waiting[:3])
    await pool.execute("UPDATE leadline.timers SET due_at = due_at - interval '1 day' WHERE timer = $1", waiting[5])
    await pool.execute("UPDATE leadline.timers SET stream = $2 WHERE timer = $1", waiting[7], uuid4())
    await pool.execute(
        """INSERT INTO leadline.timers (timer, stream, kind, pipeline, robot, due_at, armed_version, correlation, autodepth)
           SELECT gen_random_uuid(), stream, kind, pipeline, 'stray', due_at, 1, 'c', 0 FROM leadline.timers LIMIT 3"""
    )
    await pool.execute("UPDATE leadline.timer_counts SET ran = ran + 2, armed = armed - 1 WHERE robot = 'first_letter'")


async def test_M8_N2_a_rebuild_finds_the_same_timers_and_fires_nothing(world: World) -> None:
    leads, _ = crowd()
    async with at_work(world, *leads):
        await states(world.pool, sent=12, pending=12)
        before, sent = await rows(world.pool), await commands(world.settings)
        found = await rebuild(world.pool, accept=False, range_events=7)
        assert found.equal
        assert (found.rows, found.timers, found.events) == (24, 24, 48)
        assert await rows(world.pool) == before
        assert await commands(world.settings) == sent


async def test_M8_N2_a_rebuild_puts_right_what_differs_only_when_told_so(world: World) -> None:
    leads, waiting = crowd()
    async with at_work(world, *leads):
        await states(world.pool, sent=12, pending=12)
    before = await rows(world.pool)
    await damage(world.pool, waiting)
    damaged = await rows(world.pool)
    with pytest.raises(TimersDifferError) as refused:
        await rebuild(world.pool, accept=False, range_events=7)
    assert str(waiting[0]) in " ".join(refused.value.found.named)
    assert await rows(world.pool) == damaged
    assert not (await rebuild(world.pool, accept=True, range_events=7)).equal
    assert (await rebuild(world.pool, accept=False, range_events=7)).equal
    assert await world.timers_differ() == []
    after = await rows(world.pool)
    assert after.keys() == before.keys()
    assert {timer: after[timer] for timer in waiting[3:]} == {
        timer: before[timer] for timer in waiting[3:]
    }  # sent is sent
    await counts(world.pool)


async def test_M8_N2_timers_are_made_from_nothing_while_the_service_goes_on(world: World) -> None:
    leads, waiting = crowd()
    async with at_work(world, *leads):
        await states(world.pool, sent=12, pending=12)
        world.clock.move(-2 * HOUR)
        await world.pool.execute("TRUNCATE leadline.timers, leadline.timer_counts")
        for lead, timer in zip(leads, waiting[::2], strict=True):
            lead.close(timer, robot="call")
        more = Lead()
        waiting.append(more.arm("call", NOON + HOUR))
        await world.write(*leads[:6])
        await rebuild(world.pool, accept=True, range_events=7)
        await world.write(*leads[6:], more)
        await read_all(world.pool, [*leads, more])
        await states(world.pool, pending=13)
    assert set(await rows(world.pool)) == {*waiting[1::2], waiting[-1]}
    assert await world.timers_differ() == []
    assert (await counts(world.pool))["armed"] == 37


async def test_M8_the_command_names_what_differs_and_its_exit_status_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from services.ops import rebuild as command
    from services.ops.place import Place

    leads, waiting = crowd()
    async with at_work(world, *leads):
        await states(world.pool, sent=12, pending=12)
    monkeypatch.setattr(Place, "settings", lambda self: world.settings)
    place = Place.__new__(Place)
    options = {"rollback": False, "drop_kept": False, "as_json": False}
    assert await command.rebuild(place, "timers", accept=False, **options) == DONE
    assert "every row and every count is the same" in capsys.readouterr().out
    await damage(world.pool, waiting)
    assert await command.rebuild(place, "timers", accept=False, **options) == REFUSED
    assert str(leads[0].id) in (said := capsys.readouterr().out)
    assert "leadline rebuild timers --accept" in said
    assert await command.rebuild(place, "timers", accept=True, **options) == DONE
    assert await command.rebuild(place, "timers", accept=False, **options) == DONE

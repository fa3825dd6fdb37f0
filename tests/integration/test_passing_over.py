"""A batch in which a consumer has nothing to do is taken by two statements, as safely as by a transaction (K4, decision 4)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from contracts.events import LeadSeen, TagAdded
from contracts.meta import digest_of
from services.database import Pool
from services.eventlog.consuming import store
from services.eventlog.consuming.parked import store as parked
from services.eventlog.consuming.parked.store import Parked
from services.eventlog.consuming.records import (
    NO_WITNESS,
    Batch,
    FencedError,
    Position,
    PositionMove,
    RawRecord,
    Slot,
    batch_of,
)
from services.eventlog.consuming.streams import Streams
from services.eventlog.mapper import UnknownTypeError
from tests.builders import Keys, Made, Stream

SLOT = Slot("leads.events", 0)
START = Position(0, NO_WITNESS)
TYPES = frozenset({TagAdded.TOPIC})

Standing = tuple[Position, dict[str, tuple[int, bytes]]]


@pytest.fixture
async def lead(pool: Pool) -> Stream:
    """A lead, and a consumer at the beginning of its partition."""
    async with pool.acquire() as database:
        await store.load_positions(database, "test", 1, {SLOT: 0})
    return Stream(Keys())


def batch(records: Sequence[RawRecord], expected: Position = START, *, keep: bool = False) -> Batch:
    return batch_of(records, "test", 1, {SLOT: expected}, {SLOT} if keep else set())


def seen(stream: Stream, times: int) -> list[Made]:
    return [stream.add(LeadSeen()) for _ in range(times)]


async def passes(pool: Pool, taken: Batch) -> bool:
    return await Streams("test", 1, TYPES).pass_over(pool, taken)


async def standing(pool: Pool, *streams: Stream) -> Standing:
    """Where the consumer stands: its position, and what it has seen."""
    async with pool.acquire() as database:
        positions = await store.read_positions(database, "test", 1, [SLOT])
        known, _ = await store.load_seen(database, "test", 1, [str(stream.id) for stream in streams])
    return positions[SLOT], known


async def test_K4_events_without_use_are_checked_counted_and_passed(pool: Pool, lead: Stream) -> None:
    records = [made.record(n) for n, made in enumerate(seen(lead, 3))]
    assert await passes(pool, batch(records[:2]))
    position, known = await standing(pool, lead)
    assert (position, known[str(lead.id)][0]) == (records[1].after(), 2)
    assert await passes(pool, batch(records[1:], position)), "the second is a repeat"
    assert await standing(pool, lead) == (records[2].after(), {str(lead.id): (3, lead.digest)})


async def test_K4_a_batch_with_something_in_it_is_left_alone(pool: Pool, lead: Stream) -> None:
    first, used = lead.add(LeadSeen()), lead.add(TagAdded(tag="vip"))
    gap, cut = seen(lead, 2)
    records = [made.record(n) for n, made in enumerate((first, used, gap, cut))]
    tombstone = RawRecord(*records[1][:4], None, *records[1][5:])
    other = records[1]._replace(key=b"other")
    for case in ([records[0], records[1]], [records[0], records[2]], [records[0], tombstone], [records[0], other]):
        assert not await passes(pool, batch(case)), case
    assert not await passes(pool, batch(records[:1], keep=True)), "its witness is to be remembered"
    assert not await passes(pool, Batch(records[:1], []))
    assert await standing(pool, lead) == (START, {})


async def test_K4_a_type_of_the_future_is_not_passed_over(pool: Pool, lead: Stream) -> None:
    for changed in ({"type": "leadline.lead.from_the_future"}, {"schema_version": 99}):
        stream = Stream(Keys())
        records = [stream.add(LeadSeen(), **changed).record(0)]
        assert not await passes(pool, batch(records))
        async with pool.acquire() as database:
            with pytest.raises(UnknownTypeError, match="older than the log"):
                await Streams("test", 1, TYPES).sort(database, records)


async def test_K4_an_event_that_does_not_follow_is_not_passed_over(pool: Pool, lead: Stream) -> None:
    made = seen(lead, 2)
    forged = made[1].record(1)._replace(value=made[1].value.replace(b"anna", b"boss"))
    assert not await passes(pool, batch([made[0].record(0), forged]))
    assert await standing(pool, lead) == (START, {})
    assert digest_of(made[0].digest, forged.value or b"") != made[1].digest


async def test_K4_a_stream_with_parked_records_is_not_passed_over(pool: Pool, lead: Stream) -> None:
    first, second = (made.record(n) for n, made in enumerate(seen(lead, 2)))
    async with pool.acquire() as database:
        await parked.park(database, "test", 1, [Parked(0, second, str(lead.id), 2, "gap", "waits")])
    assert not await passes(pool, batch([first])), "what waits for it must be asked for"


async def test_K4_who_lost_the_partition_passes_nothing_over(pool: Pool, lead: Stream) -> None:
    """All of it or nothing: another partition's move in the same batch is not made either."""
    elsewhere = Slot(SLOT.topic, 1)
    async with pool.acquire() as database:
        await store.load_positions(database, "test", 1, {elsewhere: 0})
    other = Stream(Keys())
    records = [seen(lead, 1)[0].record(0), seen(other, 1)[0].record(0, partition=1)]
    stale = Position(7, b"another")
    lost = batch_of(records, "test", 1, {SLOT: stale, elsewhere: START}, set())
    with pytest.raises(FencedError):
        await passes(pool, lost)
    assert await standing(pool, lead, other) == (START, {})
    async with pool.acquire() as database:
        assert await store.read_positions(database, "test", 1, [elsewhere]) == {elsewhere: START}


@pytest.mark.parametrize("known", [False, True])
async def test_K4_a_stream_that_another_moved_meanwhile_is_not_set_back(pool: Pool, lead: Stream, known: bool) -> None:
    """A released record was applied by another process, which moves no position by it: `seen` is compared as well."""
    streams, records = Streams("test", 1, TYPES), [made.record(n) for n, made in enumerate(seen(lead, 3))]
    if known:
        assert await passes(pool, batch(records[:1]))
    begin = (await standing(pool, lead))[0]
    ahead = (3, lead.digest)
    read = store.load_seen

    async def overtaken(*args: object) -> object:
        found = await read(*args)  # type: ignore[arg-type]
        async with pool.acquire() as database:
            await store.save_seen(database, "test", 1, {str(lead.id): ahead})
        return found

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store, "load_seen", overtaken)
        with pytest.raises(FencedError):
            await streams.pass_over(pool, batch(records[1:2] if known else records[:1], begin))
    assert await standing(pool, lead) == (begin, {str(lead.id): ahead})


async def test_K4_the_last_twenty_witnesses_are_remembered(pool: Pool, lead: Stream) -> None:
    at = START
    for offset in range(1, 26):
        move = PositionMove("test", 1, SLOT, at, Position(offset, b"%d" % offset), keep=True)
        async with pool.acquire() as database, database.transaction():
            assert await store.compare_and_set(database, [move]) == {SLOT}
            await store.keep_witnesses(database, [move])
        at = move.new
    async with pool.acquire() as database:
        kept = await store.witnesses(database, "test", 1, SLOT)
        assert [position.next_offset for position in kept] == list(range(25, 5, -1))
        await store.keep_witnesses(database, [move])
        assert await store.witnesses(database, "test", 1, SLOT) == kept

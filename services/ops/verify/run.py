"""The order of a verification: snapshot, ends of the topics, store and projections by ranges of streams, topics by partition.

Invariants: the ends are noted right after the snapshot, so that what was acknowledged before it stands below them; memory is
bounded by one range of streams and one partition; nothing is written but temporary files of ids and digests.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

from contracts.topics import EVENTS_TOPIC_OF_KIND, LEADS_INBOUND, LEADS_REFUSALS
from services.database import Database
from services.ops.progress import Progress
from services.ops.verify import chain, claims, effects, imports, inbound, journals, refusals, store, topics
from services.ops.verify.log_end import LogEnds, LogReader, log_reader
from services.ops.verify.opened import load_keys, open_stream
from services.ops.verify.projected.compare import ProjectionCheck
from services.ops.verify.report import Report
from services.ops.verify.spool import Spool
from services.ops.verify.timers import TimerCheck
from services.privacy.store import KeyRing
from services.settings import Settings

RANGE_EVENTS = 5_000
RANGES_PER_RING = 20  # so that a ring of keys neither grows without bound nor outlives its cache time
EVENT_TOPICS = tuple(sorted(set(EVENTS_TOPIC_OF_KIND.values())))
READ_TOPICS = (*EVENT_TOPICS, LEADS_REFUSALS.name, LEADS_INBOUND.name)


def silent(_step: str, _done: int, _total: int | None) -> None:
    """A progress that nobody watches."""


async def verify(settings: Settings, progress: Progress = silent, range_events: int = RANGE_EVENTS) -> Report:
    """Verify the running system. Raises what makes checking impossible: database or Kafka away, a wrong master key's form."""
    report, pepper, master = Report(), settings.pepper_bytes, settings.master_key_bytes
    async with store.snapshot(settings) as database, log_reader(settings) as reader:
        ends = await reader.ends(READ_TOPICS)
        for topic in ends.missing:
            report.differ(
                "topic", "missing", topic, "the topic does not exist; start the system, then: leadline republish"
            )
        with Spool() as spool:
            unsent = await _outbox(database, spool, ends, report)
            projections = await ProjectionCheck.of(database, ends, report)
            timers = TimerCheck(report)
            how = master, pepper, range_events
            await _store(database, spool, ends, report, progress, how, projections, timers)
            await projections.finish(database)
            await timers.finish(database)
            journals.compare(spool, report)
            await inbound.check_outcomes(database, spool, report)
            await imports.check_rows(database, spool, report)
            await refusals.check_answers(database, spool, ends, report)
            await inbound.check_waiting(database, unsent, reader, ends, report)
            await _parked(database, report)
            await _topics(settings, spool, reader, ends, report, progress)
    return report


async def _outbox(database: Database, spool: Spool, ends: LogEnds, report: Report) -> set[tuple[UUID, int]]:
    """Note what waits in the outbox; returns the messages received that do, as (id, attempt)."""
    unsent: set[tuple[UUID, int]] = set()
    async for page in store.outbox(database):
        for topic, key, stream, version, value in page:
            if topic == LEADS_INBOUND.name:
                unsent.add((stream, version))
            elif topic == LEADS_REFUSALS.name:
                refusals.keep_unsent(spool, key, stream, value or b"", ends)
            elif value is None:
                topics.keep_waiting(spool, topic, key, stream, version, ends)
                if topic not in EVENT_TOPICS:
                    report.differ(
                        "outbox", "unexpected", f"{stream}-{version}", f"an event for {topic}, which carries none"
                    )
    return unsent


async def ranges(database: Database, range_events: int) -> AsyncIterator[tuple[UUID, UUID, list[store.EventRow]]]:
    """The whole event store by ranges of streams: (first, last, their events). The last range is empty or not, but reaches
    the end of all ids, so that rows of streams without events lie in a range too."""
    begin = store.FIRST
    while True:
        end = await store.chunk_end(database, begin, range_events)
        yield begin, end, await store.events_between(database, begin, end)
        if end == store.LAST:
            return
        begin = UUID(int=end.int + 1)


async def _store(
    database: Database,
    spool: Spool,
    ends: LogEnds,
    report: Report,
    progress: Progress,
    how: tuple[bytes, bytes, int],
    projections: ProjectionCheck,
    timers: TimerCheck,
) -> None:
    """Every stream: its chain, its claims, its rows in the projections, its timers; and notes for the passes over the topics."""
    master, pepper, range_events = how
    total, done, number, doubtful = await store.estimated_events(database), 0, 0, 0
    ring = KeyRing(master)
    async for begin, end, rows in ranges(database, range_events):
        number += 1
        if number % RANGES_PER_RING == 0:
            ring = KeyRing(master)
        streams = list(chain.streams_of(rows, report))
        for stream in streams:
            topics.keep_stream(spool, stream, ends)
            for entry in stream.entries:
                inbound.keep_taken(spool, entry)
                imports.keep_made(spool, entry)
        await load_keys(database, ring, streams, report)
        opened = [(stream, open_stream(stream, ring, report)) for stream in streams]
        leads = [(stream.id, events) for stream, events in opened if stream.kind == "lead"]
        deals = [(stream.id, events) for stream, events in opened if stream.kind == "deal"]
        contacts = [(stream.id, events) for stream, events in opened if stream.kind == "contact"]
        companies = [(stream.id, events) for stream, events in opened if stream.kind == "company"]
        of_range = claims.Range(begin, end, leads, deals, contacts, companies)
        await claims.check_claims(database, of_range, pepper, report)
        works = [(stream.id, events) for stream, events in opened if stream.kind in ("lead", "deal", "incident")]
        doubtful += await effects.check_effects(database, begin, end, works, report)
        for stream, events in opened:
            journals.check_stream(spool, stream.id, stream.kind, events, report)
        await projections.check(database, begin, end, opened)
        await timers.check(database, begin, end, ((stream.id, stream.kind, events) for stream, events in opened))
        done += len(rows)
        progress("events", done, max(total, done))
    if doubtful:
        report.note(f"{doubtful} effects may have gone out more than once; see: leadline effects --doubtful")


async def _topics(
    settings: Settings, spool: Spool, reader: LogReader, ends: LogEnds, report: Report, progress: Progress
) -> None:
    total = sum(end - begin for spans in ends.spans.values() for begin, end in spans.values())
    done = 0

    def count(records: int) -> None:
        nonlocal done
        done += records
        progress("records on the topics", done, max(total, done))

    async with store.second_read(settings) as later:
        for topic in EVENT_TOPICS:
            for partition in range(ends.partitions(topic)):
                await topics.TopicCheck(topic, partition, ends, report, later).run(spool, reader, count)
        for partition in range(ends.partitions(LEADS_REFUSALS.name)):
            await refusals.check_partition(partition, spool, reader, ends, later, report)


async def _parked(database: Database, report: Report) -> None:
    for consumer, build, reason, count, example in await store.parked_by_reason(database):
        text = f"{count} records could not be applied ({reason}), for example {example}; see: leadline parked"
        report.differ("projection" if consumer != "leads" else "inbound", "parked", f"{consumer}/{build}", text)
        report.counts["parked"] += count

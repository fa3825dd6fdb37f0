"""Faults of the disk: a power cut, a lost folder, an old backup, on the files of a data folder whose server does not run.

A power cut takes what the broker had not flushed: its settings flush each log within 1.5 s, so at most the record batches younger
than that, from the end of a partition backwards; the last one may be torn. Nothing older is ever cut.
"""

from __future__ import annotations

import asyncio
import random
import re
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaConsumer

from tests.chaos.scene import Scene
from tests.chaos.system import ChaosError, System, until

FLUSHED_MS = 1_500  # log.flush.interval.ms + log.flush.scheduler.interval.ms
HEALED_TOPICS = (
    "leads.events",
    "people.events",
    "pipelines.events",
    "leads.refusals",
    "deals.events",
    "incidents.events",
)
CUT_TOPICS = ("leads.events", "people.events", "leads.refusals")
_BATCH = struct.Struct(
    ">qiibIhiqq"
)  # base offset, length, epoch, magic, crc, attributes, last delta, first and last time


def batches(log: Path) -> Iterator[tuple[int, int, int, int]]:
    """The record batches of a segment: place in the file, bytes, records, time of the newest record in ms."""
    content, at = log.read_bytes(), 0
    while at + _BATCH.size <= len(content):
        _, length, _, _, _, _, last_delta, _, newest = _BATCH.unpack_from(content, at)
        if length <= 0 or at + 12 + length > len(content):
            return
        yield at, 12 + length, last_delta + 1, newest
        at += 12 + length


def cut_power(kafka: Path, died_ms: int, chance: random.Random) -> int:
    """Cut what a power cut at `died_ms` may take off the ends of the logs; the number of records cut."""
    cut = 0
    for folder in sorted(kafka.glob("log/*-*")):
        if folder.name.rpartition("-")[0] not in CUT_TOPICS or not (segments := sorted(folder.glob("*.log"))):
            continue
        # from the first batch that is young enough: those behind it were written later still
        found = list(batches(segments[-1]))
        young = next((i for i, each in enumerate(found) if each[3] > died_ms - FLUSHED_MS), None)
        if young is None:
            continue
        first = chance.randrange(young, len(found))
        place, size, _, _ = found[first]
        torn = chance.choice((0, chance.randrange(1, size)))
        with segments[-1].open("r+b") as file:
            file.truncate(place + torn)
        cut += sum(records for _, _, records, _ in found[first:])
    return cut


def lose(folder: Path) -> None:
    """The folder is gone."""
    shutil.rmtree(folder)


def copy(folder: Path, to: Path) -> None:
    """A copy with owners and times, as a backup tool makes it."""
    subprocess.run(["cp", "-a", str(folder), str(to)], check=True, timeout=120)


async def power_cut(scene: Scene) -> None:
    """The broker dies and its logs lose what was not flushed: the supervisor is held still meanwhile, as the machine would be."""
    supervisor = scene.system.process
    assert supervisor is not None
    supervisor.send_signal(signal.SIGSTOP)
    try:
        scene.hit("kafka")
        died_ms = int(time.time() * 1000)
        await asyncio.sleep(0.1)
        cut = cut_power(scene.system.data / "kafka", died_ms, scene.chance)
    finally:
        supervisor.send_signal(signal.SIGCONT)
    scene.note = f"{cut} records cut off"


async def lost_kafka(scene: Scene) -> None:
    """The Kafka folder is deleted while all is down; the start and `leadline republish` fill it again."""
    await scene.system.down()
    lose(scene.system.data / "kafka")
    scene.struck = time.monotonic()
    await scene.up()
    told = []
    for topic in HEALED_TOPICS:
        status, out, err = await scene.system.command("republish", topic)
        if status:
            raise ChaosError(f"leadline republish {topic}: {status} {out} {err}")
        told += re.findall(r"(\d+) published", out)
    scene.note = f"by hand: {sum(map(int, told))} published"


async def old_postgres(scene: Scene) -> None:
    """Postgres comes back as an older copy: the relay must publish nothing and say what differs. Then the right one heals."""
    system, postgres = scene.system, scene.system.data / "postgres"
    older, newer = system.base / "older", system.base / "newer"
    await system.down()
    copy(postgres, older)
    await system.up()
    scene.load.begin(scene.load.cycle)
    await asyncio.sleep(3.0)
    await scene.load.end()
    await scene.drained()
    before = await _ends(system)
    await system.down()
    postgres.rename(newer)
    older.rename(postgres)
    await system.up(ready=False)
    notice = await until("the relay refuses", lambda: _refusal(system), 80.0)
    if not re.search(r"(leads|people)\.events\[\d+\]@\d+ [0-9a-f-]{36}-\d+: (unknown|with other)", notice):
        raise ChaosError(f"the relay's refusal does not say what differs: {notice}")
    await asyncio.sleep(2.0)
    if (after := await _ends(system)) != before:
        raise ChaosError(f"records were published over an older store: {before} → {after}")
    await system.down()
    lose(postgres)
    newer.rename(postgres)
    scene.struck = time.monotonic()
    await scene.up()
    scene.note = "refused, " + notice.partition("published: ")[2].partition(".")[0]


async def _refusal(system: System) -> str | None:
    system.read_places()
    database = await system.connect()
    try:
        found: str | None = await database.fetchval(
            "SELECT detail FROM leadline.notices WHERE code = 'relay_refuses' AND cleared_at IS NULL"
        )
        return found
    except asyncpg.UndefinedTableError:
        return None
    finally:
        database.terminate()


async def _ends(system: System) -> int:
    """How many records the topics hold that only the relay writes."""
    consumer = AIOKafkaConsumer(*HEALED_TOPICS, bootstrap_servers=system.info["kafka"], group_id=None)
    await consumer.start()
    try:
        return sum((await consumer.end_offsets(consumer.assignment())).values())
    finally:
        await consumer.stop()

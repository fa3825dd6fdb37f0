"""What a power cut, a lost folder and an old backup do to the files of a data folder whose server does not run.

A power cut takes what the broker had not flushed: its settings flush each log within 1.5 s, so at most the record batches younger
than that, from the end of a partition backwards; the last one may be torn. Nothing older is ever cut.
"""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

FLUSHED_MS = 1_500  # log.flush.interval.ms + log.flush.scheduler.interval.ms
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

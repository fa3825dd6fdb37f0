"""The machine a figure was taken on."""

from __future__ import annotations

import os
import platform
import statistics
import time
from pathlib import Path

FSYNCS = 50


def describe_machine(folder: Path, partitions: int) -> str:
    """Processor, cores, memory, the disk's fsync latency (median of 50 writes of 4 KB), partitions."""
    return (
        f"machine: {_processor()}, {os.cpu_count()} cores, {_memory()} GB; Python {platform.python_version()}; "
        f"fsync {fsync_ms(folder):.2f} ms; {partitions} partitions; Postgres fsync, full_page_writes, "
        "synchronous_commit on; Kafka flushes each second"
    )


def fsync_ms(folder: Path) -> float:
    """Median milliseconds of write + fsync of 4 KB in the data folder."""
    times = []
    path = folder / "fsync-probe"
    with path.open("wb", buffering=0) as file:
        for _ in range(FSYNCS):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            os.fsync(file.fileno())
            times.append((time.perf_counter() - began) * 1000)
    path.unlink()
    return statistics.median(times)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown processor"


def _memory() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)

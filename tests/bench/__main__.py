"""`make bench`: (a) actions per second end to end against the ceiling, (b) accepted → visible on the board, memory, (c) to (g)
what grows with the store (`growth`), (h) robots (`robots`), (p) where the processor goes (`parts`).

Everything is on in every figure: both doors, relay, projections, web, fsync; in (h) the reactors too. The machine, its fsync
latency and the number of partitions are printed with the figures. Needs `../shared/trials/ceiling.py` (or `--ceiling FILE`)
for the baseline of (a).
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

import uvloop

from tests.bench.growth import measure_growth, measure_import
from tests.bench.latency import measure_latency
from tests.bench.machine import describe_machine
from tests.bench.parts import measure_parts
from tests.bench.robots import STARTING, measure_robots
from tests.bench.stack import SERVICES, Stack
from tests.bench.throughput import measure_ceiling, measure_product, report

ROOT = Path(__file__).resolve().parents[2]


async def main() -> int:
    """Run what was asked for; 0 when every figure could be taken."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    root = ROOT
    parser.add_argument("--ceiling", type=Path, default=root.parent / "shared" / "trials" / "ceiling.py")
    parser.add_argument("--leads", type=int, default=8_000, help="leads; five actions each")
    parser.add_argument("--rate", type=int, default=500, help="forms a second in (b)")
    parser.add_argument("--seconds", type=int, default=20, help="length of (b)")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[1_000, 100_000], help="open leads in the store in (c), (d), (e), (g)"
    )
    parser.add_argument("--long", action="store_true", help="those with 1,000,000 open leads too")
    parser.add_argument("--entering", type=int, default=10_000, help="leads that enter a stage with robots in (h)")
    parser.add_argument("--starting", nargs="+", default=list(STARTING), choices=list(STARTING), help="when they start")
    parser.add_argument("--within", type=float, default=60.0, help="seconds in which they do")
    parser.add_argument("--only", choices=["a", "b", "c", "f", "h", "p"], help="one of them; c: (c), (d), (e) and (g)")
    asked = parser.parse_args()
    async with Stack() as stack:
        print(describe_machine(stack.folder, stack.settings.kafka_partitions), flush=True)
        if asked.only in (None, "a"):
            if not asked.ceiling.is_file():
                print(f"no baseline: {asked.ceiling} is not there; name it with --ceiling", file=sys.stderr)
                return 2
            baseline = await measure_ceiling(stack, asked.ceiling, asked.leads)
            product = await measure_product(stack, asked.leads)
            print(report(baseline, product), flush=True)
        if asked.only in (None, "p"):
            print(
                await measure_parts(stack, asked.ceiling if asked.ceiling.is_file() else None, asked.leads), flush=True
            )
            for name in SERVICES:
                if name not in stack.processes:
                    await stack.start(name)
        if asked.only in (None, "b"):
            print(await measure_latency(stack, asked.rate, asked.seconds), flush=True)
        if asked.only in (None, "f"):
            print(await measure_import(stack), flush=True)
        if asked.only in (None, "h"):
            print(await measure_robots(stack, asked.entering, asked.within, asked.starting), flush=True)
        if asked.only in (None, "c"):
            sizes = sorted({*asked.sizes, *([1_000_000] if asked.long else [])})
            print(await measure_growth(stack, sizes), flush=True)
    return 0


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # what loads the system shares its processors
        sys.exit(runner.run(main()))

"""`leadline rebuild PROJECTION|all`: a projection made anew beside the live one, compared, swapped in; and the way back (M8).
`leadline rebuild timers`: the robots' timers from the events, compared, put right (decision 8).

Exit status 0: done; 1: refused, the live build is as it was and what differs is named; 2: it could not be tried now. Progress
goes to stderr with rate and time left. The work is `projections.rebuild`; here is only what a person types and reads.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from services.ops.place import OpsError, Place
from services.ops.progress import shown
from services.ops.terminal import console, plain, print_json

if TYPE_CHECKING:
    from projections.projection import Projection
    from projections.rebuild.comparing import Comparison
    from projections.rebuild.run import Rebuilt
    from services.robots.rebuilding.run import Found

DONE, REFUSED = 0, 1
TIMERS = "timers"


async def rebuild(place: Place, name: str, *, accept: bool, rollback: bool, drop_kept: bool, as_json: bool) -> int:
    """Rebuild, print, and return the exit status. Raises OpsError when there is no such projection, or it is not possible now."""
    from projections.builds import store as builds
    from projections.rebuild.run import RebuildBusyError, RebuildRefusedError, drop, roll_back
    from projections.rebuild.run import rebuild as run
    from projections.schema import prepare
    from services.eventlog.mapper import UnknownTypeError
    from services.ops.connect import ops_pool
    from services.privacy.store import KeyRing

    if rollback + drop_kept + accept > 1:
        raise OpsError("choose one of --accept, --rollback, --drop-kept")
    if name == TIMERS:
        if rollback or drop_kept:
            raise OpsError("timers have one build: there is nothing to go back to, and nothing kept")
        return await _timers(place, accept=accept, as_json=as_json)
    settings, status, told = place.settings(), DONE, []
    try:
        master = settings.master_key_bytes
    except ValueError as error:
        raise OpsError(str(error)) from None
    async with ops_pool(settings) as pool:
        async with pool.acquire() as connection:
            await prepare(connection)
        for projection in _chosen(name):
            try:
                if drop_kept:
                    async with pool.acquire() as connection:
                        for build in await builds.builds(connection, projection.name):
                            if build.status in ("kept", "refused"):
                                await drop(connection, build)
                                told.append({"projection": projection.name, "dropped": build.build})
                    continue
                with shown(sys.stderr.isatty()) as progress:
                    made = (
                        await roll_back(pool, KeyRing(master), projection, settings.kafka_partitions, progress=progress)
                        if rollback
                        else await run(
                            pool,
                            KeyRing(master),
                            projection,
                            settings.kafka_partitions,
                            accept=accept,
                            progress=progress,
                        )
                    )
            except RebuildRefusedError as error:
                status = REFUSED
                told.append({"projection": projection.name, "refused": str(error), **error.comparison.as_object()})
                if not as_json:
                    _print_refused(projection.name, str(error), error.comparison)
            except (RebuildBusyError, UnknownTypeError) as error:
                raise OpsError(str(error)) from None
            else:
                told.append(made.as_object())
                if not as_json:
                    _print_made(made)
    if as_json:
        print_json(told)
    elif drop_kept:
        _print_dropped(told)
    return status


async def _timers(place: Place, *, accept: bool, as_json: bool) -> int:
    """The robots' timers: made from the events, compared with the rows, put right if so asked. Nothing is fired by it."""
    from services.ops.connect import ops_pool
    from services.robots.rebuilding.run import TimersDifferError
    from services.robots.rebuilding.run import rebuild as run

    status, lines = DONE, []
    async with ops_pool(place.settings()) as pool:
        try:
            with shown(sys.stderr.isatty()) as progress:
                found = await run(pool, accept=accept, progress=progress)
        except TimersDifferError as error:
            found, status = error.found, REFUSED
    if as_json:
        print_json([{TIMERS: found.as_object(), "put_right": status == DONE and not found.equal}])
        return status
    lines = _timers_told(found)
    if status == REFUSED:
        lines += ["  they are as they were. To put them right: leadline rebuild timers --accept"]
    elif not found.equal:
        lines += ["  all of it was put right, as was accepted"]
    _print(lines, "green" if status == DONE else "red")
    return status


def _timers_told(found: Found) -> list[str]:
    lines = [f"timers: {found.events:,} events: {found.rows:,} rows live, {found.timers:,} new"]
    if found.equal:
        return [*lines, "  every row and every count is the same"]
    lines.append(f"  {len(found.differing):,} leads or deals and {len(found.counts):,} counts differ:")
    return [*lines, *(f"    {line}" for line in found.named)]


def _chosen(name: str) -> list[Projection]:
    from projections.all import PROJECTIONS

    if name == "all":
        return list(PROJECTIONS)
    found = [projection for projection in PROJECTIONS if projection.name == name]
    if not found:
        there = ", ".join(projection.name for projection in PROJECTIONS)
        raise OpsError(f"no projection is called {name!r}; there are: {there}, all, and {TIMERS}")
    return found


def _print_made(made: Rebuilt) -> None:
    rate = made.events / made.seconds if made.seconds else 0.0
    lines = [
        f"{made.projection}: build {made.build} is live: {made.events:,} events in {made.seconds:.1f} s ({rate:,.0f} a second); "
        f"the live build stood still for {made.stopped_seconds * 1000:.0f} ms"
    ]
    if made.comparison is not None:
        lines += _rows(made.comparison)
        lines.append("  every row is the same" if made.comparison.equal else "  it differs, as was accepted:")
        lines += [f"    {line}" for line in made.comparison.named]
    if made.was is not None:
        lines.append(f"  build {made.was} is kept; back to it: leadline rebuild {made.projection} --rollback")
    _print(lines, "green")


def _print_refused(name: str, why: str, found: Comparison) -> None:
    lines = [f"{name}: not swapped in: {why}", *_rows(found)]
    lines += [f"    {line}" for line in (*found.columns, *found.named, *found.failed[:20])]
    if unnamed := sum(found.totals.values()) - len(found.named):
        lines.append(f"    and {unnamed} more rows")
    if not found.failed:
        lines.append(f"  the live build is as it was. If the new one is right: leadline rebuild {name} --accept")
    _print(lines, "red")


def _rows(found: Comparison) -> list[str]:
    return [f"  {table}: {live:,} rows live, {new:,} new" for table, (live, new) in found.rows.items()]


def _print_dropped(told: list[dict[str, Any]]) -> None:
    _print([f"{one['projection']}: build {one['dropped']} dropped" for one in told] or ["nothing to drop"], "green")


def _print(lines: list[str], colour: str) -> None:
    from rich.text import Text

    out = console()
    for n, line in enumerate(lines):
        out.print(Text(plain(line), style=f"bold {colour}" if n == 0 else ""))

"""`leadline rebuild PROJECTION|all`: a projection made anew beside the live one, compared, swapped in; and the way back (M8).
`leadline rebuild timers`, `leadline rebuild effects`: the robots' timers and the ledger of outward effects from the events,
compared, put right (decisions 8 and 9).

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
    from services.delivery.rebuilding.run import Found as Effects
    from services.robots.rebuilding.run import Found as Timers

DONE, REFUSED = 0, 1
TIMERS, EFFECTS = "timers", "effects"


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
    if name in (TIMERS, EFFECTS):
        if rollback or drop_kept:
            raise OpsError(f"{name} have one build: there is nothing to go back to, and nothing kept")
        return await (_timers if name == TIMERS else _effects)(place, accept=accept, as_json=as_json)
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

    status = DONE
    async with ops_pool(place.settings()) as pool:
        try:
            with shown(sys.stderr.isatty()) as progress:
                found = await run(pool, accept=accept, progress=progress)
        except TimersDifferError as error:
            found, status = error.found, REFUSED
    return _told(TIMERS, found, _timers_told(found), status, as_json)


async def _effects(place: Place, *, accept: bool, as_json: bool) -> int:
    """The ledger of effects: made from the events, compared with the rows, put right if so asked. Nothing is sent by it."""
    from services.clock import clock_of
    from services.delivery.adapters import making_of
    from services.delivery.rebuilding.run import EffectsDifferError
    from services.delivery.rebuilding.run import rebuild as run
    from services.ops.connect import ops_pool

    settings, status = place.settings(), DONE
    async with ops_pool(settings) as pool:
        try:
            with shown(sys.stderr.isatty()) as progress:
                clock, staff = clock_of(settings.clock, pool), making_of(settings).staff
                found = await run(pool, clock, frozenset(staff), accept=accept, progress=progress)
        except EffectsDifferError as error:
            found, status = error.found, REFUSED
    return _told(EFFECTS, found, _effects_told(found, accept), status, as_json)


def _told(name: str, found: Timers | Effects, lines: list[str], status: int, as_json: bool) -> int:
    if as_json:
        print_json([{name: found.as_object(), "put_right": status == DONE and not found.equal}])
        return status
    if status == REFUSED:
        lines += [f"  they are as they were. To put them right: leadline rebuild {name} --accept"]
    elif not found.equal:
        lines += ["  all of it was put right, as was accepted"]
    _print(lines, "green" if status == DONE else "red")
    return status


def _timers_told(found: Timers) -> list[str]:
    lines = [f"timers: {found.events:,} events: {found.rows:,} rows live, {found.timers:,} new"]
    if found.equal:
        return [*lines, "  every row and every count is the same"]
    lines.append(f"  {len(found.differing):,} leads or deals and {len(found.counts):,} counts differ:")
    return [*lines, *(f"    {line}" for line in found.named)]


def _effects_told(found: Effects, accepted: bool) -> list[str]:
    lines = [f"effects: {found.events:,} events: {found.rows:,} rows live, {found.effects:,} new"]
    if found.equal:
        return [*lines, "  every row is the same"]
    lines.append(f"  {len(found.differing):,} effects differ:")
    lines += [f"    {line}" for line in found.named]
    if found.lost:
        which = f"  of {found.lost:,} that are open the ledger does not know whether they went out: none "
        then = "was" if accepted else "will be"
        lines.append(
            f"{which}{then} sent; told as failed and in doubt, a person repeats them: leadline effects --failed"
        )
    return lines


def _chosen(name: str) -> list[Projection]:
    from projections.all import PROJECTIONS

    if name == "all":
        return list(PROJECTIONS)
    found = [projection for projection in PROJECTIONS if projection.name == name]
    if not found:
        there = ", ".join(projection.name for projection in PROJECTIONS)
        raise OpsError(f"no projection is called {name!r}; there are: {there}, all, {TIMERS}, and {EFFECTS}")
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

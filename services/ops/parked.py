"""`leadline parked`: records that a consumer could not apply, with the reason; `--release ID` has them tried again (decision 4).

Invariants: nothing is applied here: a release is a message to the consumer that owns the record's partition, which tries the
record and its stream's later ones within a second; what fails again stays parked with the newer reason.
"""

from __future__ import annotations

from dataclasses import asdict

from services.ops.place import OpsError, Place
from services.ops.terminal import console, local, plain, print_json

LISTED = 1_000


async def parked(place: Place, release: list[int], as_json: bool) -> int:
    """List parked records, or release some; the exit status. Raises OpsError when one to release is not there."""
    from services.eventlog.consuming.parked import store as parking
    from services.ops import store
    from services.ops.connect import ops_connection

    settings = place.settings()
    async with ops_connection(settings) as connection:
        if release:
            async with connection.transaction():
                unknown = [str(number) for number in release if not await parking.release(connection, number)]
                if unknown:
                    raise OpsError(f"nothing is parked under {', '.join(unknown)}; none was released")
            print(f"asked for {len(release)} to be tried again; see in a second: leadline parked")
            return 0
        found = await store.parked(connection, limit=LISTED + 1)
    if as_json:
        print_json({"items": [asdict(record) for record in found[:LISTED]], "more": len(found) > LISTED})
        return 0
    out = console()
    for record in found[:LISTED]:
        about = f"{record.stream}-{record.version}" if record.stream else "no stream"
        asked = "  (release asked for)" if record.released_at else ""
        out.print(
            f"{record.id:>6}  {local(record.at, settings.time_zone)}  {plain(record.consumer)}/{record.build}  "
            f"{plain(record.reason)}  {plain(about)}  {record.topic}[{record.partition}]@{record.offset}  "
            f"{plain(record.detail)}{asked}"
        )
    if len(found) > LISTED:
        out.print(f"and more than these {LISTED}")
    if not found:
        out.print("nothing is parked")
    return 0

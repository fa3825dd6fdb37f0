"""The commands about incident journals (Q6, N20). Invariants: as `services.ops.main`."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from cyclopts import App, Parameter

from services.ops.command_line import Data, Json, app, run
from services.ops.place import find_place

incidents = App(name="incidents", help="Incident journals: who missed what, and what counts (docs/howto/incidents.md).")
app.command(incidents)


@incidents.command(name="list")
def list_incidents(
    *,
    person: Annotated[str | None, Parameter(help="of this employee alone, by the name they work under")] = None,
    data: Data = None,
    json: Json = False,
) -> int:
    """List incidents from the journals' events: whose, which lead, due when, told or not, which strike, excused, restated."""
    from services.ops.incidents.listing import listing

    return run(listing(find_place(data), person, json))


@incidents.command
def restate(
    *,
    calendar: Annotated[str, Parameter(help="the team whose calendar was wrong")] = "sales",
    from_: Annotated[date, Parameter(name="--from", help="the first day on which they were due, as 2026-11-04")],
    to: Annotated[date, Parameter(help="the last day")],
    reason: Annotated[str, Parameter(help="why, as it will stand in the journals")],
    number: Annotated[int | None, Parameter(help="version of the calendar (default: the one in force)")] = None,
    person: Annotated[str | None, Parameter(help="of this employee alone")] = None,
    preview: Annotated[bool, Parameter(negative="", help="say what would change, write nothing")] = False,
    data: Data = None,
    json: Json = False,
) -> int:
    """Make the verdicts on misses anew under a corrected calendar; the originals stay beside them. Safe to repeat. Exit status 1:
    some were refused."""
    from services.ops.incidents.restating import Typed
    from services.ops.incidents.restating import restate as restating

    typed = Typed(calendar, from_, to, reason, number, person, preview, json)
    return run(restating(find_place(data), typed))

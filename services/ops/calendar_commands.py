"""The command about team calendars (C2). Invariants: as `services.ops.main`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from services.ops.command_line import Data, Json, app, run
from services.ops.pipeline_commands import InLanguage
from services.ops.place import find_place


@app.command
def calendar(
    file: Path | None = None,
    *,
    publish: Annotated[bool, Parameter(negative="", help="put the file's calendar in force")] = False,
    show: Annotated[bool, Parameter(negative="", help="the next 14 days of the calendar in force")] = False,
    team: Annotated[str | None, Parameter(help="whose calendar is shown (default: sales)")] = None,
    language: InLanguage = None,
    data: Data = None,
    json: Json = False,
) -> int:
    """Check the file of a team's calendar (docs/howto/calendar.md), publish it, or show the one in force."""
    from services.ops.calendars import command

    return run(command.calendar(find_place(data), command.Typed(file, publish, show, team, json, language)))

"""The commands about robots (N5). Invariants: as `services.ops.main`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from cyclopts import App, Parameter

from services.ops.command_line import Data, Json, app, moment_of, run
from services.ops.pipeline_commands import InLanguage
from services.ops.place import find_place

robots = App(name="robots", help="Robots of leads that came to stand where they are without them.")
app.command(robots)


@robots.command
def start(
    pipeline: str,
    *,
    stage: Annotated[
        list[str] | None, Parameter(negative="", help="of leads in this stage alone (may be given several times)")
    ] = None,
    robot: Annotated[
        str | None, Parameter(help="this robot alone; `pause`: paused leads come back on their date")
    ] = None,
    at: Annotated[
        datetime | None,
        Parameter(converter=moment_of, help="the moment from which their times count (default: now)"),
    ] = None,
    source: Annotated[Literal["imported"] | None, Parameter(help="imported: leads of imports alone")] = None,
    dry_run: Annotated[bool, Parameter(negative="", help="say what would happen, write nothing")] = False,
    yes: Annotated[bool, Parameter(negative="", help="do not ask")] = False,
    language: InLanguage = None,
    data: Data = None,
    json: Json = False,
) -> int:
    """Start the robots of a stage for open and paused leads that have not had them: imported ones, or after a new version. Says
    first how many tasks each person would get, day by day, and what would go out."""
    from services.ops.robots.command import Typed
    from services.ops.robots.command import start as starting

    typed = Typed(pipeline, tuple(stage or ()), robot, at, source, dry_run, yes, json, language)
    return run(starting(find_place(data), typed))

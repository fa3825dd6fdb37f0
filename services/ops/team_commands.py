"""The commands about teams (C4). Invariants: as `services.ops.main`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from services.ops.command_line import Data, Json, app, run
from services.ops.pipeline_commands import InLanguage
from services.ops.place import find_place

team = App(name="team", help="Teams: who belongs to one, who heads it, what each can take (docs/howto/team.md).")
app.command(team)


@team.command
def check(file: Path, *, language: InLanguage = None, data: Data = None, json: Json = False) -> int:
    """Check the file of a team: what it means, or what is wrong with line and way out. Writes nothing, needs no system."""
    from services.ops.teams import command

    return command.check(find_place(data), command.Typed(json, language), file)


@team.command
def publish(file: Path, *, language: InLanguage = None, data: Data = None, json: Json = False) -> int:
    """Put the file's team in force as its next version, and say what changed."""
    from services.ops.teams import command

    return run(command.publish(find_place(data), command.Typed(json, language), file))


@team.command
def show(team: str = "sales", *, language: InLanguage = None, data: Data = None, json: Json = False) -> int:
    """Show the team in force: who belongs to it, what each can take, how many open leads they have."""
    from services.ops.teams import command

    return run(command.show(find_place(data), command.Typed(json, language), team))


@team.command
def handover(
    person: str,
    *,
    to: Annotated[
        str | None, Parameter(help="who gets all of it (default: by the rules of each pipeline, as new leads)")
    ] = None,
    preview: Annotated[bool, Parameter(negative="", help="say who would get what, write nothing")] = False,
    language: InLanguage = None,
    data: Data = None,
    json: Json = False,
) -> int:
    """Hand over what somebody has: open and paused leads and deals, and the tasks in their name, on these and on leads of
    others. Exit status 1: some were refused."""
    from services.ops.teams import command
    from services.ops.teams import handing_over as handing

    return run(handing.handover(find_place(data), command.Typed(json, language), person, to, preview))


@team.command(name="list")
def list_teams(*, language: InLanguage = None, data: Data = None, json: Json = False) -> int:
    """List the teams in force."""
    from services.ops.teams import command

    return run(command.listing(find_place(data), command.Typed(json, language)))

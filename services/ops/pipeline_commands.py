"""The commands about pipelines (M3, N14, S5, P2): write one as a file, lint it, test it, compare it, publish it, archive it.

Invariants: as `services.ops.main`: everything heavy is imported inside; what cannot be done is one clear line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, cast

from cyclopts import Parameter

from services.ops.command_line import Data, Json, app, run
from services.ops.place import find_place

Language = Literal["ru", "en"]
InLanguage = Annotated[Language | None, Parameter(help="of what is printed (default: LEADLINE_LANGUAGE, else ru)")]
Map = Annotated[
    list[str] | None,
    Parameter(
        name="--map", negative="", help="where leads of a stage go: OLD=NEW,OLD2=NEW (may be given several times)"
    ),
]


@app.command
def diff(file: Path, *, map_: Map = None, language: InLanguage = None, data: Data = None, json: Json = False) -> int:
    """Say what a pipeline's file changes against the version in force, and what that means for its leads. Exit status 1: it
    could not be published like this."""
    from services.ops.publishing.command import diff as comparing

    return run(comparing(find_place(data), file, map_ or (), as_json=json, language=language))


@app.command
def publish(
    file: Path,
    *,
    adopt_open: Annotated[bool, Parameter(negative="", help="live leads go on under the new version")] = False,
    map_: Map = None,
    dry_run: Annotated[
        bool, Parameter(negative="", help="say what would happen to which leads, write nothing")
    ] = False,
    yes: Annotated[bool, Parameter(negative="", help="do not ask")] = False,
    language: InLanguage = None,
    data: Data = None,
    json: Json = False,
) -> int:
    """Put a pipeline's file in force as its next version. Exit status 1: not published, or some leads were not moved."""
    from services.ops.publishing.command import Typed
    from services.ops.publishing.command import publish as publishing

    return run(publishing(find_place(data), Typed(file, map_ or (), adopt_open, dry_run, yes, json, language)))


@app.command
def pipelines(*, data: Data = None, json: Json = False) -> int:
    """List the pipelines: version in force, leads, leads under older versions, archived or not."""
    from services.ops.publishing.archive import pipelines as listing

    return run(listing(find_place(data), as_json=json))


@app.command
def archive(pipeline: str, *, data: Data = None, json: Json = False) -> int:
    """Archive a pipeline that no open or paused lead stands in. Exit status 1: leads are in the way (the first are named)."""
    from services.ops.publishing.archive import archive as archiving

    return run(archiving(find_place(data), pipeline, as_json=json))


@app.command
def restore(pipeline: str, *, data: Data = None, json: Json = False) -> int:
    """Bring a pipeline back from the archive."""
    from services.ops.publishing.archive import restore as restoring

    return run(restoring(find_place(data), pipeline, as_json=json))


@app.command
def lint(
    file: Path,
    *,
    history: Annotated[
        bool,
        Parameter(
            negative="", help="read the running system too: its visits (short, skipped, to and fro) and its teams"
        ),
    ] = False,
    language: InLanguage = None,
    data: Data = None,
    json: Json = False,
) -> int:
    """Hold a pipeline's file against the rules of the linter (docs/lint.md). Exit status 0: nothing to mend, 1: findings."""
    from services.ops.lint.command import lint as linting
    from services.ops.place import load_settings

    place = find_place(data) if history else None
    return run(linting(file, place, as_json=json, language=language or cast(Language, load_settings().language)))


@app.command(name="test")
def play_scenarios(
    file: str,
    *,
    scenarios: Annotated[
        Path | None,
        Parameter(help="the scenarios (default: scenarios/NAME.txt beside the file, else the bundled ones)"),
    ] = None,
    json: Json = False,
) -> int:
    """Play a pipeline's scenarios on the real rules. FILE: its YAML, or a bundled pipeline's id. Exit status 1: some failed."""
    from services.ops import scenarios as playing

    return playing.play(file, scenarios, json)


@app.command
def playbook(
    pipeline: str,
    *,
    format: Annotated[Literal["md", "html", "csv"], Parameter(help="md, html or csv")] = "md",  # noqa: A002 - the option
    language: Annotated[Literal["ru", "en"], Parameter(help="ru or en")] = "ru",
    data: Data = None,
) -> int:
    """Print the seller's table: status, steps, actions, criteria. PIPELINE: an id (the version in force) or a YAML file."""
    from services.ops import playbook as printing

    return run(printing.playbook(find_place(data), pipeline, format, language))

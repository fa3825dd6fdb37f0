"""The `leadline` command (spec I): one function per command, everything heavy imported inside it. Those about pipelines stand in
`services.ops.pipeline_commands`, the one about calendars in `services.ops.calendar_commands`, those about robots in
`services.ops.robot_commands`, those about teams in `services.ops.team_commands`, those about incidents in
`services.ops.incident_commands`.

Invariants: bad input, a missing system, a server that does not answer end in one clear line on stderr and exit status 2 (or
the command's own); Ctrl-C ends with 130; nothing secret is printed but a new token, once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from cyclopts import App, CycloptsError, Parameter

from services.ops import (  # noqa: F401  # their commands too
    calendar_commands,
    incident_commands,
    pipeline_commands,
    robot_commands,
    team_commands,
)
from services.ops.command_line import Data, Json, Moment, app, moment_of, run
from services.ops.place import BAD_INPUT, OpsError, find_place

Role = Literal["seller", "head", "ops", "auditor", "adapter"]


def _port(_kind: Any, port: int | None) -> None:
    if port is not None and not 0 <= port <= 65535:
        raise ValueError("a port is a number from 0 to 65535 (0: any free one)")


@app.command
def up(
    *,
    data: Data = None,
    port: Annotated[int | None, Parameter(validator=_port, help="of the web (default 8080; 0: any free one)")] = None,
    demo: Annotated[bool, Parameter(negative="", help="open forms, three sellers, a token to sign in with")] = False,
    clock: Annotated[
        datetime | None, Parameter(converter=moment_of, help="a practice system whose clock starts at this time")
    ] = None,
) -> int:
    """Run everything on this machine, in the foreground: Kafka, Postgres, all services, the web."""
    from services.ops import up as starting

    return starting.up(data, port, demo, clock)


@app.command
def serve(service: str) -> int:
    """Run one service against the configured cluster: leads, relay, projections, robots, reactors, door."""
    from services.ops import serve as serving

    return serving.serve(service)


@app.command
def prepare(
    *,
    demo: Annotated[bool, Parameter(negative="", help="also print a new token of the demo's head")] = False,
    told: Annotated[
        bool, Parameter(negative="", help="begin when a line comes in; nothing is done if none does")
    ] = False,
) -> int:
    """Make tables, topics and what else services need, on the configured cluster. Safe to repeat."""
    from services.logs import configure_logging
    from services.ops.place import load_settings
    from services.ops.prepare import prepare as preparing

    settings = load_settings()
    configure_logging("prepare", settings.log_level)
    if told and not sys.stdin.readline():
        return 0
    token = run(preparing(settings, demo=demo))
    if token:
        print(token)
    return 0


@app.command
def info(*, data: Data = None, json: Json = False) -> int:
    """Say where the system's parts are: web, Kafka, databases, topics. The database addresses contain passwords."""
    from services.ops.terminal import print_json

    found = find_place(data).info()
    if json:
        print_json(found)
    else:
        for name, value in found.items():
            print(f"{name:<12} {', '.join(value) if isinstance(value, list) else value if value is not None else '-'}")
    return 0


@app.command
def token(
    *,
    as_: Annotated[str, Parameter(name="--as", help="who acts with it: a name that is no personal data")],
    role: Role,
    data: Data = None,
) -> int:
    """Make an API token and print it, once."""
    from services.ops.tokens import print_token

    return run(print_token(find_place(data), as_, role))


@app.command
def history(
    lead: UUID,
    *,
    as_of: Annotated[
        datetime | None, Parameter(converter=moment_of, help="only what was recorded up to this time")
    ] = None,
    happened: Annotated[
        bool, Parameter(negative="", help="--as-of counts when things happened, not when they were recorded")
    ] = False,
    data: Data = None,
    json: Json = False,
) -> int:
    """Tell the history of a lead (deal, contact) from its events: what, when, who, under which version; now or as of a time."""
    from services.ops import history as telling

    return run(telling.history(find_place(data), lead, as_of, json, happened=happened))


@app.command
def why(lead: UUID, *, data: Data = None, json: Json = False) -> int:
    """Tell why robots, triggers and effects of a lead did what they did, or nothing; and which commands were refused, and why."""
    from services.ops import why as telling

    return run(telling.why(find_place(data), lead, json))


@app.command
def verify(
    *,
    repair: Annotated[
        bool, Parameter(negative="", help="publish again what the broker lost, then check once more")
    ] = False,
    data: Data = None,
    json: Json = False,
) -> int:
    """Prove that event store, Kafka and every projection hold the same facts. Exit status 0, or 1 with the differences."""
    from services.ops.verify.command import verify as verifying

    return run(verifying(find_place(data), repair=repair, as_json=json))


@app.command
def rebuild(
    projection: str,
    *,
    accept: Annotated[
        bool, Parameter(negative="", help="swap it in although rows differ from the live build's")
    ] = False,
    rollback: Annotated[bool, Parameter(negative="", help="make the build before live again")] = False,
    drop_kept: Annotated[bool, Parameter(negative="", help="drop builds that are kept or were refused")] = False,
    data: Data = None,
    json: Json = False,
) -> int:
    """Make a projection (or all, or timers, or effects) anew, compare every row, swap it in. Exit status 1: it differs."""
    from services.ops import rebuild as rebuilding

    return run(
        rebuilding.rebuild(
            find_place(data), projection, accept=accept, rollback=rollback, drop_kept=drop_kept, as_json=json
        )
    )


@app.command
def republish(topic: str, *, data: Data = None) -> int:
    """Publish all that a topic lacks, from the event store."""
    from services.ops import republish as publishing

    return run(publishing.republish(find_place(data), topic))


@app.command(name="import")
def import_(
    file: Path,
    *,
    pipeline: Annotated[str, Parameter(help="the pipeline the leads go to")],
    mapping: Annotated[
        Path | None, Parameter(help="YAML that says how the file is read (docs/howto/import.md)")
    ] = None,
    source: Annotated[
        str | None, Parameter(help="where the rows come from (default: the mapping's, else the file's name)")
    ] = None,
    rejected: Annotated[
        Path | None, Parameter(help="where rows go that do not go in (default: FILE.rejected.csv)")
    ] = None,
    dry_run: Annotated[bool, Parameter(negative="", help="say what would happen, write nothing")] = False,
    resume: Annotated[bool, Parameter(negative="", help="go on where the same import stopped")] = False,
    data: Data = None,
) -> int:
    """Import a history with its own timestamps, or leads as they are elsewhere, from CSV. Exit status 1: some rows did not."""
    from services.ops.imports.command import Asked, import_file

    return run(import_file(find_place(data), Asked(file, pipeline, mapping, source, rejected, dry_run, resume)))


@app.command
def erase(
    person: str,
    *,
    reason: Literal["asked", "retention", "by_hand"] = "by_hand",
    yes: Annotated[bool, Parameter(negative="", help="do not ask")] = False,
    data: Data = None,
) -> int:
    """Make a person's data unreadable everywhere. PERSON: a contact's id, a phone or an e-mail."""
    from services.ops import erase as erasing

    return run(erasing.erase(find_place(data), person, reason, yes))


@app.command
def unmerge(
    *,
    by: Annotated[str | None, Parameter(help="merges made by this actor")] = None,
    since: Moment = None,
    file: Annotated[Path | None, Parameter(help="ids of merged leads, one a line")] = None,
    yes: Annotated[bool, Parameter(negative="", help="undo them; without it, only say what would be")] = False,
    data: Data = None,
) -> int:
    """Undo merges of leads: those of an actor, since a time, or of a list. Says first what would be undone."""
    from services.ops import unmerge as unmerging

    return run(unmerging.unmerge(find_place(data), by, since, file, yes))


@app.command
def parked(
    *,
    release: Annotated[list[int] | None, Parameter(negative="", help="have this record tried again")] = None,
    data: Data = None,
    json: Json = False,
) -> int:
    """List the records that a consumer could not apply, or release some."""
    from services.ops import parked as parking

    return run(parking.parked(find_place(data), release or [], json))


effects_app = App(
    name="effects", help="What is sent to the outside: dead letters, what waits, what may have gone out twice."
)
app.command(effects_app)


@effects_app.default
def effects(
    *,
    failed: Annotated[bool, Parameter(negative="", help="dead letters only")] = False,
    waiting: Annotated[bool, Parameter(negative="", help="only what waits, and until when")] = False,
    doubtful: Annotated[bool, Parameter(negative="", help="only what may have gone out twice")] = False,
    provider: Annotated[str | None, Parameter(help="of this way out: email, sms, audiences.vk, webhook:NAME")] = None,
    data: Data = None,
    json: Json = False,
) -> int:
    """List the ways out and what goes them: dead letters, what waits and until when, what may have gone out twice."""
    from services.ops import effects as telling

    asked = {"failed": failed, "waiting": waiting, "doubtful": doubtful}
    which: list[Any] = [name for name, wanted in asked.items() if wanted or not any(asked.values())]
    return run(telling.effects(find_place(data), which, provider, json))


@effects_app.command(name="repeat")
def effects_repeat(
    effect: UUID | None = None,
    *,
    all_failed: Annotated[bool, Parameter(negative="", help="every dead letter of --provider")] = False,
    provider: Annotated[str | None, Parameter(help="the way out whose dead letters are meant")] = None,
    data: Data = None,
) -> int:
    """Have a dead letter tried again, or all of a provider. It keeps its id, so that nothing is done twice."""
    from services.ops import effects as telling

    return run(telling.repeat(find_place(data), effect, all_failed, provider))


@app.command
def conformance(
    file: str | None = None,
    *,
    channel: Annotated[str, Parameter(help="form, call, message, visit or mail")],
    source: Annotated[str | None, Parameter(help="listen to a running system for this adapter instead")] = None,
    count: Annotated[int, Parameter(help="messages to listen for, at most")] = 100,
    wait: Annotated[float, Parameter(help="seconds to listen, at most")] = 60.0,
    data: Data = None,
    json: Json = False,
) -> int:
    """Check an adapter's messages against the contract, rule by rule. FILE: JSON lines (docs/howto/adapters.md), - for stdin."""
    from services.ops.conformance.command import conformance as checking

    return checking(channel, file, source, data, count=count, wait=wait, as_json=json)


def main(arguments: Sequence[str] | None = None) -> int:
    """The entry point; returns the exit status."""
    try:
        status = app(arguments, exit_on_error=False, print_error=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except CycloptsError as error:
        _complain(" ".join(str(error).split()))
    except OpsError as error:
        _complain(str(error))
        return error.status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains once more on its way out
        return 0
    return BAD_INPUT


def _complain(text: str) -> None:
    print(f"leadline: {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())

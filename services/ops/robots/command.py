"""`leadline robots start PIPELINE` (N5).

Exit status 0: started for every lead that had something to start, or there was nothing to start, or it was a dry run that nothing
stands in the way of; 1: not confirmed, or some leads were refused (named); 2: it could not be done, or not to the end: the same
command goes on. Commands are carried out in a batcher of this process (`docs/decisions/0010`).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from services.ops.place import OpsError, Place
from services.ops.progress import shown
from services.ops.terminal import console, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from contracts.meta import Actor
    from services.clock import Clock
    from services.database import Pool
    from services.leads.starting.asking import Asked
    from services.leads.starting.run import Started
    from services.ops.robots.telling import Say
    from services.settings import Settings

DONE, NOT_AS_ASKED = 0, 1
YES = ("yes", "y", "да", "д")


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed. `at`: the moment from which the robots' times count; None: now."""

    pipeline: str
    stages: tuple[str, ...] = ()
    robot: str | None = None
    at: datetime | None = None
    source: Literal["imported"] | None = None
    dry_run: bool = False
    yes: bool = False
    json: bool = False
    language: str | None = None
    """Of what is printed; None: the settings'."""


async def start(place: Place, typed: Typed) -> int:
    """Say what would start, ask, start it. Raises OpsError."""
    from services.leads.batcher import AwayError
    from services.leads.handlers import Reader
    from services.leads.starting.asking import Asked, CannotStartError
    from services.leads.starting.preview import preview
    from services.ops.connect import clock_of_system, ops_pool
    from services.ops.robots import telling
    from services.pipelines.registry import NoSuchPipelineError

    settings = place.settings()
    try:
        settings.master_key_bytes, settings.pepper_bytes  # noqa: B018  # both are needed, and say so when missing
    except ValueError as error:
        raise OpsError(str(error)) from None
    say = telling.Say(typed.language or settings.language)
    try:
        async with ops_pool(settings) as pool:
            clock = await clock_of_system(settings, pool)
            now = await clock.now()
            asked = Asked(typed.pipeline, typed.at or now, typed.stages, typed.robot, typed.source)
            with shown(sys.stderr.isatty(), rate=True) as progress:
                reader = Reader(settings, pool)
                found = await preview(settings, pool, now, asked, _starter(), reader.command, progress=progress)
            if not typed.json:
                _print(telling.previewed(found, say, settings.time_zone))
            if typed.dry_run or not found.starting:
                if typed.json:
                    print_json({"preview": found.as_object(), "started": None})
                elif typed.dry_run:
                    _print([say("dry")])
                return NOT_AS_ASKED if found.refused else DONE
            if not _agreed(typed, say, found.starting):
                return NOT_AS_ASKED
            made = await _start(settings, pool, clock, asked)
    except NoSuchPipelineError as error:
        raise OpsError(str(error)) from None
    except CannotStartError as error:
        raise OpsError(error.en if say.english else error.ru) from None
    except AwayError as error:
        at = asked.at.isoformat()
        raise OpsError(f"{error}; what was started stays. Go on with the same command and --at {at}") from None
    if typed.json:
        print_json({"preview": found.as_object(), "started": telling.started_object(made)})
    else:
        _print(telling.started(made, say))
    return NOT_AS_ASKED if made.refused else DONE


def _agreed(typed: Typed, say: Say, leads: int) -> bool:
    if typed.yes:
        return True
    if typed.json or not sys.stdin.isatty():
        raise OpsError(f"robots of {leads} leads would start; say --yes where nobody can be asked")
    return input(say("ask")).strip().lower() in YES


async def _start(settings: Settings, pool: Pool, clock: Clock, asked: Asked) -> Started:
    from services.leads.handlers import Reader
    from services.leads.starting.run import Starter
    from services.ops.batching import sending

    reader = Reader(settings, pool)
    async with sending(settings, pool, clock) as send:
        with shown(sys.stderr.isatty(), rate=True) as progress:
            return await Starter(settings, pool, clock, asked, _starter(), reader.command, send).run(progress)


def _starter() -> Actor:
    from contracts.meta import Actor
    from services.leads.starting.asking import STARTING
    from services.ops.terminal import user

    return Actor(id=STARTING, kind="system", on_behalf_of=user())


def _print(lines: Sequence[str]) -> None:
    out = console()
    for line in lines:
        out.print(line)

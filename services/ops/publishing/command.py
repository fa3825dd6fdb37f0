"""`leadline diff FILE` and `leadline publish FILE` (M3, N26).

`diff`: exit status 0 when the text could be published as it is, 1 when something stands in the way. `publish`: 0 when it is in
force and every lead asked for has moved, 1 when it was not published or some leads were not moved (named), 2 when it could not
be done, or not to the end: the same command goes on. Leads move through a batcher of this process (`docs/decisions/0010`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from services.ops.place import OpsError, Place
from services.ops.progress import shown
from services.ops.terminal import console, plain, print_json

if TYPE_CHECKING:
    from contracts.meta import Actor
    from services.clock import Clock
    from services.database import Pool
    from services.leads.publishing.run import Asked, Published
    from services.ops.publishing.telling import Say
    from services.settings import Settings

DONE, NOT_AS_ASKED = 0, 1
YES = ("yes", "y", "да", "д")


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed. `mapping`: `old=new`, several with commas or several times."""

    file: Path
    mapping: Sequence[str] = field(default=())
    adopt: bool = False
    dry_run: bool = False
    yes: bool = False
    json: bool = False
    language: str | None = None
    """Of what is printed; None: the settings'."""


async def diff(place: Place, file: Path, mapping: Sequence[str], *, as_json: bool, language: str | None = None) -> int:
    """Print what a file changes. Raises OpsError for a file that is no pipeline."""
    from services.leads.publishing.run import look
    from services.ops.connect import ops_connection
    from services.ops.publishing import telling
    from services.pipelines.language import PipelineError

    settings = place.settings()
    asked = _asked(file, mapping, adopt=bool(mapping))
    try:
        async with ops_connection(settings) as database:
            found = await look(database, asked)
    except PipelineError as error:
        raise OpsError(str(error)) from None
    if as_json:
        print_json(telling.as_object(found))
    else:
        say = telling.Say(language or settings.language)
        _print([*telling.difference(found, say), *telling.moves(found, say, adopt=bool(mapping))])
    return NOT_AS_ASKED if found.objections else DONE


async def publish(place: Place, typed: Typed) -> int:
    """Publish, or say what publishing would do. Raises OpsError."""
    from services.leads.batcher import AwayError
    from services.leads.publishing.run import ObjectedError
    from services.ops.connect import clock_of_system, ops_pool
    from services.ops.publishing import telling
    from services.pipelines.language import PipelineError

    settings = place.settings()
    try:
        settings.master_key_bytes, settings.pepper_bytes  # noqa: B018  # both are needed, and say so when missing
    except ValueError as error:
        raise OpsError(str(error)) from None
    asked, say = _asked(typed.file, typed.mapping, adopt=typed.adopt), telling.Say(typed.language or settings.language)
    try:
        async with ops_pool(settings) as pool:
            clock = await clock_of_system(settings, pool)
            if typed.dry_run:
                return await _rehearse(settings, pool, clock, asked, typed, say)
            if not await _agreed(pool, asked, typed, say):
                return NOT_AS_ASKED
            with shown(sys.stderr.isatty(), rate=True) as progress:
                made = await _publish(settings, pool, clock, asked, progress)
    except PipelineError as error:
        raise OpsError(str(error)) from None
    except ObjectedError as error:
        raise OpsError(" ".join(say.of(objection) for objection in error.objections), NOT_AS_ASKED) from None
    except AwayError as error:
        raise OpsError(f"{error}; what moved stays moved. Go on with the same command") from None
    if typed.json:
        print_json(
            {
                "pipeline": made.pipeline.pipeline,
                "number": made.number,
                "new": made.new,
                **telling.adopted_object(made.adopted),
            }
        )
    else:
        _print(telling.published(made, say))
    return NOT_AS_ASKED if made.adopted.refused or made.adopted.left else DONE


def _asked(file: Path, mapping: Sequence[str], *, adopt: bool) -> Asked:
    from services.leads.publishing.run import Asked

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise OpsError(f"{file} cannot be read: {error}") from None
    return Asked(text, str(file), mapping_of(mapping), adopt)


def mapping_of(typed: Sequence[str]) -> dict[str, str]:
    """`old=new,old2=new` as a mapping. Raises OpsError for what is none, or says two things of one stage."""
    found: dict[str, str] = {}
    for pair in (part.strip() for text in typed for part in text.split(",") if part.strip()):
        old, equals, new = (part.strip() for part in pair.partition("="))
        if not (equals and old and new):
            raise OpsError(f"--map {pair}: write OLD=NEW, for example --map offer=proposal,terms=proposal")
        if found.setdefault(old, new) != new:
            raise OpsError(f"--map names {old} twice: {found[old]} and {new}; keep one")
    return found


async def _rehearse(settings: Settings, pool: Pool, clock: Clock, asked: Asked, typed: Typed, say: Say) -> int:
    from services.leads.handlers import Reader
    from services.leads.publishing.rehearsing import rehearse
    from services.ops.publishing import telling

    reader = Reader(settings, pool)
    with shown(sys.stderr.isatty(), rate=True) as progress:
        found = await rehearse(settings, pool, clock, asked, publisher(), reader.command, progress=progress)
    if typed.json:
        print_json(
            {
                **telling.as_object(found.preview),
                "would_move": found.would_move,
                "refused": telling.refused_object(found.refused),
                "robots_given_up": found.given_up,
            }
        )
    else:
        lines = [*telling.difference(found.preview, say), *telling.moves(found.preview, say, adopt=asked.adopt)]
        _print([*lines, *telling.rehearsed(found, say)])
    return NOT_AS_ASKED if found.preview.objections or found.refused else DONE


async def _agreed(pool: Pool, asked: Asked, typed: Typed, say: Say) -> bool:
    """Whether whoever typed it wants it: asked only where leads move. Raises ObjectedError, OpsError."""
    from services.leads.publishing.run import ObjectedError, look
    from services.ops.publishing import telling

    async with pool.acquire() as database:
        found = await look(database, asked)
    if found.objections:
        raise ObjectedError(found.objections)
    if not typed.json:
        changes = telling.worth_mending(found, say) if found.in_force else telling.difference(found, say)
        _print([*changes, *telling.moves(found, say, adopt=asked.adopt)])
    if typed.yes or not (asked.adopt and found.moving):
        return True
    if not sys.stdin.isatty():
        raise OpsError(f"{found.moving} leads would move; say --yes when there is no terminal to ask on")
    return _confirmed(
        "Publish and move these leads? Type yes: " if say.english else "Опубликовать и перевести лидов? (да): "
    )


def _confirmed(question: str) -> bool:
    return input(question).strip().lower() in YES


async def _publish(settings: Settings, pool: Pool, clock: Clock, asked: Asked, progress: object) -> Published:
    from services.leads.publishing.run import publish
    from services.ops.batching import sending

    async with sending(settings, pool, clock) as send:
        return await publish(pool, clock, asked, publisher(), send, progress=progress)  # type: ignore[arg-type]


def publisher() -> Actor:
    """Who publishes: the system, on behalf of whoever is at this terminal."""
    from contracts.meta import Actor
    from services.leads.domain.adopting import PUBLISHING
    from services.ops.terminal import user

    return Actor(id=PUBLISHING, kind="system", on_behalf_of=user())


def _print(lines: Sequence[str]) -> None:
    out = console()
    for line in lines:
        indent = len(line) - len(line.lstrip())
        out.print(" " * indent + plain(line))

"""Putting teams in force: a person's file, and the default made of the settings (C4).

Invariants: a version's row and the event `TeamPublished` are written in one transaction, under the team's lock, so that numbers
have no gaps; the text in force already keeps its number. Refused with `TeamFileError` before anything is written.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from operator import eq
from typing import Literal
from uuid import UUID, uuid5

import yaml

from contracts.events import TeamPublished
from contracts.meta import GENESIS, Actor, Meta, Stored, digest_of
from contracts.team import DEFAULT_TEAM, Team
from services.clock import Clock
from services.database import Database, Pool
from services.eventlog.mapper import encode
from services.eventlog.recording import store as recording
from services.settings import Settings
from services.teams import store
from services.teams.team_file import TeamFileError, read_team

Origin = Literal["default", "file"]
SYSTEM = Actor(id="leadline", kind="system")
NAMESPACE = UUID("0c3a1de0-7b52-5f0c-9d7e-6f1f6d0b2a44")


@dataclass(frozen=True, slots=True)
class Published:
    """The version in force, and the one that was before: None, an older version, or the same one where nothing changed."""

    team: Team
    number: int
    before: tuple[Team, int] | None

    @property
    def new(self) -> bool:
        """Whether it is in force only now."""
        return self.before is None or self.before[1] != self.number


def stream_of(team: str) -> UUID:
    """The stream of a team."""
    return uuid5(NAMESPACE, team)


async def publish(pool: Pool, clock: Clock, text: str, actor: Actor, file: str = "team.yaml") -> Published:
    """Put the team in a person's file in force. The text in force already keeps its number.

    Raises TeamFileError; nothing was written then.
    """
    return await _publish(pool, clock, text, actor, file, "file")


async def _publish(
    pool: Pool,
    clock: Clock,
    text: str,
    actor: Actor,
    file: str,
    origin: Origin,
    stands: Callable[[store.Row | None], bool] = lambda _: True,
) -> Published:
    """The same; `stands`: whether it is still wanted, given what is in force under the lock."""
    team = read_team(text, file)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    now = await clock.now()
    async with pool.acquire() as database, database.transaction():
        await hold(database, team.team)
        await _refuse_unknown_calendar(database, team, file)
        there = await store.newest(database, team.team)
        before = None if there is None else (read_team(there.source, f"{team.team}@{there.number}"), there.number)
        if there is not None and before is not None and (there.sha256 == sha256 or not stands(there)):
            if stands(there) and there.origin != origin:
                await store.set_origin(database, team.team, there.number, origin, actor.id)
            return Published(*before, before)
        number = there.number + 1 if there is not None else 1
        await _append(database, TeamPublished(team=team.team, number=number, source=text, sha256=sha256), actor, now)
        await store.add(database, team.team, store.Row(number, text, sha256, origin), actor.id, now)
        return Published(team, number, before)


async def hold(database: Database, team: str) -> None:
    """Nobody else publishes this team until the transaction ends."""
    await recording.lock(database, {recording.lock_number(stream_of(team).bytes)})


async def _append(database: Database, data: TeamPublished, actor: Actor, now: datetime) -> None:
    stream = stream_of(data.team)
    past = await recording.load(database, [(stream, 0)])
    command = uuid5(stream, f"publish:{data.number}:{data.sha256}")
    meta = Meta(
        stream=stream,
        version=(past[-1].version if past else 0) + 1,
        kind="team",
        type=data.TOPIC,
        happened_at=now,
        recorded_at=now,
        actor=actor,
        command=command,
        correlation=str(command),
    )
    state = encode(meta, data, None)
    digest = digest_of(past[-1].digest if past else GENESIS, state)
    await recording.append(database, [Stored(stream, meta.version, data.TOPIC, "team", state, now, digest)])


async def _refuse_unknown_calendar(database: Database, team: Team, file: str) -> None:
    there = await store.calendars(database)
    if team.calendar in there:
        return
    known = ", ".join(there) or "none"
    raise TeamFileError(
        f"{file}: calendar: there is no calendar of a team {team.calendar}; there are: {known}; publish one first: "
        "leadline calendar FILE --publish",
        f"{file}: calendar: календаря команды {team.calendar} нет; есть: {known}; сначала опубликуйте его: "
        "leadline calendar FILE --publish",
    )


async def renew(pool: Pool, clock: Clock, settings: Settings) -> None:
    """Have the default team, as the settings name people, until a person publishes a file of it.

    Raises TeamFileError where the settings make no team.
    """
    async with pool.acquire() as database:
        default = await store.newest(database, DEFAULT_TEAM)
    if default is None or default.origin == "default":
        await _publish(
            pool, clock, default_text(settings), SYSTEM, "the default team", "default", lambda row: eq(row, default)
        )


def default_text(settings: Settings) -> str:
    """The team of a company that has published none: whoever takes leads in turn, and the others of the staff, who take none.
    The first head of the staff heads it; a name that stands twice among those who take leads gets twice as many."""
    shares = Counter(settings.responsibles)
    heads = [colleague.name for colleague in settings.staff if colleague.role == "head"]
    others = [colleague.name for colleague in settings.staff if colleague.name not in shares]
    members: list[dict[str, object]] = [
        {"name": name} if share == 1 else {"name": name, "weight": share} for name, share in shares.items()
    ]
    members += [{"name": name, "takes": False} for name in others]
    team = {
        "team": DEFAULT_TEAM,
        "titles": {"ru": "Продажи", "en": "Sales"},
        **({"head": heads[0]} if heads else {}),
        "members": members,
    }
    text: str = yaml.safe_dump(team, allow_unicode=True, sort_keys=False)
    return text

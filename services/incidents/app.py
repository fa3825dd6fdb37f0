"""The incidents service: looks for what no event tells of, and has it journalled: channels that fell silent, messages and
records that wait for a person, the day's digest, cards to be looked over (Q6, D6, Q11, N18).

Invariants: it decides nothing about leads and writes nobody's tables: it sends commands, through the outbox, in the transaction
that remembers what was told, so each thing is told once whatever is killed. Two processes look one after the other. On failure:
a lost Postgres is waited for with back-off; a projection that is not built yet means that the digest waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, time, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
import structlog

from contracts.command_parts import CommandBody
from contracts.commands import COMMAND_TYPE, Command
from contracts.journal import AskCardReview, MakeDigest, Raise, journal_of, quarter_of
from contracts.meta import Actor
from contracts.team import DEFAULT_TEAM, Team
from contracts.topics import LEADS_COMMANDS
from services.calendars import registry as calendars
from services.calendars.calendar import Calendar
from services.clock import Clock, clock_of
from services.database import LOST, Database, Pool, open_pool
from services.eventlog.recording.store import Message, send
from services.health import Health
from services.incidents import store, words
from services.incidents.domain import (
    LOOKED_BACK,
    counted,
    dead_letters_id,
    digest_begins,
    digest_id,
    of_team,
    review_id,
    review_period,
    silences,
)
from services.pipelines import registry as pipelines
from services.pipelines import store as pipelines_store
from services.settings import Settings
from services.teams import registry as teams
from services.teams import store as teams_store

PART: Final = "incidents"
LOOK_SECONDS: Final = 15.0
"""Between two looks, of the world's time; a practice clock may jump in between."""
STUCK_SECONDS: Final = 180.0
FIRST_BACKOFF, LONGEST_BACKOFF = 0.5, 15.0
ACTOR: Final = Actor(id="incidents", kind="system")
NOBODY: Final = "nobody"
"""Whose journal it is where no head is named: everyone who looks at the queue sees it."""
PASSING: Final = (
    *LOST,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.QueryCanceledError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    calendars.NoSuchCalendarError,
    teams.NoSuchTeamError,
)
"""What is waited for: nothing is lost by it."""

log = structlog.get_logger("leadline.incidents")


async def run(settings: Settings, health: Health, stop: asyncio.Event, *, clock: Clock | None = None) -> None:
    """Look until `stop`. `clock`: another than the settings'."""
    pool = await open_pool(settings.database_url, service="incidents", largest=2)
    watch = Watch(pool, clock or clock_of(settings.clock, pool), settings)
    health.expect(PART, limit=STUCK_SECONDS)
    backoff = FIRST_BACKOFF
    try:
        while not stop.is_set():
            health.beat(PART)
            try:
                await watch.look()
            except PASSING as error:
                health.unready(PART, f"waiting: {type(error).__name__}")
                log.warning("trouble", error=type(error).__name__, seconds=backoff)
                pause, backoff = backoff, min(LONGEST_BACKOFF, backoff * 2)
            else:
                health.ready(PART)
                pause, backoff = LOOK_SECONDS, FIRST_BACKOFF
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
    finally:
        health.unready(PART, "stopped")
        pool.terminate()


class Telling(NamedTuple):
    """What is told: the command's id and body, whose journal it goes to, and on whose clock that is found."""

    command: UUID
    employee: str
    calendar: Calendar
    body: CommandBody


class Watch:
    """One look after the other."""

    def __init__(self, pool: Pool, clock: Clock, settings: Settings) -> None:
        self._pool, self._clock, self._settings = pool, clock, settings

    async def look(self) -> int:
        """Look once; how many things were told. Raises one of `PASSING`, nothing being told then."""
        async with self._pool.acquire() as database, database.transaction():
            if not await store.hold(database):
                return 0
            now = await self._clock.now()
            team, _ = await teams.current(database)
            calendar = await self._calendar(database, team)
            found: list[Telling] = [
                *await self._silent(database, team, calendar, now),
                *await self._unread(database, team, calendar, now),
                *await self._digests(database, now),
                *await self._card_reviews(database, team, calendar, now),
            ]
            fresh = await store.first_time(database, [one.command for one in found], now)
            await _send(database, [one for one in found if one.command in fresh], now)
        for one in found:
            if one.command in fresh:
                log.info("told", what=one.body.type, command=str(one.command))  # type: ignore[attr-defined]
        return len(fresh)

    async def _calendar(self, database: Database, team: Team) -> Calendar:
        try:
            return await calendars.current(database, team.calendar)
        except calendars.NoSuchCalendarError:
            return await calendars.current(database)

    async def _silent(self, database: Database, team: Team, calendar: Calendar, now: datetime) -> list[Telling]:
        """N18: channels that have fallen silent."""
        head, language = team.head or NOBODY, self._settings.language
        found: list[Telling] = []
        for silence in silences(await store.channels(database, now - LOOKED_BACK), calendar, now):
            body = Raise(
                incident=silence.incident,
                kind="silent_channel",
                employee=head,
                rule=silence.channel.name[:200],
                due_at=silence.due_at,
                text=words.silent(silence, calendar.zone, language)[:1_000],
            )
            found.append(Telling(silence.incident, head, calendar, body))
        return found

    async def _unread(self, database: Database, team: Team, calendar: Calendar, now: datetime) -> list[Telling]:
        """Messages in quarantine and records put aside, of today: one incident for each channel or service and day."""
        head, language = team.head or NOBODY, self._settings.language
        day = calendar.local(now).date()
        since = calendar.instant(day, time(0))
        heaps = [
            *(
                (f"quarantine:{c}", words.unread(c, n, language), at)
                for c, n, at in await store.unread(database, since)
            ),
            *((f"parked:{c}", words.parked(c, n, language), at) for c, n, at in await store.parked(database, since)),
        ]
        return [
            Telling(
                incident := dead_letters_id(what, day),
                head,
                calendar,
                Raise(
                    incident=incident, kind="dead_letter", employee=head, rule=what[:200], due_at=at, text=text[:1_000]
                ),
            )
            for what, text, at in heaps
        ]

    async def _digests(self, database: Database, now: datetime) -> list[Telling]:
        """D6: for each team with a head, once a working day when work begins; none where nothing is overdue."""
        found: list[Telling] = []
        wanted: list[tuple[Team, Calendar, UUID]] = []
        for name in await teams_store.teams(database):
            team, _ = await teams.current(database, name)
            calendar = await self._calendar(database, team)
            day = digest_begins(calendar, now)
            if team.head is not None and team.digest and day is not None:
                wanted.append((team, calendar, digest_id(team.team, day)))
        told = await store.told(database, [command for _, _, command in wanted])
        if all(command in told for _, _, command in wanted):
            return []
        tasks = await store.overdue(database, now)
        if tasks is None:
            return []
        for team, calendar, command in wanted:
            members = frozenset(member.name for member in team.members) | {team.head or NOBODY}
            theirs = of_team(tasks, members, all_others=team.team == DEFAULT_TEAM)
            if command in told or not theirs:
                continue
            people, day = counted(theirs), calendar.local(now).date()
            subject, text = words.digest(
                team.team, day, theirs, people, calendar.zone, self._settings.language, self._settings.public_url
            )
            assert team.head is not None, "only teams with a head are looked at"
            body = MakeDigest(
                head=team.head, team=team.team, day=day, people=dict(people), subject=subject, text=text[:20_000]
            )
            found.append(Telling(command, team.head, calendar, body))
        return found

    async def _card_reviews(self, database: Database, team: Team, calendar: Calendar, now: datetime) -> list[Telling]:
        """Q11: for each pipeline with a card that got leads in the quarter that is over; from the next working morning on."""
        if team.head is None or digest_begins(calendar, now) is None:
            return []
        period = review_period(calendar.local(now).date())
        named = await pipelines_store.names(database)
        ids = {review_id(name, period): name for name in named}
        open_ = set(ids) - await store.told(database, list(ids))
        if not open_:
            return []
        first = calendar.instant(period.start, time(0))
        beyond = calendar.instant(period.end + timedelta(days=1), time(0))
        used = await store.pipelines_in_use(database, first, beyond)
        found: list[Telling] = []
        for command in sorted(open_):
            name = ids[command]
            pipeline, _ = await pipelines.current(database, name)
            if name in used and pipeline.fields:
                body = AskCardReview(
                    review=command, head=team.head, pipeline=name, period_start=period.start, period_end=period.end
                )
                found.append(Telling(command, team.head, calendar, body))
        return found


async def _send(database: Database, found: Sequence[Telling], now: datetime) -> None:
    """Put the commands in the outbox: each under its own id, addressed to the journal of whom it is about."""
    messages = []
    for command, employee, calendar, body in found:
        stream = journal_of(employee, quarter_of(now, calendar.zone))
        made = Command.model_validate(
            {"id": command, "lead": stream, "actor": ACTOR, "body": body, "correlation": str(command)}
        )
        headers = {
            "ce_specversion": "1.0",
            "ce_id": f"{command}-1",
            "ce_type": COMMAND_TYPE,
            "ce_source": "/leadline/incidents",
            "content-type": "application/json",
        }
        value = made.model_dump_json(exclude_none=True).encode()
        messages.append(Message(LEADS_COMMANDS.name, str(stream), command, 1, headers, value))
    await send(database, messages)

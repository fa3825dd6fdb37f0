"""`leadline team handover PERSON`: what somebody has goes to others: open and paused leads and deals, tasks in their name (C4).

Goes through the aggregate service's door, one command a lead. Invariants: with `--preview` nothing is changed, and it is said who
would get what; only what is theirs still is given on, so that it may be begun again. What the rules refuse stays theirs and is
listed. Which of other people's leads have a task in their name is known from the projection of tasks: what was planned in the
last moments is found when it is begun again.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast
from uuid import UUID, uuid4, uuid5

from services.ops.asking import REQUEST_SECONDS, ask
from services.ops.place import OpsError, Place
from services.ops.progress import Progress, shown
from services.ops.teams.command import Language, Typed
from services.ops.teams.telling import Say
from services.ops.terminal import console, plain, print_json, user

if TYPE_CHECKING:
    from contracts.commands import Command, CommandResult, Refusal
    from services.settings import Settings

AT_ONCE: Final = 32
"""Commands on their way at a time: the door makes batches of them."""
LISTED: Final = 20
DONE, SOME_REFUSED = 0, 1
OTHERWISE: Final = "the aggregate service did not do it ({problem}); begin again: what is handed over stays so"


async def handover(place: Place, typed: Typed, person: str, to: str | None, preview: bool) -> int:
    """Hand over, or say who would get what; the exit status (1: some were refused). Raises OpsError."""
    from projections.reading import NotBuiltError
    from services.ops.connect import ops_connection
    from services.ops.teams import store

    settings = place.settings()
    say = Say(typed.language or cast(Language, settings.language))
    async with ops_connection(settings) as connection:
        leads = await store.leads_of(connection, person)
        try:
            tasks = await store.tasks_of(connection, person)
        except NotBuiltError as error:
            raise OpsError(f"{error}, so tasks on leads of others are not known; start the system once") from None
        if not (leads or tasks) and person not in await store.people(connection):
            raise OpsError(
                f"{person} has no open lead or task, and is in no team; write the name as in: leadline team show"
            )
    commands = _commands([*leads, *tasks], person, to)
    with shown(sys.stderr.isatty(), rate=True) as progress:
        if preview:
            results, given = await _rehearsed(settings, commands)
        else:
            results = await _sent(settings, commands, progress)
            async with ops_connection(settings) as connection:
                given = await store.responsibles(connection, list(results))
    left = {lead for lead in tasks if results[lead].refusal is None and results[lead].first_version is None}
    tasks = {lead: count for lead, count in tasks.items() if lead not in left}  # done or given on a moment ago
    refused = {lead: result.refusal for lead, result in results.items() if result.refusal is not None}
    whose = {lead: to or given.get(lead) for lead in tasks}
    return _tell(say, typed, person, Given(leads, given, tasks, whose, refused), preview)


@dataclass(frozen=True, slots=True)
class Given:
    """What is handed over: leads and whose each is now, tasks on leads of others by lead and whose they are, what the rules
    refused."""

    leads: Sequence[UUID]
    given: Mapping[UUID, str | None]
    tasks: Mapping[UUID, int]
    whose: Mapping[UUID, str | None]
    refused: Mapping[UUID, Refusal]

    def by_person(self) -> list[tuple[str | None, int]]:
        """How many leads each gets, the pool last."""
        return _sorted(Counter(self.given.get(lead) for lead in self.leads if lead not in self.refused))

    def tasks_by_person(self) -> list[tuple[str | None, int]]:
        """How many tasks each gets, those of nobody last."""
        found: Counter[str | None] = Counter()
        for lead, count in self.tasks.items():
            if lead not in self.refused:
                found[self.whose[lead]] += count
        return _sorted(found)


def _sorted(counts: Counter[str | None]) -> list[tuple[str | None, int]]:
    return sorted(counts.items(), key=lambda pair: (pair[0] is None, pair[0]))


def _commands(leads: Sequence[UUID], person: str, to: str | None) -> list[Command]:
    from contracts.commands import Command, HandOver
    from contracts.meta import Actor

    actor, run = Actor(id=user(), kind="person", role="ops"), uuid4()
    body = HandOver(of=person, to=to)
    return [Command(id=uuid5(run, str(lead)), lead=lead, actor=actor, body=body) for lead in leads]


async def _rehearsed(
    settings: Settings, commands: Sequence[Command]
) -> tuple[dict[UUID, CommandResult], Mapping[UUID, str | None]]:
    """What would become of each, and who would have it, decided by the same rules on a store that is only read."""
    from services.leads.handlers import Reader
    from services.leads.rehearsal import rehearsing
    from services.ops.connect import clock_of_system, ops_pool

    async with ops_pool(settings) as pool:
        now = await (await clock_of_system(settings, pool)).now()
        reader = Reader(settings, pool)
        async with rehearsing(settings, pool, now) as rehearsal:
            done = await rehearsal.take([reader.command(command) for command in commands])
            results = {c.lead: d.result for c, d in zip(commands, done, strict=True) if d.result is not None}
            given = {
                command.lead: state.responsible
                for command in commands
                if (state := rehearsal.lead(command.lead)) is not None
            }
    return results, given


async def _sent(settings: Settings, commands: Sequence[Command], progress: Progress) -> dict[UUID, CommandResult]:
    """Have it done. Raises OpsError when the aggregate service does not answer."""
    import httpx

    gate, done = asyncio.Semaphore(AT_ONCE), 0
    headers = {
        "Authorization": f"Bearer {settings.internal_token.get_secret_value()}",
        "Content-Type": "application/json",
    }
    url = settings.leads_url
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=REQUEST_SECONDS, trust_env=False) as client:

        async def one(command: Command) -> CommandResult:
            nonlocal done
            async with gate:
                result = await ask(client, "/commands", command, OTHERWISE)
            done += 1
            progress("leads handed over", done, len(commands))
            return result

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(command)) for command in commands]
    return {command.lead: task.result() for command, task in zip(commands, tasks, strict=True)}


def _tell(say: Say, typed: Typed, person: str, given: Given, preview: bool) -> int:
    refused = given.refused
    status = SOME_REFUSED if refused and not preview else DONE
    if typed.json:
        told = {str(lead): {"rules": list(why.rules), "ru": why.ru, "en": why.en} for lead, why in refused.items()}
        whole = {"of": person, "leads": len(given.leads), "given": _named(given.by_person())}
        tasks = {"tasks": sum(given.tasks.values()), "tasks_given": _named(given.tasks_by_person())}
        print_json({**whole, **tasks, "refused": told, "preview": preview})
        return status
    out, key = console(), "would_get" if preview else "got"
    out.print(plain(say("has_now", person=person, count=len(given.leads))))
    for who, count in given.by_person():
        out.print("  " + plain(say(key, person=who, count=count) if who is not None else say("to_pool", count=count)))
    if given.tasks:
        out.print(plain(say("has_tasks", person=person, count=sum(given.tasks.values()))))
    for who, count in given.tasks_by_person():
        told_of = say(key, person=who, count=count) if who is not None else say("tasks_of_nobody", count=count)
        out.print("  " + plain(told_of))
    for lead, why in list(refused.items())[:LISTED]:
        out.print("  " + plain(say("stays", lead=lead, why=why.en if say.english else why.ru)))
    if len(refused) > LISTED:
        out.print("  " + plain(say("more_stay", count=len(refused) - LISTED)))
    if preview:
        out.print(plain(say("unchanged")))
    return status


def _named(counts: Sequence[tuple[str | None, int]]) -> dict[str, int]:
    return {who or "": count for who, count in counts}

"""`leadline team handover PERSON`: what somebody has goes to others: open and paused leads and deals, tasks in their name (C4).

Goes through the aggregate service's door, one command a lead. Invariants: with `--preview` nothing is changed, and it is said who
would get what; only what is theirs still is given on, so that it may be begun again. What the rules refuse stays theirs and is
listed.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
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
    from services.ops.connect import ops_connection
    from services.ops.teams import store

    settings = place.settings()
    say = Say(typed.language or cast(Language, settings.language))
    async with ops_connection(settings) as connection:
        leads = await store.leads_of(connection, person)
        if not leads and person not in await store.people(connection):
            raise OpsError(f"{person} has no open lead, and is in no team; write the name as in: leadline team show")
    commands = _commands(leads, person, to)
    with shown(sys.stderr.isatty(), rate=True) as progress:
        if preview:
            given, refused = await _rehearsed(settings, commands)
        else:
            refused = await _sent(settings, commands, progress)
            async with ops_connection(settings) as connection:
                given = await store.responsibles(connection, leads)
    return _tell(say, typed, person, leads, given, refused, preview)


def _commands(leads: Sequence[UUID], person: str, to: str | None) -> list[Command]:
    from contracts.commands import Command, HandOver
    from contracts.meta import Actor

    actor, run = Actor(id=user(), kind="person", role="ops"), uuid4()
    body = HandOver(of=person, to=to)
    return [Command(id=uuid5(run, str(lead)), lead=lead, actor=actor, body=body) for lead in leads]


async def _rehearsed(
    settings: Settings, commands: Sequence[Command]
) -> tuple[Mapping[UUID, str | None], dict[UUID, Refusal]]:
    """Who would have what, decided by the same rules on a store that is only read."""
    from services.leads.handlers import Reader
    from services.leads.rehearsal import rehearsing
    from services.ops.connect import clock_of_system, ops_pool

    async with ops_pool(settings) as pool:
        now = await (await clock_of_system(settings, pool)).now()
        reader = Reader(settings, pool)
        async with rehearsing(settings, pool, now) as rehearsal:
            done = await rehearsal.take([reader.command(command) for command in commands])
            refused = {
                c.lead: d.result.refusal for c, d in zip(commands, done, strict=True) if d.result and d.result.refusal
            }
            given = {
                command.lead: state.responsible
                for command in commands
                if (state := rehearsal.lead(command.lead)) is not None
            }
    return given, refused


async def _sent(settings: Settings, commands: Sequence[Command], progress: Progress) -> dict[UUID, Refusal]:
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
    results = [task.result() for task in tasks]
    return {command.lead: r.refusal for command, r in zip(commands, results, strict=True) if r.refusal is not None}


def _tell(
    say: Say,
    typed: Typed,
    person: str,
    leads: Sequence[UUID],
    given: Mapping[UUID, str | None],
    refused: Mapping[UUID, Refusal],
    preview: bool,
) -> int:
    by_person = Counter(given.get(lead) for lead in leads if lead not in refused)
    status = SOME_REFUSED if refused and not preview else DONE
    if typed.json:
        told = {str(lead): {"rules": list(why.rules), "ru": why.ru, "en": why.en} for lead, why in refused.items()}
        people = {who or "": count for who, count in by_person.items()}
        print_json({"of": person, "leads": len(leads), "given": people, "refused": told, "preview": preview})
        return status
    out = console()
    out.print(plain(say("has_now", person=person, count=len(leads))))
    for who, count in sorted(by_person.items(), key=lambda pair: (pair[0] is None, pair[0])):
        key = "would_get" if preview else "got"
        out.print("  " + plain(say(key, person=who, count=count) if who is not None else say("to_pool", count=count)))
    for lead, why in list(refused.items())[:LISTED]:
        out.print("  " + plain(say("stays", lead=lead, why=why.en if say.english else why.ru)))
    if len(refused) > LISTED:
        out.print("  " + plain(say("more_stay", count=len(refused) - LISTED)))
    if preview:
        out.print(plain(say("unchanged")))
    return status

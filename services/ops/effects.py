"""`leadline effects`: what is sent to the outside: dead letters, what waits and until when, what may have gone out twice; and
`leadline effects repeat`: has dead letters tried again (R3, decision 9).

Invariants: nothing is sent here: a repeat is a command to the aggregate service, as of the person at the terminal; begun again
after a lost answer it repeats only what is a dead letter still. Nothing personal is in the ledger, so nothing is shown.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid4, uuid5

from services.ops.asking import REQUEST_SECONDS, ask
from services.ops.place import OpsError, Place
from services.ops.terminal import console, local, plain, print_json, user

if TYPE_CHECKING:
    import httpx

    from contracts.commands import CommandResult
    from services.delivery.telling.store import Told, Which

LISTED: Final = 1_000
REPEATED: Final = 100_000
AT_ONCE: Final = 32


async def effects(place: Place, which: list[Which], provider: str | None, as_json: bool) -> int:
    """List effects; the exit status."""
    from services.delivery.telling import store
    from services.ops.connect import ops_connection

    settings = place.settings()
    async with ops_connection(settings) as connection:
        counts, providers = await store.counts(connection), await store.providers(connection)
        found = {each: await store.listed(connection, each, LISTED, provider) for each in which}
    if as_json:
        lists = {each: [asdict(told) for told in rows] for each, rows in found.items()}
        print_json({"counts": counts, "providers": [asdict(each) for each in providers], **lists})
        return 0
    out, zone = console(), settings.time_zone
    for way in providers:
        said = "" if way.configured else "  not configured"
        if way.paused_until is not None:
            said += f"  nothing goes there until {local(way.paused_until, zone)}: {plain(way.pause_reason)}"
        limit = f"  at most {way.per_minute} a minute" if way.per_minute else ""
        out.print(f"{plain(way.provider):<24}{way.waiting:>8} waiting{limit}{said}")
    for each, rows in found.items():
        out.print(f"\n{each}: {counts[each]}")
        for told in rows:
            out.print(f"  {_line(told, zone)}")
        if len(rows) == LISTED:
            out.print("  and perhaps more")
    return 0


def _line(told: Told, zone: str) -> str:
    said = f"{told.effect}  {plain(told.provider)}  {told.state}  {told.kind} {told.stream}  tries {told.attempts}"
    if told.expected_at is not None:
        said += f"  next {local(told.expected_at, zone)}"
    if told.closed_at is not None:
        said += f"  since {local(told.closed_at, zone)}"
    if told.in_doubt:
        said += "  may have gone out twice" if told.outcome == "done" else "  may have gone out all the same"
    return f"{said}  {plain(told.last_reason)}" if told.last_reason else said


async def repeat(place: Place, effect: UUID | None, all_failed: bool, provider: str | None) -> int:
    """Have one dead letter, or all of a provider, tried again; the exit status (1: some were refused). Raises OpsError."""
    from services.delivery.telling import store
    from services.ops.connect import ops_connection

    if (effect is None) == (not all_failed):
        raise OpsError("name one effect, or say --all-failed --provider NAME")
    if all_failed and provider is None:
        raise OpsError("--all-failed needs --provider NAME: what was wrong with one is seldom wrong with all")
    settings = place.settings()
    async with ops_connection(settings) as connection:
        if effect is not None:
            told = await store.told_one(connection, effect)
            if told is None:
                raise OpsError(f"no effect {effect}")
            if told.state != "failed":
                raise OpsError(f"this effect is {told.state}: only what failed is repeated")
            found = [told]
        else:
            found = await store.listed(connection, "failed", REPEATED, provider)
    results = await _send_all(settings.leads_url, settings.internal_token.get_secret_value(), found)
    refused = [result.refusal for result in results if result.refusal is not None]
    print(f"repeated: {len(results) - len(refused)}; refused: {len(refused)}")
    for words, count in Counter(refusal.en for refusal in refused).most_common():
        print(f"  {count}: {words}")
    return 1 if refused else 0


async def _send_all(url: str, token: str, found: list[Told]) -> list[CommandResult]:
    import httpx

    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    gate, run = asyncio.Semaphore(AT_ONCE), uuid4()
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=REQUEST_SECONDS, trust_env=False) as client:

        async def one(told: Told) -> CommandResult:
            async with gate:
                return await _send(client, uuid5(run, str(told.effect)), told)

        return list(await asyncio.gather(*map(one, found)))


async def _send(client: httpx.AsyncClient, id_: UUID, told: Told) -> CommandResult:
    from contracts.commands import Command, Repeat
    from contracts.meta import Actor

    actor = Actor(id=user(), kind="person", role="ops")
    command = Command(id=id_, lead=told.stream, actor=actor, body=Repeat(effect=told.effect))
    otherwise = "the aggregate service did not do it ({problem}); begin again: what is repeated stays so"
    return await ask(client, "/commands", command, otherwise)

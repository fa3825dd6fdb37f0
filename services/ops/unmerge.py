"""`leadline unmerge`: undoes many merges at once: those of an actor, since a moment, or of a list (N16).

Goes through the aggregate service's door, one command a lead, the newest merge first. Invariants: without `--yes` nothing is
changed, and it is said what would be; a repeat after a lost answer uses the same command id; begun again, it goes on with what
is merged still. What the rules refuse stays merged and is listed with its rule; one that waits for a newer merge to be undone
is tried again once that is.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid4, uuid5

from services.ops.asking import REQUEST_SECONDS, ask
from services.ops.place import OpsError, Place
from services.ops.progress import Progress, shown

if TYPE_CHECKING:
    import httpx

    from contracts.commands import CommandResult, Refusal
    from contracts.meta import Actor
    from services.ops.store import Merged
    from services.settings import Settings

AT_ONCE: Final = 32
"""Commands on their way at a time: the door makes batches of them."""
LOOKED_AT: Final = 200
"""Merges that a preview holds against the rules; of more it says only how many there are."""
LISTED: Final = 20
LAST_FIRST: Final = "N16.last_first"


@dataclass(slots=True)
class Undone:
    """What became of it: how many were undone, and which were refused, by lead."""

    done: int = 0
    refused: dict[UUID, Refusal] = field(default_factory=dict)


async def unmerge(place: Place, by: str | None, since: datetime | None, file: Path | None, yes: bool) -> int:
    """Undo merges, or say which would be; the exit status (1: some were refused). Raises OpsError."""
    from services.ops import store
    from services.ops.connect import ops_connection

    if file is None and by is None and since is None:
        raise OpsError("say which merges: --by NAME, --since TIME, or --file with ids of merged leads")
    settings, leads = place.settings(), _leads_in(file) if file is not None else None
    async with ops_connection(settings) as connection:
        found = await store.merged_leads(connection, by, since, leads)
    if leads is not None and (unknown := sorted(set(leads) - {merged.lead for merged in found})):
        print(f"not merged, or unknown: {', '.join(map(str, unknown[:LISTED]))}", file=sys.stderr)
    print(f"{len(found)} merges{_span(found)}")
    if not found:
        return 0
    with shown(sys.stderr.isatty(), rate=True) as progress:
        if not yes:
            return await _preview(settings, found, progress)
        undone = await carry_out(settings, found, progress)
    print(f"undone: {undone.done}; refused: {len(undone.refused)}")
    _list_refused(undone.refused)
    return 1 if undone.refused else 0


async def carry_out(settings: Settings, found: Sequence[Merged], progress: Progress) -> Undone:
    """Undo these merges, the newest first. Raises OpsError when the aggregate service does not answer."""
    import httpx

    undone, waiting, run = Undone(), list(found), uuid4()
    headers = {
        "Authorization": f"Bearer {settings.internal_token.get_secret_value()}",
        "Content-Type": "application/json",
    }
    url = settings.leads_url
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=REQUEST_SECONDS, trust_env=False) as client:
        for turn in range(len(found)):
            results = await _send_all(client, waiting, uuid5(run, str(turn)), undone.done, len(found), progress)
            later = []
            for merged, result in zip(waiting, results, strict=True):
                if result.refusal is None:
                    undone.done += 1
                elif LAST_FIRST in result.refusal.rules:
                    later.append(merged)
                    undone.refused[merged.lead] = result.refusal
                else:
                    undone.refused[merged.lead] = result.refusal
            if not later or len(later) == len(waiting):
                break
            undone.refused = {lead: why for lead, why in undone.refused.items() if LAST_FIRST not in why.rules}
            waiting = later
    return undone


async def _send_all(
    client: httpx.AsyncClient, waiting: Sequence[Merged], turn: UUID, before: int, total: int, progress: Progress
) -> list[CommandResult]:
    gate, done = asyncio.Semaphore(AT_ONCE), before

    async def one(merged: Merged) -> CommandResult:
        nonlocal done
        async with gate:
            result = await _send(client, merged.lead, uuid5(turn, str(merged.lead)))
        done += result.refusal is None
        progress("merges undone", done, total)
        return result

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(merged)) for merged in waiting]
    return [task.result() for task in tasks]


async def _send(client: httpx.AsyncClient, lead: UUID, command_id: UUID) -> CommandResult:
    from contracts.commands import Command, Unmerge

    command = Command(id=command_id, lead=lead, actor=_operator(), body=Unmerge())
    otherwise = "the aggregate service did not do it ({problem}); begin again: what is undone stays so"
    return await ask(client, "/commands", command, otherwise)


async def _preview(settings: Settings, found: Sequence[Merged], progress: Progress) -> int:
    """Hold the newest merges against the rules, as they stand now, and say what would come of undoing them."""
    from contracts.commands import Command, Refusal, Unmerge
    from services.leads.domain.merging import moved
    from services.leads.domain.merging import unmerge as decide
    from services.leads.people import reading
    from services.leads.reading import lead_state
    from services.ops.connect import ops_connection
    from services.privacy.store import KeyRing

    looked_at, refused, going, people = found[:LOOKED_AT], dict[UUID, Refusal](), 0, 0
    ring = KeyRing(settings.master_key_bytes)
    async with ops_connection(settings) as connection:
        for number, merged in enumerate(looked_at, 1):
            progress("merges looked at", number, len(looked_at))
            state = await lead_state(connection, ring, merged.lead)
            if state is None:
                continue
            command = Command(id=uuid4(), lead=merged.lead, actor=_operator(), body=Unmerge())
            case = await reading.merge_case(connection, ring, command, state)
            decided = decide(case)
            if isinstance(decided, Refusal):
                refused[merged.lead] = decided
            else:
                going, people = going + len(moved(case)), people + bool(decided.edges)
    print(
        f"of the newest {len(looked_at)}: {len(looked_at) - len(refused)} would be undone as they stand now, {people} of "
        f"them with their people, {going} messages would go with them; refused: {len(refused)}"
    )
    _list_refused(refused)
    print("nothing was changed; say --yes to undo them")
    return 0


def _leads_in(file: Path) -> list[UUID]:
    """Ids of leads, one a line. Raises OpsError naming the line."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise OpsError(f"{file}: {type(error).__name__}: it cannot be read") from None
    leads = []
    for number, line in enumerate(lines, 1):
        if not (text := line.strip()):
            continue
        try:
            leads.append(UUID(text))
        except ValueError:
            raise OpsError(f"{file}, line {number}: this is no id of a lead; write one a line") from None
    return leads


def _operator() -> Actor:
    from contracts.meta import Actor
    from services.ops.terminal import user

    return Actor(id=user(), kind="person", role="ops")


def _span(found: Sequence[Merged]) -> str:
    if not found:
        return ""
    return f", made from {found[-1].at:%Y-%m-%d %H:%M} to {found[0].at:%Y-%m-%d %H:%M} UTC"


def _list_refused(refused: dict[UUID, Refusal]) -> None:
    for rule, count in Counter(why.rules[0] for why in refused.values()).most_common():
        print(f"  {rule}: {count}")
    for lead, why in list(refused.items())[:LISTED]:
        print(f"  {lead}: {why.en}")
    if len(refused) > LISTED:
        print(f"  and {len(refused) - LISTED} more")

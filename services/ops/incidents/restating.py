"""`leadline incidents restate`: verdicts of a span of days made anew under a corrected calendar, with a preview (N20).

Invariants: one command for each incident, whose id follows from the incident, the calendar's version and the verdict, so that a
run that was broken off is begun again and does nothing twice; the preview writes nothing and judges by the same rules.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from services.ops.asking import REQUEST_SECONDS, ask
from services.ops.place import OpsError, Place
from services.ops.terminal import console, local, plain, print_json, user

if TYPE_CHECKING:
    from contracts.commands import CommandResult
    from services.calendars.calendar import Calendar
    from services.database import Database
    from services.leads.domain.journal.restating import Restated
    from services.leads.domain.journal.state import Incident, JournalState
    from services.privacy.store import KeyRing
    from services.settings import Settings

AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Typed:
    """What is to be restated: incidents whose term was counted in this team's calendar, due on these days of it."""

    calendar: str
    first: date
    last: date
    reason: str
    number: int | None = None
    person: str | None = None
    preview: bool = False
    json: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """An incident that is to be restated, and the verdict as it would be now."""

    book: JournalState
    incident: Incident
    restated: Restated

    @property
    def changes(self) -> bool:
        """Whether the verdict or the instant is another one."""
        return self.restated.verdict != "stands" or self.restated.due_at != self.incident.due_at


async def restate(place: Place, typed: Typed) -> int:
    """Restate, or say what would change; the exit status (1: some were refused). Raises OpsError."""
    from services.calendars import registry
    from services.ops.connect import clock_of_system, ops_pool
    from services.privacy.store import KeyRing

    if typed.last < typed.first:
        raise OpsError("--to is before --from: give the first and the last day")
    settings = place.settings()
    async with ops_pool(settings) as pool:
        now = await (await clock_of_system(settings, pool)).now()
        async with pool.acquire() as database:
            try:
                calendar = await (
                    registry.current(database, typed.calendar)
                    if typed.number is None
                    else registry.version(database, typed.calendar, typed.number)
                )
            except registry.NoSuchCalendarError as error:
                raise OpsError(str(error)) from None
            async with database.transaction(isolation="repeatable_read", readonly=True):
                asked = await _asked(database, KeyRing(settings.master_key_bytes), calendar, typed, now)
    results = [] if typed.preview else await _send_all(settings, asked, calendar, typed)
    _tell(settings, typed, calendar, asked, results)
    return 1 if any(result.refusal is not None for result in results) else 0


async def _asked(database: Database, ring: KeyRing, calendar: Calendar, typed: Typed, now: datetime) -> list[Asked]:
    from services.leads.domain.journal.restating import is_restatable, judged
    from services.leads.journal_commands import facts_of
    from services.ops.incidents.listing import incidents_of, read_journals

    found = []
    for book, incident in incidents_of(await read_journals(database, ring, typed.person)):
        if not is_restatable(incident) or not (incident.recorded.calendar or "").startswith(f"{calendar.team}@"):
            continue
        if typed.first <= calendar.local(incident.recorded.due_at).date() <= typed.last:
            facts = await facts_of(database, ring, incident)
            found.append(Asked(book, incident, judged(incident, facts, calendar, now)))
    return found


async def _send_all(settings: Settings, asked: list[Asked], calendar: Calendar, typed: Typed) -> list[CommandResult]:
    import httpx

    from contracts.commands import Command
    from contracts.journal import Restate
    from contracts.meta import Actor

    token = settings.internal_token.get_secret_value()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    actor, gate = Actor(id=user(), kind="person", role="ops"), asyncio.Semaphore(AT_ONCE)
    otherwise = "the aggregate service did not do it ({problem}); begin again: what is restated stays so"
    url = settings.leads_url
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=REQUEST_SECONDS, trust_env=False) as client:

        async def one(each: Asked) -> CommandResult:
            about: UUID = each.incident.recorded.incident
            body = Restate(incident=about, calendar=calendar.number, reason=typed.reason)
            verdict = f"{calendar.version}:{each.restated.verdict}:{each.restated.due_at.isoformat()}"
            made = uuid5(about, f"restate:{verdict}:{typed.reason}")
            async with gate:
                return await ask(
                    client, "/commands", Command(id=made, lead=each.book.stream, actor=actor, body=body), otherwise
                )

        return list(await asyncio.gather(*map(one, asked)))


def _tell(
    settings: Settings, typed: Typed, calendar: Calendar, asked: list[Asked], results: list[CommandResult]
) -> None:
    refused = [result.refusal for result in results if result.refusal is not None]
    if typed.json:
        told = {"calendar": calendar.version, "preview": typed.preview, "incidents": [_as_object(one) for one in asked]}
        print_json({**told, "refused": [refusal.model_dump(mode="json") for refusal in refused]})
        return
    out, zone = console(), settings.time_zone
    for one in asked:
        if one.changes:
            recorded = one.incident.recorded
            was, is_ = local(one.incident.due_at, zone), local(one.restated.due_at, zone)
            line = f"{one.book.employee:<12}  {recorded.rule}  lead {recorded.lead}  due {was} -> {is_}"
            out.print(plain(f"{line}  {one.restated.verdict}  {recorded.incident}"))
    verdicts = Counter(one.restated.verdict for one in asked)
    told_of = ", ".join(f"{verdict} {count}" for verdict, count in sorted(verdicts.items())) or "none"
    how = "would be restated; nothing was written" if typed.preview else "restated"
    out.print(f"{len(asked)} incidents {how} under {calendar.version}: {told_of}")
    for words, count in Counter(refusal.en for refusal in refused).most_common():
        out.print(f"refused: {count}: {words}")


def _as_object(one: Asked) -> dict[str, Any]:
    from services.ops.incidents.listing import as_object

    verdict = {"due_at": one.restated.due_at, "verdict": one.restated.verdict, "changes": one.changes}
    return {**as_object(one.book, one.incident), "under_this_calendar": verdict}

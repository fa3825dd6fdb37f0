"""`leadline why LEAD`: what happened by itself and why, or why not; which commands were refused, by which rule (M5, N4, R6).

Robots, triggers and effects are told from the lead's events, why an effect waits from the delivery service's ledger. Refusals
are put together from `leadline.commands` (what and when) and the public record of refusals, `leads.refusals` (who tried
what): the topic, and the outbox for what has not reached it yet; and from the rows of imports that were refused
(`leadline.import_rows`), which are no commands of anyone's. Invariants: each refused command appears once, in the order of
time, repeats of a robot that was over already among `repeats`; when Kafka is away the refusals are told all the same, and
what is not known is said.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from services.ops.place import OpsError, Place
from services.ops.terminal import console, plain, print_json

if TYPE_CHECKING:
    from datetime import datetime

    from services.database import Database
    from services.delivery.telling.store import Told
    from services.settings import Settings
    from services.web.shapes_deadlines import DeadlineOut
    from services.web.shapes_robots import AutomationOut

KAFKA_SECONDS = 60.0
REPEAT = "N1.once_per_visit"
"""The rule by which a robot that is over already does nothing again."""


async def why(place: Place, lead: UUID, as_json: bool) -> int:
    """Print what a lead's robots, triggers and effects did or did not, and its refusals; the exit status.

    Raises OpsError when nothing is known of it.
    """
    from contracts.topics import LEADS_REFUSALS
    from services.ops import store
    from services.ops.connect import clock_of_system, ops_pool

    settings = place.settings()
    async with ops_pool(settings) as pool, pool.acquire() as connection:
        stored = await store.unfinished_commands(connection, lead)
        waiting = await store.unsent(connection, LEADS_REFUSALS.name, str(lead))
        rows = await store.refused_rows(connection, lead)
        happened = await _happened(settings, connection, lead, await (await clock_of_system(settings, pool)).now())
        if not stored and not waiting and not rows and happened is None and not await store.exists(connection, lead):
            raise OpsError(f"no lead {lead}: nothing is known of this id")
    published, fault = await _published(settings, lead)
    told = {str(record["command"]): record for record in (*_read(waiting), *published)}
    for command in stored:
        record = told.setdefault(str(command.command), {"command": str(command.command), "lead": str(lead)})
        record |= {"outcome": command.outcome, "at": command.at.isoformat()}
        record.setdefault("refusal", command.refusal)
    for row in rows:
        told[str(row.row)] = {
            "command": str(row.row),
            "lead": str(lead),
            "type": f"import of {row.file}, line {row.line}, to {row.stage}",
            "actor": {"id": f"import:{row.source}", "kind": "import"},
            "outcome": "refused",
            "refusal": row.refusal,
            "at": row.at.isoformat(),
        }
    records = sorted(told.values(), key=lambda record: (str(record.get("at")), record["command"]))
    repeats = [record for record in records if REPEAT in (record.get("refusal") or {}).get("rules", ())]
    refusals = [record for record in records if record not in repeats]
    if as_json:
        by_itself = happened.by_itself.model_dump(mode="json") if happened is not None else {}
        if happened is not None:
            by_itself["deadlines"] = [one.model_dump(mode="json") for one in happened.deadlines]
            by_itself["assigned"] = happened.assigned
            by_itself["on_their_way"] = [
                {"effect": told.effect, "state": told.state, "attempts": told.attempts, "reason": told.last_reason,
                 "paused_until": told.paused_until, "expected_at": told.expected_at}
                for told in happened.on_their_way
            ]  # fmt: skip
        print_json({"lead": str(lead), **by_itself, "refusals": refusals, "repeats": repeats, "incomplete": fault})
    else:
        if happened is not None:
            _print_assigned(happened.assigned, settings.language)
            _print_deadlines(happened.deadlines, settings.language)
            _print_happened(happened, repeats, settings.time_zone, settings.language)
        _print_refusals(refusals, fault, settings.time_zone, settings.language)
    return 0


class _Happened(NamedTuple):
    """What is told of a lead beside its refusals."""

    by_itself: AutomationOut
    deadlines: list[DeadlineOut]
    assigned: list[dict[str, Any]]
    on_their_way: list[Told]
    """Effects that wait, as the delivery service's ledger has them."""


async def _happened(settings: Settings, connection: Database, lead: UUID, now: datetime) -> _Happened | None:
    """What happened by itself, what is due, whose the lead was, and what waits to go out; None where there is no such lead."""
    from zoneinfo import ZoneInfo

    from services.calendars import registry as calendars
    from services.leads.domain.robots.instants import Times
    from services.leads.reading import lead_state, read_history
    from services.ops.why_assigned import assigned
    from services.pipelines import registry
    from services.privacy.store import KeyRing
    from services.web.lead_view import versions_of
    from services.web.robots_view import ledger_of
    from services.web.shapes_deadlines import deadlines_out
    from services.web.shapes_robots import automation_out

    async with connection.transaction(isolation="repeatable_read"):
        ring = KeyRing(settings.master_key_bytes)
        state = await lead_state(connection, ring, lead)
        if state is None:
            return None
        history = await read_history(connection, ring, lead)
        pipeline = await registry.version(connection, state.pipeline, state.pipeline_number)
        under = await versions_of(connection, history)
        times = Times(now, await calendars.current(connection))
        on_their_way = await ledger_of(connection, lead, now)
    zone = ZoneInfo(settings.time_zone)
    by_itself = automation_out(history, state, pipeline, under, zone, now)
    return _Happened(by_itself, deadlines_out(history, state, pipeline, times, zone), assigned(history), on_their_way)


def _read(values: list[bytes]) -> list[dict[str, Any]]:
    import orjson

    found = []
    for value in values:
        try:
            record = orjson.loads(value)
            found.append(record | {"command": str(record["command"]), "outcome": "refused"})
        except (ValueError, KeyError, TypeError):
            continue  # a foreign record: verify names it
    return found


async def _published(settings: Settings, lead: UUID) -> tuple[list[dict[str, Any]], str | None]:
    """The refusals of a lead on the topic, and why they could not be read, where they could not."""
    from aiokafka.errors import KafkaError

    from contracts.topics import LEADS_REFUSALS
    from services.ops.verify.log_end import read_key

    try:
        async with asyncio.timeout(KAFKA_SECONDS):
            values = await read_key(settings, LEADS_REFUSALS.name, str(lead).encode())
    except (KafkaError, OSError, TimeoutError) as error:
        return [], f"Kafka could not be read ({type(error).__name__}): who tried what may be missing"
    return _read(values), None


def _print_assigned(assigned: list[dict[str, Any]], language: str) -> None:
    from rich.text import Text

    if not assigned:
        return
    out = console()
    out.print(Text("Ответственный" if language == "ru" else "Responsible", style="bold"))
    for one in assigned:
        line = Text("  ")
        line.append(plain(one["to"] or "—"), style="cyan" if one["to"] else "yellow")
        line.append(f"  {plain(one[language])}")
        out.print(line)


def _print_deadlines(deadlines: list[DeadlineOut], language: str) -> None:
    from rich.text import Text

    if not deadlines:
        return
    out = console()
    out.print(Text("Сроки" if language == "ru" else "Deadlines", style="bold"))
    for one in deadlines:
        line = Text("  ")
        titles, said = (one.titles.ru, one.ru) if language == "ru" else (one.titles.en, one.en)
        line.append(plain(titles), style=_STYLES[one.outcome])
        line.append(f"  {plain(said)}")
        out.print(line)


def _print_happened(told: _Happened, repeats: list[dict[str, Any]], zone: str, language: str) -> None:
    from zoneinfo import ZoneInfo

    from rich.text import Text

    from services.web.robots_view import on_the_way
    from services.web.telling import Telling
    from services.web.texts import Words

    words, out = Words(language), console()
    happened, tell = told.by_itself, Telling(words, ZoneInfo(zone))
    waiting = {found.effect: on_the_way(found, tell) for found in told.on_their_way}
    again = Counter(str((record.get("actor") or {}).get("id")) for record in repeats)

    def section(title: str, lines: list[tuple[str, str, str]]) -> None:
        if not lines:
            return
        out.print(Text(words(title), style="bold"))
        for style, name, said in lines:
            line = Text("  ")
            line.append(plain(name), style=style)
            line.append(f"  {plain(said)}")
            out.print(line)

    section(
        "robots",
        [
            (
                _STYLES[one.outcome],
                f"{words.of(one.titles)} ({words('why.visit', stage=words.of(one.stage_titles), visit=one.visit)})",
                words.of(one),
            )
            for one in happened.robots
        ],
    )
    section(
        "why.again", [("yellow", robot, words("why.repeats", count=count)) for robot, count in sorted(again.items())]
    )
    section(
        "sent",
        [
            (
                _STYLES[one.state],
                words.of(one.titles) if one.titles else words(f"sent.{one.kind}"),
                "; ".join(filter(None, (words.of(one), waiting.get(one.effect)))),
            )
            for one in happened.effects
        ],
    )
    section(
        "robots.triggers",
        [("green" if one.fired else "yellow", words.of(one.titles), words.of(one)) for one in happened.triggers],
    )


_STYLES = {
    "armed": "cyan", "waiting": "cyan", "requested": "cyan", "ran": "green", "done": "green", "skipped": "yellow",
    "cancelled": "yellow", "not_started": "yellow", "failed": "bold red", "due": "cyan", "met": "green",
    "asked": "yellow", "missed": "bold red", "dropped": "dim",
}  # fmt: skip


def _print_refusals(refusals: list[dict[str, Any]], fault: str | None, zone: str, language: str) -> None:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from rich.text import Text

    from services.web.telling import Telling
    from services.web.texts import Words

    words, out = Words(language), console()
    tell = Telling(words, ZoneInfo(zone))
    out.print(
        Text(words("why.refusals") if refusals else words("why.nothing_refused"), style="bold" if refusals else "")
    )
    for record in refusals:
        refusal, actor = record.get("refusal") or {}, record.get("actor") or {}
        kind = str(actor.get("kind", "unknown"))
        line = Text(f"  {tell.time(datetime.fromisoformat(record['at']))}", style="dim")
        outcome = words(f"why.outcome.{record.get('outcome', 'refused')}")
        line.append(f"  {plain(record.get('type') or words('why.command'))}: {outcome}", style="bold red")
        by = words("why.by", actor=actor.get("id", words("why.unknown")), kind=words.get(f"actor.{kind}", kind))
        line.append(f"  {plain(by)}", style="green")
        line.append(f"  {plain(', '.join(refusal.get('rules', [])) or words('why.no_rule'))}", style="cyan")
        out.print(line)
        out.print(Text(f"    {plain(refusal.get(language) or words('why.kept_aside'))}"))
        for missing in refusal.get("missing", []):
            out.print(Text(f"    - {plain(missing[language])} ({plain(missing['what'])} {plain(missing['id'])})"))
    if fault:
        console(error=True).print(Text(fault, style="yellow"))

"""`leadline why LEAD`: which commands were refused, by which rule, what was missing, who tried what (M5).

The answer is put together from `leadline.commands` (what and when) and the public record of refusals, `leads.refusals` (who
tried what): the topic, and the outbox for what has not reached it yet; and from the rows of imports that were refused
(`leadline.import_rows`), which are no commands of anyone's. Invariants: each refused command appears once, in the
order of time; when Kafka is away the refusals are told all the same, and what is not known is said.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

from services.ops.place import OpsError, Place
from services.ops.terminal import console, local, plain, print_json

if TYPE_CHECKING:
    from services.settings import Settings

KAFKA_SECONDS = 60.0


async def why(place: Place, lead: UUID, as_json: bool) -> int:
    """Print the refusals of a lead; the exit status. Raises OpsError when nothing is known of it."""
    from contracts.topics import LEADS_REFUSALS
    from services.ops import store
    from services.ops.connect import ops_connection

    settings = place.settings()
    async with ops_connection(settings) as connection:
        stored = await store.unfinished_commands(connection, lead)
        waiting = await store.unsent(connection, LEADS_REFUSALS.name, str(lead))
        rows = await store.refused_rows(connection, lead)
        if not stored and not waiting and not rows and not await store.exists(connection, lead):
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
    refusals = sorted(told.values(), key=lambda record: (str(record.get("at")), record["command"]))
    if as_json:
        print_json({"lead": str(lead), "refusals": refusals, "incomplete": fault})
    else:
        _print_lines(refusals, fault, settings.time_zone, settings.language)
    return 0


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


def _print_lines(refusals: list[dict[str, Any]], fault: str | None, zone: str, language: str) -> None:
    from datetime import datetime

    from rich.text import Text

    out = console()
    for record in refusals:
        refusal = record.get("refusal") or {}
        actor = record.get("actor") or {}
        line = Text(local(datetime.fromisoformat(record["at"]), zone), style="dim")
        line.append(
            f"  {plain(record.get('type') or 'a command')} {record.get('outcome', 'refused')}", style="bold red"
        )
        line.append(f"  by {plain(actor.get('id', 'unknown'))} ({plain(actor.get('kind', 'unknown'))})", style="green")
        line.append(f"  {plain(', '.join(refusal.get('rules', [])) or 'no rule')}", style="cyan")
        out.print(line)
        out.print(Text(f"    {plain(refusal.get(language) or 'kept aside; see: leadline parked')}"))
        for missing in refusal.get("missing", []):
            out.print(Text(f"    - {plain(missing[language])} ({plain(missing['what'])} {plain(missing['id'])})"))
    if not refusals:
        out.print("nothing was refused")
    if fault:
        console(error=True).print(Text(fault, style="yellow"))

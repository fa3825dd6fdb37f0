"""`leadline history LEAD`: all that happened, who or what did it, in which pipeline version, from the events alone (K6, M1).

Invariants: nothing but the event store is read, so a wrong projection cannot colour it; fields of an erased person are marked
as erased, never left out. An unknown stream is an error, an empty past (`--as-of` before the first event) is not.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from services.ops.place import OpsError, Place
from services.ops.terminal import console, local, plain, print_json

if TYPE_CHECKING:
    from services.eventlog.mapper import Recorded

COLOUR_OF_KIND = {"person": "green", "client": "cyan", "adapter": "cyan", "robot": "magenta", "trigger": "magenta"}


async def history(place: Place, lead: UUID, as_of: datetime | None, as_json: bool, *, happened: bool = False) -> int:
    """Print the history; the exit status. Raises OpsError when there is no such stream, or `happened` without a moment."""
    if happened and as_of is None:
        raise OpsError("--happened says how --as-of counts: give a time with --as-of")
    from services.leads.reading import read_history
    from services.ops import store
    from services.ops.connect import ops_connection
    from services.privacy.store import KeyRing

    settings = place.settings()
    async with ops_connection(settings) as connection, connection.transaction(isolation="repeatable_read"):
        if not await store.exists(connection, lead):
            raise OpsError(f"no lead {lead}: the event store holds nothing under this id")
        recorded = await read_history(connection, KeyRing(settings.master_key_bytes), lead, as_of, happened=happened)
    if as_json:
        print_json([as_object(event) for event in recorded])
    else:
        _print_lines(recorded, settings.time_zone)
    return 0


def as_object(event: Recorded) -> dict[str, Any]:
    """An event for programs. Erased fields are null and named in `erased`."""
    meta, data, erased = event.meta, *open_data(event)
    return {
        "id": meta.event_id,
        "version": meta.version,
        "type": meta.type,
        "happened_at": meta.happened_at,
        "recorded_at": meta.recorded_at,
        "actor": meta.actor.model_dump(mode="json", exclude_none=True),
        "command": str(meta.command),
        "causation": meta.causation,
        "correlation": meta.correlation,
        "autodepth": meta.autodepth,
        "pipeline": meta.pipeline,
        "data": data,
        "erased": erased,
    }


def open_data(event: Recorded) -> tuple[dict[str, Any], list[str]]:
    """The event's fields as JSON, and the names of those that were erased."""
    from contracts.personal import Erased

    erased = sorted(name for name in event.data.PERSONAL if isinstance(getattr(event.data, name), Erased))
    data = event.data.model_dump(mode="json", exclude=set(erased))
    return {**data, **dict.fromkeys(erased)}, erased


def describe(event: Recorded) -> str:
    """What happened, in one line: the event's short name and its fields that say something."""
    data, erased = open_data(event)
    name = event.meta.type.rpartition(".")[2].replace("_", " ")
    if name == "stage entered":
        came = f"{data['from_stage']} → {data['stage']}" if data["from_stage"] else data["stage"]
        how = [data["kind"], f"visit {data['visit']}", data["cause"], data["direction"]]
        if data["basis"] != "check":
            how.append(": ".join(filter(None, (f"by {data['basis']}", ", ".join(data["overridden"])))))
        why = "override_reason=[erased]" if "override_reason" in erased else data["override_reason"] or ""
        return plain(f"{name}  {came} ({', '.join(how)}) {why}".strip())
    told = [f"{key}={_short(value)}" for key, value in data.items() if value not in (None, "", [], {})]
    told += [f"{key}=[erased]" for key in erased]
    return plain(f"{name}  {', '.join(told)}".strip())


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {held}" for key, held in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(str, value)) + "]"
    return str(value)


def who(event: Recorded) -> str:
    """Who acted, of which kind, and on whose behalf."""
    actor = event.meta.actor
    behalf = f" for {actor.on_behalf_of}" if actor.on_behalf_of else ""
    return plain(f"{actor.id} ({actor.kind}{behalf})")


def _print_lines(recorded: list[Recorded], zone: str) -> None:
    from rich.text import Text

    out = console()
    wide = max((len(who(event)) for event in recorded), default=0)
    for event in recorded:
        meta = event.meta
        line = Text(f"{meta.version:>4}  ", style="bold")
        line.append(local(meta.happened_at, zone), style="dim")
        late = (meta.recorded_at - meta.happened_at).total_seconds()
        if late >= 1:
            line.append(f" (recorded {local(meta.recorded_at, zone)})", style="yellow")
        line.append(f"  {who(event):<{wide}}", style=COLOUR_OF_KIND.get(meta.actor.kind, "blue"))
        line.append(f"  {describe(event)}", style="")
        if meta.pipeline:
            line.append(f"  {meta.pipeline}", style="dim")
        out.print(line)

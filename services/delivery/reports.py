"""The report of what came of an effect: a command on `leads.commands`, in the transaction that stores the outcome (decision 9).

Invariants: the outcome stands in the ledger before any of its report can be read, both being of one transaction; each sending
bears the same command id, so that the aggregate service does it once; a report holds nothing personal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from contracts.commands import COMMAND_TYPE, Command, Report
from contracts.meta import Actor
from contracts.topics import LEADS_COMMANDS
from services.database import Database
from services.delivery import store
from services.delivery.domain import APP, Effect
from services.eventlog.recording.store import Message, send

DELIVERY: Final = Actor(id="delivery", kind="system")
SOURCE: Final = "/leadline/delivery"
AGAIN_SECONDS: Final = 60.0
"""A report of which no event came back for so long is sent again."""
AT_ONCE: Final = 500


def command_of(effect: Effect) -> Command:
    """The command that reports an answered effect."""
    assert effect.outcome is not None, "an answered effect has an outcome"
    done = effect.outcome == "done"
    body = Report(
        effect=effect.effect,
        outcome=effect.outcome,
        attempts=max(effect.attempts, 1) if done else effect.attempts,
        provider=None if effect.provider == APP else effect.provider,
        provider_id=effect.provider_id if done else None,
        matched=effect.matched if done else None,
        doubtful=effect.in_doubt,
        reason=None if done else effect.last_reason,
    )
    return Command(
        id=effect.report,
        lead=effect.stream,
        actor=DELIVERY,
        body=body,
        causation=f"{effect.stream}-{effect.repeated_version or effect.version}",
        correlation=effect.correlation,
    )


async def send_reports(database: Database, effects: Sequence[Effect]) -> None:
    """Put the reports of these answered effects in the outbox, in the caller's transaction."""
    if not effects:
        return
    counts = await store.count_reports(database, [effect.effect for effect in effects])
    await send(database, [_message(effect, counts[effect.effect]) for effect in effects])


async def send_again(database: Database, seconds: float = AGAIN_SECONDS) -> int:
    """Send reports again of which nothing came back, some at a time; how many."""
    lost = await store.unreported(database, seconds, LEADS_COMMANDS.name, AT_ONCE)
    await send_reports(database, lost)
    return len(lost)


def _message(effect: Effect, number: int) -> Message:
    command = command_of(effect)
    headers = {
        "ce_specversion": "1.0",
        "ce_id": f"{command.id}-{number}",
        "ce_type": COMMAND_TYPE,
        "ce_source": SOURCE,
        "content-type": "application/json",
    }
    value = command.model_dump_json(exclude_none=True).encode()
    return Message(LEADS_COMMANDS.name, str(effect.stream), command.id, number, headers, value)

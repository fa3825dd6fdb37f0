"""The answer of a command: remembered under its id, and published where it is a refusal.

Invariants: a repeat gets the stored answer, with another body it is an error; a refusal changes no stream and is a public fact
all the same (`leads.refusals`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from contracts import commands as c
from contracts.commands import REFUSAL_TYPE, CommandResult, Refusal, RefusalRecorded
from contracts.meta import Actor
from contracts.topics import LEADS_REFUSALS
from services.eventlog.consuming.parked.store import Parked
from services.eventlog.recording.store import Message
from services.leads import store
from services.leads.work import CommandWork, Done, EraseWork, OtherBodyError

if TYPE_CHECKING:
    from services.leads.batch import LeadBatch


def answered(batch: LeadBatch, work: CommandWork | EraseWork, row: store.CommandRow) -> Done:
    """The answer that a repeat gets."""
    if row.body_hash == work.body_hash:
        batch.tally.count("repeat")
        return Done(result=row.result, repeat=True)
    batch.tally.count("other_body")
    error = OtherBodyError(f"the command id {work.command.id} was used before, for another command")
    if isinstance(work, CommandWork) and work.record is not None:
        lead = str(work.command.lead)
        batch.out.parked.append(Parked(0, work.record, lead, None, "other_body", str(error)))
        return Done()
    return Done(error=error)


def refuse(batch: LeadBatch, work: CommandWork | EraseWork, refusal: Refusal, version: int) -> Done:
    """The command is refused: told on `leads.refusals`, and remembered as its answer."""
    command = work.command
    stream = command.lead if isinstance(command, c.Command) else command.contact
    kind = command.body.type if isinstance(command, c.Command) else "erase"
    tell_refusal(batch, command.id, stream, kind, command.actor, refusal, version)
    result = CommandResult(command=command.id, stream=stream, outcome="refused", refusal=refusal, at=batch.now)
    return remember(batch, work, result)


def tell_refusal(
    batch: LeadBatch, command: UUID, stream: UUID, kind: str, actor: Actor, refusal: Refusal, version: int
) -> None:
    """Publish a refusal on `leads.refusals`: it changes no stream, and is a public fact all the same."""
    told = RefusalRecorded(
        command=command, lead=stream, type=kind, actor=actor, version=version, refusal=refusal, at=batch.now
    )
    headers = {
        "ce_specversion": "1.0",
        "ce_id": f"{command}-1",
        "ce_type": REFUSAL_TYPE,
        "ce_source": "/leadline/lead",
        "ce_subject": str(stream),
        "ce_time": batch.now.isoformat(),
        "content-type": "application/json",
        "ce_commandid": str(command),
        "ce_actorid": actor.id,
        "ce_actorkind": actor.kind,
    }
    value = told.model_dump_json().encode()
    batch.out.messages.append(Message(LEADS_REFUSALS.name, str(stream), command, 1, headers, value))


def remember(batch: LeadBatch, work: CommandWork | EraseWork, result: CommandResult) -> Done:
    """Keep the answer of a command, which a repeat of its id gets again."""
    row = store.CommandRow(work.body_hash, result)
    batch.answered[result.command] = row
    batch.out.commands.append((row, work.command.actor.kind == "person"))
    batch.tally.count(result.outcome)
    return Done(result=result)

"""What the batcher takes: a command, an arrival, an erasure, or a record that is none of them; and what comes out of each.

Invariants: each piece of work has exactly one result; its names (streams, identities) are known before the batch locks.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from contracts.commands import Command, CommandResult, DueTimer, EraseContact, Fire
from contracts.meta import Actor
from services.eventlog.consuming import RawRecord
from services.leads.domain.arrivals import Body, Reference, Said
from services.leads.domain.history import HistoryRow
from services.leads.domain.identities import Identity, normalise_email, normalise_phone
from services.privacy.cipher import identity_hmac

CONSUMER = "leads"
"""Name of the aggregate service as a consumer: of its positions, its parked records, its group."""
BUILD = 1


MACHINES = ("robot", "system")
"""Kinds of actors that are services of ours."""
_RIDERS = {"also"}


class OtherBodyError(Exception):
    """The id of this command was used before, for another command."""


@dataclass(frozen=True, slots=True)
class CommandWork:
    """A command, with the identities that its body names (a phone or e-mail written on the card)."""

    command: Command
    body_hash: bytes
    identities: tuple[Identity, ...] = ()
    record: RawRecord | None = None
    """The Kafka record it came in, kept to park it when it fails."""


@dataclass(frozen=True, slots=True)
class Understood:
    """A body of the contract, read by its channel's reader, with the hashes that look things up."""

    body: Body
    said: Said
    identities: tuple[Identity, ...] = ()
    own: tuple[Reference, ...] = ()
    names: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True)
class ArrivalWork:
    """An inbound message. `understood` None: it could not be, `problem` says why."""

    inbound_id: UUID
    attempt: int
    channel: str
    account: str
    received_at: datetime
    actor: Actor
    understood: Understood | None
    problem: str | None
    raw: bytes | None = None
    """The body as it came, for one that came straight on Kafka: it is put in the intake table with its outcome."""
    message_key: UUID | None = None
    """Key of the raw message in `vault.keys`, to be linked to the person; None where there is none."""

    @property
    def identities(self) -> tuple[Identity, ...]:
        """What finds its sender."""
        return self.understood.identities if self.understood else ()

    @property
    def references(self) -> tuple[Reference, ...]:
        """Messages it names, itself among them."""
        return (*self.understood.own, *self.understood.names) if self.understood else ()


@dataclass(frozen=True, slots=True)
class EraseWork:
    """A person's keys are to be destroyed."""

    command: EraseContact
    body_hash: bytes


@dataclass(frozen=True, slots=True)
class ParkWork:
    """A record that is no command: kept where a person sees it."""

    record: RawRecord
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class ImportWork:
    """A row of an import. `line` is where it begins in the file, `position` its number among the file's rows, from 1."""

    row: HistoryRow
    import_id: UUID
    line: int
    position: int
    problem: str | None = None
    """Why the service itself failed over it, when it did."""


Work = CommandWork | ArrivalWork | EraseWork | ParkWork | ImportWork


@dataclass(slots=True)
class Done:
    """What became of a piece of work. `result` for commands; `error` where it could not be carried out."""

    result: CommandResult | None = None
    error: Exception | None = None
    repeat: bool = False


@dataclass(slots=True)
class Tally:
    """What a batch did, for metrics."""

    outcomes: dict[str, int] = field(default_factory=dict)
    events: int = 0
    at_once: int = 0
    """Timers that were armed and decided in it."""

    def count(self, outcome: str) -> None:
        """One more of an outcome."""
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1


def brought_along(work: Sequence[Work]) -> Iterator[tuple[Command, DueTimer]]:
    """The timers that commands of our own services among the work bring along, each with its command (`contracts.timers`)."""
    for piece in work:
        if not isinstance(piece, CommandWork) or not isinstance(piece.command.body, Fire):
            continue
        if piece.command.actor.kind in MACHINES:
            for timer in piece.command.body.also:
                yield piece.command, timer


def body_hash(pepper: bytes, command: Command | EraseContact) -> bytes:
    """Keyed hash of what a command asks, of what, by whom: the same id with another one is an error.

    What is left at its default is left out, so that a field which a later release adds changes no hash."""
    if isinstance(command, Command):
        asked = f"{command.lead}:{command.actor.id}:{command.expected_version}:{command.happened_at}:".encode()
        asked += f"{command.body.type}:".encode()
        # what a `fire` brings along is asked by commands of their own: sent again, it may bring others
        asked += type(command.body).__pydantic_serializer__.to_json(
            command.body, exclude_defaults=True, exclude=_RIDERS if isinstance(command.body, Fire) else None
        )
    else:
        asked = f"{command.contact}:{command.actor.id}:{command.reason}".encode()
    return hmac.digest(pepper, b"leadline-command:" + asked, "sha256")


def identities_of(pepper: bytes, region: str, phone: str | None, email: str | None) -> tuple[Identity, ...]:
    """The identities in a phone and an e-mail as they were typed: those of the two that can be read, phone first."""
    found = []
    if (number := normalise_phone(phone, region)) is not None:
        found.append(Identity("phone", number, identity_hmac(pepper, "phone", number)))
    if (address := normalise_email(email)) is not None:
        found.append(Identity("email", address, identity_hmac(pepper, "email", address)))
    return tuple(found)


def kept_aside(piece: Work, error: BaseException) -> Work | None:
    """What stays of a piece of work that could not be carried out: a command of Kafka's is parked, an inbound message
    quarantined, a row of an import refused. None: its caller waits for it and gets the error. The error's text may hold
    personal data: only its type is kept."""
    reason = f"internal error: {type(error).__name__}"
    match piece:
        case CommandWork(record=RawRecord() as record):
            return ParkWork(record, "poison", reason)
        case ArrivalWork() if piece.understood is not None:
            return replace(piece, understood=None, problem=reason)
        case ImportWork(problem=None):
            return replace(piece, problem=reason)
    return None

"""From Kafka records and HTTP bodies to work: the only place that reads what came in.

Invariants: each record becomes exactly one piece of work, whatever it holds: a tombstone, an unknown type, a header that is no
text, a body that is no JSON. What cannot be understood on `leads.inbound` is quarantined, on `leads.commands` parked.
References to intake are resolved before the batch (a raw message never changes but by a person's mending).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import cast
from uuid import UUID, uuid5

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import ValidationError

from contracts.commands import COMMAND_TYPE, Capture, Command, EraseContact, Record
from contracts.events import IdentityKind
from contracts.inbound import RECORD_BYTES, REFERENCE_TYPE, TYPE_OF_CHANNEL, InboundReference
from contracts.meta import Actor
from contracts.personal import Erased
from contracts.topics import LEADS_COMMANDS
from services.database import Pool
from services.eventlog.consuming import RawRecord
from services.eventlog.consuming.unreadable import UNREADABLE
from services.leads import store
from services.leads.domain.arrivals import Body, Reference, ReferenceKind
from services.leads.domain.channels import READERS
from services.leads.domain.identities import Identity
from services.leads.domain.recognition import NAMESPACE
from services.leads.work import (
    ArrivalWork,
    CommandWork,
    EraseWork,
    ParkWork,
    Understood,
    Work,
    body_hash,
    identities_of,
)
from services.privacy.cipher import TamperedError, identity_hmac
from services.privacy.messages import open_message
from services.privacy.store import KeyRing
from services.settings import Settings

CHANNEL_OF_TYPE = {kind: channel for channel, kind in TYPE_OF_CHANNEL.items()}
NUL = b"\\u0000"
UNSHOWABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
NOT_ASCII = re.compile(r"[^\x21-\x7e]+")


class UnreadableError(ValueError):
    """A body is no command of the contract; the message names the places, not the values."""


def read_command(raw: bytes) -> Command:
    """The command in a JSON body. Raises UnreadableError."""
    if NUL in raw:
        raise UnreadableError("a text holds the character NUL, which nothing can show: leave it out")
    try:
        return Command.model_validate_json(raw)
    except ValidationError as error:
        raise UnreadableError(f"no command of the contract; wrong at: {_places(error)}") from None


class Reader:
    """Reads what came in, with the settings (region, pepper) that reading needs."""

    def __init__(self, settings: Settings, pool: Pool) -> None:
        self._settings = settings
        self._pool = pool

    async def records(self, records: Sequence[RawRecord]) -> list[Work]:
        """One piece of work for each record, in order."""
        references = {}
        for record in records:
            if record.topic != LEADS_COMMANDS.name and (reference := _reference(record)) is not None:
                references[(record.slot, record.offset)] = reference
        resolved = await self._resolve(list(references.values()))
        work: list[Work] = []
        for record in records:
            if record.topic == LEADS_COMMANDS.name:
                work.append(self.command_record(record))
            elif (reference := references.get((record.slot, record.offset))) is not None:
                work.append(resolved[(reference.inbound_id, reference.attempt)])
            else:
                work.append(self.direct(record))
        return work

    def command(self, command: Command, record: RawRecord | None = None) -> CommandWork:
        """A command with the identities its body names."""
        identities: tuple[Identity, ...] = ()
        for body in (command.body, *getattr(command.body, "first", ())):
            if isinstance(body, Record):
                identities += self._identities(body.fields.get("phone"), body.fields.get("email"))
            elif isinstance(body, Capture):
                identities += self._identities(
                    body.phone or body.card.get("phone"), body.email or body.card.get("email")
                )
        return CommandWork(command, body_hash(self._settings.pepper_bytes, command), identities, record)

    def erase(self, command: EraseContact) -> EraseWork:
        """An erasure."""
        return EraseWork(command, body_hash(self._settings.pepper_bytes, command))

    def command_record(self, record: RawRecord) -> Work:
        """A record of `leads.commands`."""
        if _header(record, UNREADABLE) is not None:
            return ParkWork(record, "unreadable", "a header's name is no UTF-8")
        if record.value is None:
            return ParkWork(record, "tombstone", "a command's record has no value")
        kind = _header(record, "ce_type")
        if kind is not None and kind != COMMAND_TYPE:
            return ParkWork(record, "unknown_type", "not a type of command that this release knows")
        try:
            return self.command(read_command(record.value), record)
        except UnreadableError as error:
            return ParkWork(record, "malformed", str(error))

    def direct(self, record: RawRecord) -> ArrivalWork:
        """A record that an adapter wrote straight to `leads.inbound`."""
        kind, source = _header(record, "ce_type"), _header(record, "ce_source") or "kafka"
        channel = CHANNEL_OF_TYPE.get(kind or "", "unknown")
        received = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC)
        own_id = _header(record, "ce_id")
        # Without an id of the adapter's own, the record's place is one: a redelivery of the record is the same message.
        name = f"{source}:{own_id}" if own_id else f"{record.topic}:{record.partition}:{record.offset}"
        account = _said((_header(record, "ce_subject") or source) if channel == "form" else source, 200)
        understood, problem = None, None
        if _header(record, UNREADABLE) is not None:
            problem = "unreadable: a header's name is no UTF-8; the record itself stays in Kafka for seven days"
        elif record.value is None:
            problem = "tombstone: the record has no value"
        elif channel == "unknown":
            problem = "unknown_type: ce_type is none of " + ", ".join(sorted(CHANNEL_OF_TYPE))
        elif len(record.value) > RECORD_BYTES:
            problem = (
                f"too_large: over {RECORD_BYTES // 1024} KB straight on Kafka; send files by mail, or a link to them"
            )
        else:
            understood, problem = self._understood(channel, account, record.value)
        return ArrivalWork(
            inbound_id=uuid5(NAMESPACE, f"direct:{name}"),
            attempt=1,
            channel=channel,
            account=account,
            received_at=received,
            actor=_adapter(source),
            understood=understood,
            problem=problem,
            raw=record.value if record.value is not None else b"",
        )

    async def _resolve(self, references: Sequence[InboundReference]) -> dict[tuple[UUID, int], ArrivalWork]:
        """The messages that references of our own intake stand for."""
        if not references:
            return {}
        async with self._pool.acquire() as database:
            rows = await store.intake(database, [reference.inbound_id for reference in references])
            # No caching of keys here: each raw message is read once, and an erased one must not be opened again.
            keys = await KeyRing(self._settings.master_key_bytes).load(database, rows)
        return {
            (reference.inbound_id, reference.attempt): self._referenced(reference, rows.get(reference.inbound_id), keys)
            for reference in references
        }

    def _referenced(
        self, reference: InboundReference, row: store.IntakeRow | None, keys: Mapping[UUID, AESGCM | None]
    ) -> ArrivalWork:
        understood, problem = None, None
        actor = Actor(id="intake", kind="system")
        if row is None:
            problem = "no_body: the intake table does not have this message (was the database restored?)"
        else:
            actor = Actor.model_validate(row.actor)
            try:
                raw = open_message(keys[row.id], row.id, row.ciphertext)
            except TamperedError:
                problem = "tampered: the stored message does not open under its key"
            else:
                if isinstance(raw, Erased):
                    problem = "erased: the person's data was erased before this message was read"
                else:
                    understood, problem = self._understood(reference.channel, reference.account, raw)
        return ArrivalWork(
            inbound_id=reference.inbound_id,
            attempt=reference.attempt,
            channel=reference.channel,
            account=reference.account,
            received_at=reference.received_at,
            actor=actor,
            understood=understood,
            problem=problem,
            message_key=row.id if row else None,
        )

    def _understood(self, channel: str, account: str, raw: bytes) -> tuple[Understood | None, str | None]:
        """A body as its channel's reader understands it, or why it is none (places only, no values: they are personal)."""
        reader = READERS[channel]
        try:
            body = reader.model.model_validate(orjson.loads(raw))
        except orjson.JSONDecodeError:
            return None, "malformed: the body is no JSON"
        except ValidationError as error:
            return None, f"malformed: not as the contract says at {_places(error)}"
        read = reader.read(body, account, self._settings.default_region)
        return (
            Understood(
                body=cast(Body, body),
                said=read.said,
                identities=tuple(self._identity(kind, value) for kind, value in read.identities),
                own=tuple(self._reference(kind, value) for kind, value in read.own),
                names=tuple(self._reference(kind, value) for kind, value in read.names),
            ),
            None,
        )

    def _identities(self, phone: str | None, email: str | None) -> tuple[Identity, ...]:
        return identities_of(self._settings.pepper_bytes, self._settings.default_region, phone, email)

    def _identity(self, kind: IdentityKind, value: str) -> Identity:
        return Identity(kind, value, identity_hmac(self._settings.pepper_bytes, kind, value))

    def _reference(self, kind: ReferenceKind, value: str) -> Reference:
        return Reference(kind, value, identity_hmac(self._settings.pepper_bytes, f"reference/{kind}", value))


@lru_cache(maxsize=1_000)
def _adapter(source: str) -> Actor:
    """Who brought a message straight on Kafka: the adapter, by its `ce_source`."""
    return Actor(id=NOT_ASCII.sub("_", source)[:100] or "kafka", kind="adapter", role="adapter")


def _reference(record: RawRecord) -> InboundReference | None:
    """Our own intake's reference in a record; None for anything else, which is then read as an adapter's message."""
    if record.value is None or _header(record, "ce_type") != REFERENCE_TYPE:
        return None
    try:
        return InboundReference.model_validate_json(record.value)
    except ValidationError:
        return None


def _places(error: ValidationError) -> str:
    problems = error.errors(include_input=False, include_url=False)
    return _said("; ".join(sorted({f"{'.'.join(map(str, p['loc'])) or 'body'} ({p['msg']})" for p in problems})), 500)


def _said(text: str, most: int) -> str:
    """A stranger's text as Postgres and a terminal can take it: no control characters, not too long."""
    return UNSHOWABLE.sub(" ", text)[:most]


def _header(record: RawRecord, name: str) -> str | None:
    """A header as ASCII text; one that is no ASCII counts as absent."""
    for key, value in record.headers:
        if key == name:
            try:
                return (value or b"").decode("ascii")
            except UnicodeDecodeError:
                return None
    return None

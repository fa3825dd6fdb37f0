"""Intake: a message is stored, sealed, before anyone interprets it; only then is it answered «accepted» (decision 10, K5).

Invariants: an answer means a commit; a message, its key and its record for `leads.inbound` are stored together; the same
idempotency key with the same body is the same message, with another body it is refused. When Postgres is away this raises
one of `services.database.LOST` and nothing was kept, or, at the moment of the commit, perhaps was: a repeat under the same
key finds out, without making a second message.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from uuid_utils.compat import uuid7

from contracts.inbound import REFERENCE_TYPE, Channel, InboundReference
from contracts.meta import Actor
from services.channels import forms, store
from services.channels.blobs.keeping import BlobStore, NewBlob, keep_blobs
from services.channels.blobs.store import PostgresBlobs
from services.channels.errors import UnacceptableError
from services.channels.keeping import Keeper, holder_of
from services.channels.senders import partition_key, sender_of
from services.clock import Clock
from services.database import Database, Pool
from services.privacy.cipher import new_key, wrap_key
from services.privacy.messages import message_hash, seal_message

SOURCE = "/leadline/intake"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message that is stored. `repeated`: it was there before, under the same idempotency key."""

    inbound_id: UUID
    repeated: bool


@dataclass(frozen=True)
class Intake:
    """The one way into the intake table. `master` wraps the messages' keys, `pepper` keys the hashes (32 bytes each)."""

    pool: Pool
    clock: Clock
    master: bytes = field(repr=False)
    pepper: bytes = field(repr=False)
    new_id: Callable[[], UUID] = uuid7
    blobs: BlobStore = field(default_factory=PostgresBlobs)
    keeper: Keeper = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "keeper", Keeper(self.pool))

    async def receive(
        self,
        channel: Channel,
        account: str,
        content_type: str | None,
        raw: bytes,
        *,
        idempotency_key: str | None,
        actor: Actor,
    ) -> Accepted:
        """Store a posted body. Raises UnacceptableError: 400, 413, 415, 422, also for a key used with another body."""
        key = forms.idempotency_key(idempotency_key)
        if channel == "form":
            text, body = forms.read_form(content_type, raw)
        else:
            text, body = raw, forms.read_object(content_type, raw)
        return await self.keep(
            channel,
            account,
            text,
            actor=actor,
            sender=sender_of(channel, body),
            occurred_at=forms.occurred_at(channel, body),
            idempotency_key=key,
        )

    async def keep(
        self,
        channel: Channel,
        account: str,
        text: bytes,
        *,
        actor: Actor,
        sender: str | None = None,
        occurred_at: datetime | None = None,
        idempotency_key: str | None = None,
        blobs: Sequence[NewBlob] = (),
        same_as: bytes | None = None,
        connection: Database | None = None,
    ) -> Accepted:
        """Store a message of any channel: `text` is its body, JSON in UTF-8, sealed under a key of its own.

        `sender` (`services.channels.senders.sender_of`) orders messages of one sender; without it the message stands alone.
        `blobs` are kept with it, under its key. `same_as`: what tells a repeat, where the body is not the same each time.
        `connection`: the caller's, inside its transaction, so that what it writes goes with the message.
        Raises UnacceptableError (422) for an idempotency key that came with another body on this channel account.
        """
        inbound_id, received_at = self.new_id(), await self.clock.now()
        body_hash = message_hash(self.pepper, text if same_as is None else same_as)
        data_key = new_key()
        headers, value = reference(inbound_id, channel, account, received_at, attempt=1)
        message = store.NewMessage(
            inbound_id=inbound_id,
            channel=channel,
            account=account,
            idempotency_key=idempotency_key,
            body_hash=body_hash,
            received_at=received_at,
            occurred_at=occurred_at,
            actor=actor.model_dump_json(exclude_none=True),
            ciphertext=seal_message(AESGCM(data_key), inbound_id, text),
            wrapped_key=wrap_key(self.master, inbound_id, data_key),
            partition_key=partition_key(self.pepper, channel, account, sender, inbound_id),
            headers=headers,
            value=value,
        )
        if connection is not None:
            earlier = await self._keep(connection, message, AESGCM(data_key), blobs)
        elif blobs:
            async with self.pool.acquire() as own, own.transaction():
                earlier = await self._keep(own, message, AESGCM(data_key), blobs)
        else:
            earlier = await self.keeper.keep(message)
        if earlier is None:
            return Accepted(inbound_id, repeated=False)
        if earlier[1] != body_hash:
            raise UnacceptableError(
                422,
                "idempotency-key-reused",
                "this Idempotency-Key came with another body before; give a new message a new key",
                where="header Idempotency-Key",
            )
        return Accepted(earlier[0], repeated=True)

    async def _keep(
        self, connection: Database, message: store.NewMessage, key: AESGCM, blobs: Sequence[NewBlob]
    ) -> tuple[UUID, bytes] | None:
        """Store it with its blobs. None: done; else id and body hash of the message that holds its idempotency key."""
        if await store.keep(connection, [message]):
            await keep_blobs(self.blobs, connection, key, self.pepper, message.inbound_id, blobs)
            return None
        return await holder_of(connection, message)


def reference(
    inbound_id: UUID, channel: Channel, account: str, received_at: datetime, *, attempt: int
) -> tuple[str, bytes]:
    """Headers (JSON) and value of the record on `leads.inbound` that points to a stored message."""
    value = InboundReference(
        inbound_id=inbound_id, channel=channel, account=account, received_at=received_at, attempt=attempt
    )
    headers = {
        "ce_specversion": "1.0",
        "ce_id": f"{inbound_id}-{attempt}",
        "ce_type": REFERENCE_TYPE,
        "ce_source": SOURCE,
        "content-type": "application/json",
    }
    return orjson.dumps(headers).decode("ascii"), value.model_dump_json().encode()

"""Intake: a message is stored, sealed, before anyone interprets it; only then is it answered «accepted» (decision 10, K5).

Invariants: an answer means a commit; a message, its key and its record for `leads.inbound` are stored together; the same
idempotency key with the same body is the same message, with another body it is refused. When Postgres is away this raises
one of `services.database.LOST` and nothing was kept, or, at the moment of the commit, perhaps was: a repeat under the same
key finds out, without making a second message.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from uuid_utils.compat import uuid7

from contracts.inbound import REFERENCE_TYPE, Channel, InboundReference
from contracts.meta import Actor
from services.channels import forms, store
from services.channels.errors import UnacceptableError
from services.clock import Clock
from services.database import Pool
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
    """The one way messages come in over HTTP. `master` wraps the messages' keys, `pepper` keys the hashes (32 bytes each)."""

    pool: Pool
    clock: Clock
    master: bytes = field(repr=False)
    pepper: bytes = field(repr=False)
    new_id: Callable[[], UUID] = uuid7

    async def receive_form(
        self, form: str, content_type: str | None, raw: bytes, *, idempotency_key: str | None, actor: Actor
    ) -> Accepted:
        """Store a posted form. Raises UnacceptableError: 400, 413, 415, 422, also for a key used with another body."""
        form, key = forms.form_name(form), forms.idempotency_key(idempotency_key)
        text, body = forms.read_form(content_type, raw)
        inbound_id, body_hash, received_at = self.new_id(), message_hash(self.pepper, text), await self.clock.now()
        data_key = new_key()
        headers, value = reference(inbound_id, "form", form, received_at, attempt=1)
        message = store.NewMessage(
            inbound_id=inbound_id,
            channel="form",
            account=form,
            idempotency_key=key,
            body_hash=body_hash,
            received_at=received_at,
            occurred_at=forms.occurred_at(body),
            actor=actor.model_dump_json(exclude_none=True),
            ciphertext=seal_message(AESGCM(data_key), inbound_id, text),
            wrapped_key=wrap_key(self.master, inbound_id, data_key),
            partition_key=forms.partition_key(self.pepper, "form", form, body, inbound_id),
            headers=headers,
            value=value,
        )
        async with self.pool.acquire() as connection:
            if await store.keep(connection, message) is not None:
                return Accepted(inbound_id, repeated=False)
            assert key is not None, "only an idempotency key can be taken"
            earlier = await store.kept_under(connection, "form", form, key)
        assert earlier is not None, "messages are never deleted"
        if earlier[1] != body_hash:
            raise UnacceptableError(
                422,
                "idempotency-key-reused",
                "this Idempotency-Key came with another body before; give a new message a new key",
                where="header Idempotency-Key",
            )
        return Accepted(earlier[0], repeated=True)


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

"""The intake journal: what became of each message, and mending and running again those that became no lead (K5, N18).

Invariants: only a message that became no lead is run again, and one attempt at a time; its time of receipt never changes; a body
that was mended is kept, as received, under the same key, so erasing the person takes both. Opening a body is for those the
caller let in; nothing of it goes to logs or errors. A lost database raises one of `services.database.LOST`, nothing changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, cast
from uuid import UUID

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contracts.inbound import REPEAT_REASONS, TYPE_OF_CHANNEL, Channel
from contracts.meta import Actor
from contracts.personal import ERASED, Erased
from services.channels import forms, store
from services.channels.errors import UnacceptableError
from services.channels.intake import reference
from services.channels.senders import partition_key, sender_of
from services.channels.share import ChannelShare, shares
from services.clock import Clock
from services.database import Database, Pool
from services.privacy.messages import open_message, seal_message
from services.privacy.store import KeyRing

Outcome = Literal["quarantined", "no_lead", "accepted", "joined", "waiting", "refused"]
RUN_AGAIN = frozenset({"quarantined", "no_lead"})
"""Outcomes of messages that may be run again."""
MENDED_BYTES = 512 * 1024
"""The largest mended body: a letter's, with its text and addresses."""


@dataclass(frozen=True, slots=True)
class OpenedMend:
    """A body as it was until `attempt`, who replaced it, when."""

    attempt: int
    body: dict[str, Any] | str | Erased
    actor: dict[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class OpenedMessage:
    """A message with its body: a JSON object, the text where it is none, or ERASED."""

    kept: store.KeptMessage
    body: dict[str, Any] | str | Erased
    mends: list[OpenedMend]


@dataclass(frozen=True)
class Journal:
    """Reading and mending. `ring` opens the bodies."""

    pool: Pool
    clock: Clock
    ring: KeyRing
    pepper: bytes = field(repr=False)

    async def page(
        self,
        *,
        outcome: Outcome | None,
        after: str | None,
        limit: int,
        channel: str | None = None,
        reason: str | None = None,
    ) -> tuple[list[store.JournalRow], str | None]:
        """A page of the journal, newest first, and where the next one begins. `reason`: the word before its colon.

        Raises UnacceptableError for a strange `after`.
        """
        async with self.pool.acquire() as connection:
            rows = await store.journal(
                connection, outcome=outcome, channel=channel, reason=reason, before=_place(after), limit=limit + 1
            )
        if len(rows) <= limit:
            return rows, None
        last = rows[limit - 1]
        return rows[:limit], f"{last.at.isoformat()}~{last.place}"

    async def share(self, begin: datetime, end: datetime) -> list[ChannelShare]:
        """What became of the messages received in a period, by channel; `end` is no part of it (C3)."""
        async with self.pool.acquire() as connection:
            return shares(await store.outcome_counts(connection, begin, end, sorted(REPEAT_REASONS)))

    async def opened(self, inbound_id: UUID) -> OpenedMessage | None:
        """A message and its body; None where intake holds none (it came straight from Kafka and was no problem)."""
        async with self.pool.acquire() as connection:
            kept = await store.message(connection, inbound_id)
            if kept is None:
                return None
            key = await self._key(connection, inbound_id)
            earlier = await store.mends(connection, inbound_id)
        body = _shown(open_message(key, inbound_id, kept.ciphertext))
        opened = [
            OpenedMend(m.attempt, _shown(open_message(key, inbound_id, m.ciphertext)), orjson.loads(m.actor), m.at)
            for m in earlier
        ]
        return OpenedMessage(kept, body, opened)

    async def run_again(
        self, inbound_id: UUID, *, actor: Actor, fields: dict[str, Any] | None = None, attempt: int | None = None
    ) -> int:
        """Run a message that became no lead again, with `fields` mended first (null removes one). Returns the attempt.

        `attempt`: the one looked at; another one is refused. Raises UnacceptableError: 404 no such message, 409 it
        became one or looked at an older attempt, 410 erased, 413 too large, 422 a field that no form can hold.
        """
        now = await self.clock.now()
        async with self.pool.acquire() as connection, connection.transaction():
            kept = await store.message(connection, inbound_id, lock=True)
            if kept is None:
                raise UnacceptableError(404, "no-such-message", "intake holds no message of this id", where="path")
            _must_have_become_none(kept, attempt)
            key = await self._key(connection, inbound_id)
            raw = open_message(key, inbound_id, kept.ciphertext)
            if key is None or isinstance(raw, Erased):
                raise UnacceptableError(
                    410, "erased", "this message was erased with its person; nothing can be run again"
                )
            channel = _channel_of(kept, fields)
            if fields is not None:
                raw = mended(raw, fields)
                await store.replace_body(
                    connection,
                    inbound_id,
                    attempt=kept.attempt,
                    ciphertext=seal_message(key, inbound_id, raw),
                    actor=actor.model_dump_json(exclude_none=True),
                    at=now,
                )
            body = _shown(raw)
            headers, value = reference(inbound_id, channel, kept.account, kept.received_at, attempt=kept.attempt + 1)
            await store.run_again(
                connection,
                inbound_id,
                attempt=kept.attempt + 1,
                key=partition_key(
                    self.pepper,
                    kept.channel,
                    kept.account,
                    sender_of(kept.channel, body if isinstance(body, dict) else {}),
                    inbound_id,
                ),
                headers=headers,
                value=value,
            )
            return kept.attempt + 1

    async def _key(self, connection: Database, inbound_id: UUID) -> AESGCM | None:
        self.ring.forget([inbound_id])  # bodies are opened seldom: a key destroyed a second ago must not open one
        await self.ring.load(connection, [inbound_id])
        return self.ring.key(inbound_id)


def mended(raw: bytes, fields: dict[str, Any]) -> bytes:
    """The body with these fields written over it; where it was no JSON object, the fields are the new body."""
    body = _shown(raw)
    changed = {**body, **fields} if isinstance(body, dict) else dict(fields)
    text = orjson.dumps({name: value for name, value in changed.items() if value is not None})
    forms.read_object(None, text, MENDED_BYTES)
    return text


def _must_have_become_none(kept: store.KeptMessage, attempt: int | None) -> None:
    if kept.outcome not in RUN_AGAIN:
        raise UnacceptableError(
            409, "not-quarantined", f"only a message that became no lead can be run again; this one is {kept.outcome}"
        )
    if attempt is not None and attempt != kept.attempt:
        raise UnacceptableError(
            409, "stale", f"the message is at attempt {kept.attempt}, you looked at {attempt}; open it again"
        )


def _channel_of(kept: store.KeptMessage, fields: dict[str, Any] | None) -> Channel:
    """The channel it is run again as. One that came on Kafka under no type of ours becomes a form by being mended."""
    if kept.channel in TYPE_OF_CHANNEL:
        return cast(Channel, kept.channel)
    if fields is None:
        raise UnacceptableError(
            409, "no-reader", "nothing reads a message of this type; mend it, and it is read as a form"
        )
    return "form"


def _shown(raw: bytes | Erased) -> dict[str, Any] | str | Erased:
    if isinstance(raw, Erased):
        return ERASED
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return raw.decode("utf-8", errors="replace")
    return body if isinstance(body, dict) else raw.decode("utf-8", errors="replace")


def _place(after: str | None) -> tuple[datetime, UUID] | None:
    if after is None:
        return None
    try:
        moment, _, inbound_id = after.partition("~")
        at = datetime.fromisoformat(moment)
        if at.tzinfo is None:
            raise ValueError
        return at, UUID(inbound_id)
    except ValueError:
        raise UnacceptableError(
            422, "after", "`after` is not one that this list gave as `next`", where="query"
        ) from None

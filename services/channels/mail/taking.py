"""From a delivered letter to a message in intake, with the original and its attachments as blobs (K5, decision 10).

Invariants: a letter is kept once, whichever ways and however often it is delivered: its likeness (what the sender wrote, under
its Message-ID) is the idempotency key; all of it is written in one transaction; what could not be read of it is kept with
the original and waits in quarantine. Our own letters coming back (`kinds.loop_of`) are refused, nothing else is.
Postgres away raises one of `services.database.LOST`: the letter is delivered again and, if it was kept, known.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import orjson
import structlog
from prometheus_client import Counter, Histogram
from pydantic import ValidationError
from uuid_utils.compat import uuid7

from contracts.inbound_mail import MailBody
from contracts.meta import Actor
from services.channels.blobs.keeping import NewBlob
from services.channels.intake import Intake
from services.channels.mail.reading.company import Company
from services.channels.mail.reading.letter import File, Letter, read_letter
from services.channels.senders import sender_of
from services.database import Database

LETTER_BYTES = 30 * 1024 * 1024
"""The largest letter that is taken (decision 10)."""
NO_ACCOUNT = "mail"
"""The channel account of a letter of which nobody knows to which address it went."""

LETTERS = Counter(
    "leadline_letters_total", "Letters delivered, by way (smtp, imap) and what became of them", ["way", "what"]
)
SECONDS = Histogram(
    "leadline_letter_seconds", "Time to read and keep a letter", buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10)
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a delivered letter. `why`: of a refused one."""

    outcome: Literal["kept", "repeated", "refused"]
    inbound_id: UUID | None = None
    why: str = ""


@dataclass(frozen=True)
class Post:
    """Takes letters, whichever way they came. `own_domain`: of the Message-IDs we make, by which loops are known."""

    intake: Intake
    company: Company
    own_domain: str = ""

    async def take(
        self,
        raw: bytes,
        *,
        way: Literal["smtp", "imap"],
        source: str,
        recipients: Collection[str],
        return_path: str | None = None,
        defects: Collection[str] = (),
        connection: Database | None = None,
    ) -> Taken:
        """Keep a letter. `source`: who brought it, an id without personal data; `defects`: what the bringer knows is missing.

        `connection`: the caller's, inside its transaction. Raises one of `services.database.LOST`.
        """
        with SECONDS.time():
            letter = await asyncio.to_thread(
                read_letter,
                raw,
                self.company,
                recipients=recipients,
                return_path=return_path,
                own_domain=self.own_domain,
            )
            if letter.loop is not None:
                LETTERS.labels(way, "refused").inc()
                log.warning("a letter of ours came back and is refused", way=way, why=letter.loop)
                return Taken("refused", why=letter.loop)
            letter.defects += defects
            text, blobs = await asyncio.to_thread(written, letter, raw)
            accepted = await self.intake.keep(
                "mail",
                letter.account or NO_ACCOUNT,
                text,
                actor=Actor(id=f"mail:{way}:{source}"[:100], kind="client"),
                sender=sender_of("mail", {"sender": letter.sender}),
                occurred_at=letter.sent_at,
                idempotency_key=hmac.digest(self.intake.pepper, b"leadline-letter:" + letter.likeness, "sha256").hex(),
                blobs=blobs,
                same_as=letter.likeness,
                connection=connection,
            )
        outcome: Literal["kept", "repeated"] = "repeated" if accepted.repeated else "kept"
        LETTERS.labels(way, outcome).inc()
        return Taken(outcome, accepted.inbound_id)


def written(letter: Letter, raw: bytes) -> tuple[bytes, list[NewBlob]]:
    """The body to keep, JSON that fits `MailBody` unless no sender is known, and the blobs it points to."""
    original = uuid7()
    blobs = [NewBlob(original, lambda: raw)]
    attachments = []
    for file in letter.files:
        size = _size(file, letter)
        if size is None:
            continue
        blob = uuid7()
        blobs.append(NewBlob(blob, file.content))
        attachments.append({"name": file.name, "media_type": file.media_type, "size": size, "blob": blob})
    body: dict[str, Any] = {
        "message_id": letter.message_id,
        "sender": letter.sender,
        "sender_name": letter.sender_name,
        "reply_to": letter.reply_to,
        "to": letter.to,
        "cc": letter.cc,
        "recipients": letter.recipients,
        "subject": letter.subject,
        "text": letter.text,
        "sent_at": letter.sent_at,
        "in_reply_to": letter.in_reply_to,
        "references": letter.references,
        "thread": letter.thread,
        "kind": letter.kind,
        "bounced": [
            {
                "address": f.address,
                "status": f.status,
                "diagnostic": f.diagnostic,
                "permanent": f.permanent,
                "still_trying": f.still_trying,
            }
            for f in letter.bounced
        ],
        "list_id": letter.list_id,
        "attachments": attachments,
        "defects": letter.defects[:50],
        "raw_size": len(raw),
        "raw_blob": original,
    }
    body = {name: value for name, value in body.items() if value not in (None, [], "")}
    try:
        return MailBody.model_validate(body).model_dump_json(exclude_none=True).encode(), blobs
    except ValidationError as error:
        faulty = {str(found["loc"][0]) for found in error.errors() if found["loc"]}
        if faulty != {"sender"} or letter.sender is not None:
            # our reading and our contract differ: a fault of ours, which must lose nothing
            log.error("a letter was read into what the contract does not allow", places=_places(error))
            body = {name: value for name, value in body.items() if name not in faulty}
            unkept = ", ".join(sorted(faulty))
            body["defects"] = [*letter.defects[:49], f"read, but not kept: {unkept}; it is in the original"]
        return orjson.dumps(body), blobs


def _size(file: File, letter: Letter) -> int | None:
    """Bytes of a file; None where it cannot be decoded, which leaves it in the original."""
    try:
        return len(file.content())
    except Exception as error:  # a fault of ours must not lose the letter
        letter.defects.append(f"an attachment could not be decoded ({type(error).__name__}); it is in the original")
        return None


def _places(error: ValidationError) -> str:
    return "; ".join(".".join(map(str, found["loc"])) for found in error.errors())[:300]

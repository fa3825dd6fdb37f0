"""All SQL of mailboxes: which letters were taken from them, and the notice that one cannot be read.

Invariants: a letter's row is written in the transaction of the message it became; the highest UID is where the next look begins.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.database import Database

SERVICE = "door"


async def highest_uid(connection: Database, mailbox: str, uid_validity: int) -> int | None:
    """The newest letter seen under this UIDVALIDITY; None: none yet."""
    found: int | None = await connection.fetchval(
        "SELECT max(uid) FROM leadline.mailbox_letters WHERE mailbox = $1 AND uid_validity = $2", mailbox, uid_validity
    )
    return found


async def first_look(connection: Database, mailbox: str) -> datetime | None:
    """When the first letter of this mailbox was seen, under whatever UIDVALIDITY; None: it was never looked at."""
    found: datetime | None = await connection.fetchval(
        "SELECT min(at) FROM leadline.mailbox_letters WHERE mailbox = $1", mailbox
    )
    return found


async def note_letter(
    connection: Database,
    mailbox: str,
    uid_validity: int,
    uid: int,
    *,
    outcome: str,
    inbound_id: UUID | None,
    at: datetime,
) -> None:
    """Remember a letter as seen. `outcome`: kept, repeated, refused or skipped."""
    await connection.execute(
        """INSERT INTO leadline.mailbox_letters (mailbox, uid_validity, uid, outcome, inbound_id, at)
           VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING""",
        mailbox,
        uid_validity,
        uid,
        outcome,
        inbound_id,
        at,
    )


async def notice_unread(connection: Database, mailbox: str, detail: str) -> None:
    """Say on the operations page that a mailbox cannot be read, once until it is cleared."""
    await connection.execute(
        """INSERT INTO leadline.notices (service, severity, code, detail)
           SELECT $1, 'error', $2, $3 WHERE NOT EXISTS (
               SELECT FROM leadline.notices WHERE service = $1 AND code = $2 AND cleared_at IS NULL)""",
        SERVICE,
        f"mailbox:{mailbox}",
        detail,
    )


async def clear_notice(connection: Database, mailbox: str) -> None:
    """It can be read again."""
    await connection.execute(
        "UPDATE leadline.notices SET cleared_at = now() WHERE service = $1 AND code = $2 AND cleared_at IS NULL",
        SERVICE,
        f"mailbox:{mailbox}",
    )

"""SQL of companies: whose a name, a site or a phone is.

Invariants: all of it runs in the batch's transaction, under the locks of the HMACs named; each has one owner.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from services.database import Database


async def owners(database: Database, hmacs: Sequence[bytes]) -> dict[bytes, UUID]:
    """Which company each of these finds."""
    rows = await database.fetch(
        "SELECT hmac, company FROM leadline.company_identities WHERE hmac = ANY($1::bytea[])", hmacs
    )
    return {row[0]: row[1] for row in rows}


async def claim(database: Database, rows: Sequence[tuple[bytes, str, UUID]]) -> None:
    """Have these find companies: (HMAC, kind, company). Raises UniqueViolationError when one has an owner."""
    if rows:
        await database.copy_records_to_table(
            "company_identities", schema_name="leadline", columns=("hmac", "kind", "company"), records=sorted(rows)
        )


async def forget(database: Database, company: UUID) -> None:
    """M7: nothing finds this company any more."""
    await database.execute("DELETE FROM leadline.company_identities WHERE company = $1", company)

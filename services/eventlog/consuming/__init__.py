"""Consuming Kafka exactly once: one factory for every subscriber, positions in Postgres (decision 4, «Position of the input»).

A service consumes like this; everything else (assignment, seeking, fencing, back-off, health) is done for it::

    async def handle(batch: Batch) -> None:
        async with pool.acquire() as connection, connection.transaction():
            await move_positions(connection, batch.moves)      # raises FencedError: let it out, the transaction rolls back
            ...                                                # the effects of batch.records, in this same transaction

    await consume(settings, pool, consumer="leads", topics=["leads.inbound"], handle=handle, health=health, stop=stop)

`handle` returns when its transaction is committed. What it raises: `FencedError` (a partition is not ours any more), one of
`services.database.LOST` or a serialisation failure or deadlock (done again with back-off, up to 60 s), anything else (the
consumer stops and `consume` raises it). It may commit a batch in several transactions: see `Batch.halves`. After any error the
positions are read again and only records that are not yet taken come back, so a lost answer to COMMIT doubles nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.eventlog.consuming.positions import move_positions
from services.eventlog.consuming.records import Batch, FencedError, PositionMove, RawRecord

if TYPE_CHECKING:
    from services.eventlog.consuming.factory import consume
    from services.eventlog.consuming.trouble import GroupStoppedError

__all__ = ["Batch", "FencedError", "GroupStoppedError", "PositionMove", "RawRecord", "consume", "move_positions"]


def __getattr__(name: str) -> Any:
    """`consume` and its error are imported when asked for: FastStream takes half a second, and who only names records, as
    `leadline prepare` does at every start, need not wait for it."""
    if name == "consume":
        from services.eventlog.consuming.factory import consume

        return consume
    if name == "GroupStoppedError":
        from services.eventlog.consuming.trouble import GroupStoppedError

        return GroupStoppedError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

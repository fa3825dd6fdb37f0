"""Journals read from their events alone, for `leadline incidents list` and `restate` (Q6, N20).

Invariants: nothing but the event store is read, so a wrong projection cannot colour it; nothing personal of a client is in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from services.ops.place import Place
from services.ops.terminal import console, local, plain, print_json

if TYPE_CHECKING:
    from services.database import Database
    from services.leads.domain.journal.state import Incident, JournalState
    from services.privacy.store import KeyRing


async def listing(place: Place, person: str | None, as_json: bool) -> int:
    """List the incidents of everybody, or of one person, by due instant; the exit status."""
    from services.ops.connect import ops_connection
    from services.privacy.store import KeyRing

    settings = place.settings()
    async with ops_connection(settings) as connection, connection.transaction(isolation="repeatable_read"):
        books = await read_journals(connection, KeyRing(settings.master_key_bytes), person)
    found = incidents_of(books)
    if as_json:
        escalations = [
            {
                "escalation": str(one.escalation),
                "employee": book.employee,
                "to": one.to,
                "incidents": [str(incident) for incident in one.incidents],
                "closed": one.closed,
            }
            for book in books
            for one in book.escalations.values()
        ]
        print_json({"incidents": [as_object(*pair) for pair in found], "escalations": escalations})
        return 0
    out = console()
    for book, incident in found:
        out.print(plain(_line(book, incident, settings.time_zone)))
    counting = sum(incident.is_strike for _, incident in found)
    running = sum(one.closed is None for book in books for one in book.escalations.values())
    out.print(f"{len(found)} incidents, {counting} of them count; open escalations: {running}")
    return 0


async def read_journals(database: Database, ring: KeyRing, person: str | None = None) -> list[JournalState]:
    """Every journal, or those of one person: which these are follows from the streams' ids, so that no other is read."""
    from contracts.journal import quarter_of_journal
    from services.leads.domain.journal.state import journal_from
    from services.leads.reading import read_history
    from services.ops.incidents import store

    books = []
    for stream, began in await store.journals(database):
        if person is not None and quarter_of_journal(stream, person, began) is None:
            continue
        book = journal_from(await read_history(database, ring, stream))
        if book is not None:
            books.append(book)
    return books


def incidents_of(books: Sequence[JournalState]) -> list[tuple[JournalState, Incident]]:
    """All incidents with their journals, in the order they were due."""
    found = [(book, incident) for book in books for incident in book.incidents.values()]
    return sorted(found, key=lambda pair: (pair[1].recorded.due_at, pair[1].recorded.incident.bytes))


def as_object(book: JournalState, incident: Incident) -> dict[str, Any]:
    """An incident for programs."""
    restated = incident.restated
    return {
        "journal": str(book.stream),
        "quarter": book.quarter,
        **incident.recorded.model_dump(mode="json"),
        "told": incident.told,
        "strike": incident.strike,
        "counts_now": incident.is_strike,
        "acknowledged": incident.acknowledged,
        "excused": incident.excused,
        "restated": restated.model_dump(mode="json") if restated is not None else None,
    }


def _line(book: JournalState, incident: Incident, zone: str) -> str:
    recorded = incident.recorded
    parts = [local(recorded.due_at, zone), f"{book.employee:<12}", recorded.incident_kind, recorded.rule]
    if recorded.lead is not None:
        parts.append(f"{'deal' if recorded.of_deal else 'lead'} {recorded.lead}")
    parts.append(recorded.cause)
    if incident.strike is not None:
        parts.append(f"strike {incident.strike}")
    elif incident.told is None:
        parts.append("not told yet")
    if incident.excused:
        parts.append("excused")
    if incident.restated is not None:
        parts.append(f"restated: {incident.restated.verdict}")
    return "  ".join([*parts, str(recorded.incident)])

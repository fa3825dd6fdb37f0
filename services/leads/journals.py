"""Incident journals of a batch: what happens to leads and deals is recorded in the journal of whose it is (Q6, decision 18).

Invariants: it is recorded in the transaction of the event that it follows from, whatever else becomes of the batch; a journal is
locked like every stream before it is read, so that of an employee's misses on several leads, in several processes, each has one
number and one of them opens the escalation. Nothing is asked of the store where nothing happened for a journal. A team or
calendar that is missing stops no lead: the default stands in for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from contracts import events as e
from contracts.commands import Fire
from contracts.events import Event
from contracts.journal import journal_of, quarter_before, quarters_at
from contracts.meta import Actor, Meta
from contracts.pipeline import Pipeline, Titles
from contracts.team import DEFAULT_TEAM, Team
from services.calendars import registry as calendars
from services.calendars.calendar import Calendar
from services.database import Database
from services.leads.domain.journal.counting import Escalating, Put
from services.leads.domain.journal.recording import Looked, incident_of, is_one, record
from services.leads.domain.journal.state import JournalState
from services.leads.domain.journal.words import Saying
from services.leads.work import CommandWork, Work
from services.pipelines import registry as pipelines
from services.teams import registry as teams

if TYPE_CHECKING:
    from services.leads.batch import LeadBatch

JOURNAL: Final = Actor(id="incident-journal", kind="system")
"""Who records what follows from a lead's event."""
_NOBODYS: Final = Team(team=DEFAULT_TEAM, titles=Titles(ru="Отдел продаж", en="Sales"))
"""Where no team was ever published: nobody is told by name."""


async def look_up(batch: LeadBatch, database: Database, work: Sequence[Work]) -> None:
    """The journals of those whose deadlines come to their end in this batch, all at once: tried one after the other, many
    people's journals that other batches hold would begin it again as often. Raises LocksMissedError."""
    people: set[str] = set()
    for piece in work:
        if isinstance(piece, CommandWork) and isinstance(piece.command.body, Fire):
            lead, fired = batch.lead(piece.command.lead), piece.command.body
            if lead is None or lead.responsible is None:
                continue
            if any(timer in lead.deadlines.open for timer in (fired.timer, *(due.timer for due in fired.also))):
                people.add(lead.responsible)
    if people:
        streams = {journal_of(person, quarter) for person in people for quarter in this_and_last(batch)}
        await batch.have(database, streams)
        batch.journals |= streams


async def follow_leads(batch: LeadBatch, database: Database) -> None:
    """Record what the piece of work at hand did that is an incident. Raises LocksMissedError."""
    happened, batch.happened = batch.happened, []
    for meta, event in happened:
        if meta.actor.kind != "import" and is_one(event):  # a fact of the past is nobody's miss
            await _record(batch, database, meta, event)


async def _record(batch: LeadBatch, database: Database, meta: Meta, event: Event) -> None:
    pipeline = await _version(batch, database, meta)
    team = await team_of(batch, database, pipeline)
    own = await calendar_of(batch, database, team.calendar)
    saying = saying_of(batch, own)
    named = event.calendar if isinstance(event, e.DeadlineMissed) else None
    lead = batch.lead(meta.stream)
    looked = Looked(
        stage=lead.stage if lead is not None else None,
        pipeline=pipeline,
        calendar=own if named is None else await calendar_of(batch, database, named.rpartition("@")[0]),
        head=team.head,
        now=batch.now,
        saying=saying,
    )
    recorded = incident_of(meta, event, looked)
    books = await books_of(batch, database, recorded.employee, this_and_last(batch))
    envelope = {
        "command": meta.command,
        "actor": JOURNAL,
        "happened_at": meta.happened_at,
        "correlation": meta.correlation,
        "causation": meta.event_id,
        "traceparent": meta.traceparent,
    }
    put(batch, record(books, recorded, rule_of(team, recorded.employee), batch.now, saying), envelope)


def put(batch: LeadBatch, puts: Iterable[Put], envelope: dict[str, Any]) -> None:
    """Put events in the journals they belong to."""
    for stream, event in tuple(puts):
        batch.record(stream, "incident", None, (event,), **envelope)


async def books_of(
    batch: LeadBatch, database: Database, employee: str, quarters: Iterable[str]
) -> Sequence[JournalState]:
    """The employee's journals of these quarters, those that there are, locked. Raises LocksMissedError."""
    streams = [journal_of(employee, quarter) for quarter in quarters]
    if wanted := set(streams) - batch.journals:
        await batch.have(database, wanted)
        batch.journals |= wanted
    return [book for stream in streams if (book := batch.journal(stream)) is not None]


def this_and_last(batch: LeadBatch) -> tuple[str, ...]:
    """The quarter of the batch's moment, and the one before it; around the turn also the one that other clocks show: teams of
    several zones take turns on the same streams then."""
    shown = quarters_at(batch.now)
    return quarter_before(shown[0]), *shown


def saying_of(batch: LeadBatch, calendar: Calendar) -> Saying:
    """How notices are worded."""
    settings = batch.settings
    return Saying("en" if settings.language == "en" else "ru", settings.public_url, calendar)


def rule_of(team: Team, employee: str) -> Escalating:
    """When the employee's misses escalate, and to whom."""
    return Escalating(team.escalation.misses, team.escalation.days, team.manager_of(employee))


async def team_of(batch: LeadBatch, database: Database, pipeline: Pipeline | None) -> Team:
    """The team that a pipeline gives its leads to; the default one where it names none, or one that is not there."""
    name = pipeline.assignment.team if pipeline is not None and pipeline.assignment is not None else DEFAULT_TEAM
    for each in (name, DEFAULT_TEAM):
        if each not in batch.teams:
            try:
                batch.teams[each] = (await teams.current(database, each))[0]
            except teams.NoSuchTeamError:
                continue
        return batch.teams[each]
    return _NOBODYS


async def calendar_of(batch: LeadBatch, database: Database, team: str) -> Calendar:
    """The calendar of a team in force; the batch's own where there is none of that team."""
    if team == batch.times.calendar.team:
        return batch.times.calendar
    try:
        return await calendars.current(database, team)
    except calendars.NoSuchCalendarError:
        return batch.times.calendar


async def _version(batch: LeadBatch, database: Database, meta: Meta) -> Pipeline | None:
    """The version that an event was decided under."""
    if meta.pipeline is None:
        return None
    name, _, number = meta.pipeline.rpartition("@")
    return await version_of(batch, database, name, int(number))


async def version_of(batch: LeadBatch, database: Database, name: str, number: int) -> Pipeline:
    """A version of a pipeline, also one that is only rehearsed."""
    unpublished = batch.unpublished.get((name, number))
    return unpublished if unpublished is not None else await pipelines.version(database, name, number)


def stream_version(batch: LeadBatch, stream: UUID) -> int:
    """Where a stream ends, as this batch knows it so far; 0 where it has not begun."""
    head = batch.heads.get(stream)
    return head.version if head is not None else 0

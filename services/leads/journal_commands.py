"""Step 5 of a batch for commands about incident journals: ask the domain, put down what follows (Q6, Q11, N20, decision 18).

Invariants: what only services send is taken from them alone; whatever a command looks at of an employee's journals is locked
first; a command that comes again gets its stored answer (`services.leads.effects`), another one of the same changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from contracts import commands as c
from contracts import events as e
from contracts import journal as j
from contracts.commands import CommandResult, Refusal
from services.calendars import registry as calendars
from services.calendars.calendar import Calendar
from services.database import Database
from services.leads import journals
from services.leads.answers import refuse, remember
from services.leads.domain.journal import judging, opening, restating
from services.leads.domain.journal.counting import quarters
from services.leads.domain.journal.judging import Decided, Judging
from services.leads.domain.journal.rules import against
from services.leads.domain.journal.state import Incident, JournalState
from services.leads.domain.rules import no_such_lead
from services.leads.reading import read_history
from services.leads.robots import machines_only
from services.leads.work import CommandWork, Done
from services.pipelines import registry as pipelines
from services.privacy.store import KeyRing

if TYPE_CHECKING:
    from services.leads.batch import LeadBatch

Opening = j.Raise | j.MakeDigest | j.AskCardReview
BODIES: Final[tuple[type[c.CommandBody], ...]] = (*j.JOURNAL_BODIES.values(), *j.JOURNAL_MACHINE_BODIES.values())
"""The commands that are about journals alone."""


async def carry_out(batch: LeadBatch, work: CommandWork, database: Database) -> Done:
    """A command about a journal, not answered before. Raises LocksMissedError."""
    command = work.command
    before = journals.stream_version(batch, command.lead)
    decided = await _decided(batch, command, database)
    if isinstance(decided, Refusal):
        return refuse(batch, work, decided, before)
    envelope = {
        "command": command.id,
        "actor": command.actor,
        "happened_at": command.happened_at or batch.now,
        "correlation": command.correlation or str(command.id),
        "causation": command.causation,
        "traceparent": command.traceparent,
    }
    journals.put(batch, decided, envelope)
    after = journals.stream_version(batch, command.lead)
    result = CommandResult(
        command=command.id,
        stream=command.lead,
        outcome="done",
        first_version=before + 1 if after > before else None,
        last_version=after or None,
        at=batch.now,
    )
    return remember(batch, work, result)


async def _decided(batch: LeadBatch, command: c.Command, database: Database) -> Decided:
    body = command.body
    if body.type in c.MACHINE_BODIES and command.actor.kind not in ("robot", "system"):
        return machines_only()
    if isinstance(body, Opening):
        return await _opened(batch, command, body, database)
    book = batch.journal(command.lead)
    if book is None:
        return against("Q6.known_journal")
    if command.expected_version not in (None, book.version):
        return judging.stale(book.version)
    if isinstance(body, j.Restate):
        return await _restated(batch, command, body, book, database)
    act = _ACTS.get(type(body))
    if act is None:
        return no_such_lead()
    return act(await _judging(batch, command, book, database), body)


async def _opened(batch: LeadBatch, command: c.Command, body: Opening, database: Database) -> Decided:
    employee = opening.whose(body)
    if not opening.fits(command.lead, employee, batch.now):
        return against("Q6.own_journal")
    team = await journals.team_of(batch, database, None)
    saying = journals.saying_of(batch, await journals.calendar_of(batch, database, team.calendar))
    books = await journals.books_of(batch, database, employee, journals.this_and_last(batch))
    if isinstance(body, j.Raise):
        rule = journals.rule_of(team, employee)
        return opening.raise_incident(command.lead, books, body, rule, batch.now, saying)
    if isinstance(body, j.MakeDigest):
        return opening.make_digest(command.lead, books, body, saying)
    return opening.ask_card_review(command.lead, books, body, saying)


async def _judging(batch: LeadBatch, command: c.Command, book: JournalState, database: Database) -> Judging:
    """What a command looks at: the rule of the team whose pipeline the incident is of, the journals around its due instant."""
    incident = _about(book, command.body)
    name = incident.recorded.pipeline if incident is not None else None
    pipeline = None
    if name is not None:
        if name not in batch.current:
            batch.current[name] = await pipelines.current(database, name)
        pipeline = batch.current[name][0]
    team = await journals.team_of(batch, database, pipeline)
    rule = journals.rule_of(team, book.employee)
    books = [book]
    if incident is not None:
        around = quarters(incident.due_at, rule.days, batch.now)
        books = list(await journals.books_of(batch, database, book.employee, {*around, book.quarter}))
    saying = journals.saying_of(batch, await journals.calendar_of(batch, database, team.calendar))
    return Judging(book, books, command.actor, rule, saying)


def _about(book: JournalState, body: c.CommandBody) -> Incident | None:
    """The incident that a command is about: the one it names, that of the notice it names, the last of the escalation."""
    incident: UUID | None = getattr(body, "incident", None)
    if isinstance(body, c.Report | c.Repeat) and (notice := book.notices.get(body.effect)) is not None:
        incident = notice.incident
    if isinstance(body, j.CloseEscalation) and (escalation := book.escalations.get(body.escalation)) is not None:
        incident = next((one for one in reversed(escalation.incidents) if one in book.incidents), None)
    return book.incidents.get(incident) if incident is not None else None


async def _restated(
    batch: LeadBatch, command: c.Command, body: j.Restate, book: JournalState, database: Database
) -> Decided:
    """N20: the verdict under a corrected calendar, with the lead's events."""
    incident = book.incidents.get(body.incident)
    if incident is None:
        return against("Q6.known_incident")
    if command.actor.kind != "person" or command.actor.role not in ("head", "ops"):
        return against("N20.by_head_or_ops")
    if not restating.is_restatable(incident):
        return against("N20.counted_in_a_calendar")
    calendar = await calendar_of(database, incident, body.calendar)
    if calendar is None:
        return against("N20.known_calendar")
    lead = incident.recorded.lead
    assert lead is not None, "is_restatable lets no other through"
    await batch.hold_streams(database, {lead})
    restated = restating.judged(incident, await facts_of(database, batch.ring, incident), calendar, batch.now)
    now = await _judging(batch, command, book, database)
    return tuple(
        restating.restate(now.books, book, incident, restated, calendar.version, body.reason, now.rule, now.saying)
    )


async def facts_of(database: Database, ring: KeyRing, incident: Incident) -> restating.Facts:
    """What a verdict on the incident is made from, as the store has it."""
    lead = incident.recorded.lead
    assert lead is not None, "only what a lead tells of is restated"
    history = await read_history(database, ring, lead)
    opened = history[0].data if history else None
    of_lead = await read_history(database, ring, opened.lead) if isinstance(opened, e.DealOpened) else []
    version = restating.version_of_miss(incident, history)
    pipeline = await pipelines.version(database, *version) if version is not None else None
    return restating.Facts(history, of_lead, pipeline)


async def calendar_of(database: Database, incident: Incident, number: int | None) -> Calendar | None:
    """The calendar that the incident's term was counted in, as it is now, or in a version; None where there is none."""
    team = (incident.recorded.calendar or "").rpartition("@")[0]
    try:
        if number is None:
            return await calendars.current(database, team)
        return await calendars.version(database, team, number)
    except calendars.NoSuchCalendarError:
        return None


_ACTS: Final[dict[type[c.CommandBody], Callable[[Judging, Any], Decided]]] = {
    j.Told: judging.told,
    j.Acknowledge: judging.acknowledge,
    j.Excuse: judging.excuse,
    j.CloseEscalation: judging.close_escalation,
    j.FinishCardReview: judging.finish_review,
    c.Report: judging.report,
    c.Repeat: judging.repeat,
}
"""What is done with a journal that there is, by the command's body."""

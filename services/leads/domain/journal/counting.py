"""What counts: the number of a strike, and the escalation that it opens or is added to (Q6, decision 18). Pure.

A miss counts when the person is told of it. Its number is how many told, counting misses, itself among them, lie in the period of
so many days that holds the most of them and holds it: by due instants, whatever order people were told in; a miss exactly as old
as the period counts still. The number stands from then on. Invariants: of an employee two escalations of which something is left
are further apart than a period; a miss is added once, to one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID, uuid5

from contracts import events as e
from contracts.journal import quarter_after, quarters_at
from services.leads.domain.journal.state import Escalation, Incident, JournalState
from services.leads.domain.journal.words import Saying

Books = Sequence[JournalState]
"""The journals of one employee that matter, one for each quarter that has any."""
Put = tuple[UUID, e.Event]
"""An event, and the journal it is put in."""


@dataclass(frozen=True, slots=True)
class Escalating:
    """The rule of the employee's team: how many misses in how many days, and who is told; None: nobody by name."""

    misses: int
    days: int
    manager: str | None


def incident_in(books: Books, incident: UUID) -> tuple[JournalState, Incident] | None:
    """The incident, and the journal that has it."""
    for book in books:
        if (found := book.incidents.get(incident)) is not None:
            return book, found
    return None


def strikes(books: Books) -> list[Incident]:
    """All that count now, in the order of their due instants."""
    found = [incident for book in books for incident in book.incidents.values() if incident.is_strike]
    return sorted(found, key=lambda incident: (incident.due_at, incident.recorded.incident.bytes))


def fullest(due_at: datetime, others: Sequence[datetime], days: int) -> tuple[datetime, int]:
    """The period around an instant that holds the most of these instants: when it begins, and how many of them it holds; of
    several the latest."""
    length = timedelta(days=days)
    near = [other for other in others if abs(other - due_at) <= length]
    begins = sorted({due_at, *(other for other in near if other < due_at)}, reverse=True)
    counted = [(begin, sum(begin <= other <= begin + length for other in near)) for begin in begins]
    return max(counted, key=lambda pair: pair[1])


def number(books: Books, incident: Incident, days: int) -> tuple[int, tuple[UUID, ...]]:
    """Which strike of its period an incident would be, and the strikes of it, itself last."""
    others = [other for other in strikes(books) if other.recorded.incident != incident.recorded.incident]
    begin, count = fullest(incident.due_at, [other.due_at for other in others], days)
    end = begin + timedelta(days=days)
    within = (other.recorded.incident for other in others if begin <= other.due_at <= end)
    return count + 1, (*within, incident.recorded.incident)


def tell(books: Books, incident: UUID, via: Literal["app", "mail"], rule: Escalating, saying: Saying) -> Iterator[Put]:
    """The person was told of an incident: it counts from now on, and escalates where it is the Nth. Nothing where they were
    told before."""
    found = incident_in(books, incident)
    assert found is not None, "the caller has looked"
    book, known = found
    if known.told is not None:
        return
    strike, within = number(books, known, rule.days) if known.counts else (None, ())
    yield book.stream, e.IncidentTold(incident=incident, via=via, strike=strike, of=rule.misses, days=rule.days)
    if strike is not None:
        yield from escalate(books, book, replace(known, strike=strike), within, rule, saying)


def escalate(
    books: Books, book: JournalState, incident: Incident, within: tuple[UUID, ...], rule: Escalating, saying: Saying
) -> Iterator[Put]:
    """What a strike means for the employee's escalations. `within`: the strikes of its period, itself last."""
    assert incident.strike is not None, "only a strike escalates"
    about = incident.recorded.incident
    if (running := covering(books, incident.due_at)) is not None:
        where, escalation = running
        if about in escalation.incidents:  # it counted before, was restated, and counts again
            return
        yield (
            where.stream,
            e.EscalationExtended(escalation=escalation.escalation, incident=about, strike=incident.strike),
        )
        yield from _notice(where, escalation, escalation.to, incident, (incident,), saying)
        return
    if incident.strike < rule.misses:
        return
    opened = e.EscalationOpened(
        escalation=_new_id(book, about),
        employee=book.employee,
        to=rule.manager,
        strike=incident.strike,
        incidents=within,
        days=rule.days,
    )
    yield book.stream, opened
    made = Escalation(opened.escalation, incident.due_at, rule.days, within, rule.manager)
    listed = [found[1] for one in within if (found := incident_in(books, one)) is not None]
    yield from _notice(book, made, rule.manager, incident, listed, saying)


def _new_id(book: JournalState, incident: UUID) -> UUID:
    """The id of the escalation that an incident opens; a further one where nothing was left of the one before."""
    name = "escalation"
    while (escalation := uuid5(incident, name)) in book.escalations:
        name += "+"
    return escalation


def _notice(
    where: JournalState,
    escalation: Escalation,
    to: str | None,
    incident: Incident,
    listed: Sequence[Incident],
    saying: Saying,
) -> Iterator[Put]:
    if to is None:
        return
    assert incident.strike is not None, "only a strike escalates"
    subject, text = saying.escalation(where.employee, incident.strike, escalation.days, listed)
    requested = e.NoticeRequested(
        effect=uuid5(escalation.escalation, f"notice:{incident.recorded.incident}"),
        to=to,
        about="escalation",
        incident=incident.recorded.incident,
        escalation=escalation.escalation,
        language=saying.language,
        subject=subject,
        text=text,
    )
    yield where.stream, requested


def covering(books: Books, due_at: datetime) -> tuple[JournalState, Escalation] | None:
    """The escalation that a miss due then belongs to, with its journal; of several the one whose opening is nearest."""
    found = [
        (book, escalation) for book in books for escalation in book.escalations.values() if escalation.covers(due_at)
    ]
    return min(found, key=lambda pair: (abs(pair[1].due_at - due_at), pair[1].escalation.bytes), default=None)


def emptied(books: Books, gone: UUID) -> Iterator[Put]:
    """The open escalations of an incident that counts no more, of which nothing is left without it: they are closed. One that
    reaches back further than these journals is left alone."""
    counting = {strike.recorded.incident for strike in strikes(books)} - {gone}
    for book in books:
        for escalation in book.escalations.values():
            if escalation.closed is not None or gone not in escalation.incidents:
                continue
            known = all(incident_in(books, one) is not None for one in escalation.incidents)
            if known and not counting & set(escalation.incidents):
                yield book.stream, e.EscalationClosed(escalation=escalation.escalation, by="nothing_left")


def quarters(due_at: datetime, days: int, now: datetime) -> list[str]:
    """The quarters whose journals may hold a miss, or an escalation, that has to do with one due then: what is added to an
    escalation lies a period from its opening, and that a period from what it counted. A journal's misses were recorded in its
    quarter, on whichever clock, so none is older than that."""
    found, last = [quarters_at(due_at - timedelta(days=2 * days))[0]], quarters_at(now)[-1]
    while found[-1] < last:
        found.append(quarter_after(found[-1]))
    return found

"""The incident journal from outside: its streams, and the commands about them (Q5, Q6, Q9, D6, decision 7).

A journal is a stream for each employee and quarter of the year, as the clock of the team shows it; `Command.lead` is the stream.
Invariants: ids follow from what
they are about, so whoever records twice records once; what only the services send is in `JOURNAL_MACHINE_BODIES`."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Annotated, Final, Literal
from uuid import UUID, uuid5

from pydantic import AwareDatetime, Field

from contracts.command_parts import CommandBody, Name, Person
from contracts.events.incident import IncidentKind

JOURNALS: Final = UUID("6f2f3a52-7c6b-5d0e-9a55-0d6d3a0e1c77")
"""Namespace of the journals' stream ids."""
FURTHEST: Final = timedelta(days=1)
"""No wall clock is further from UTC than this."""
Note = Annotated[str, Field(min_length=1, max_length=2_000)]
"""A word on an incident; not the place for a client's data: it is kept for ever."""


def quarter_of(moment: datetime, zone: tzinfo = UTC) -> str:
    """The quarter of the year that a wall clock shows at an instant: `2026-Q4`."""
    local = moment.astimezone(zone)
    return f"{local.year}-Q{(local.month + 2) // 3}"


def quarter_before(quarter: str) -> str:
    """The one before it."""
    year, number = int(quarter[:4]), int(quarter[6])
    return f"{year}-Q{number - 1}" if number > 1 else f"{year - 1}-Q4"


def quarter_after(quarter: str) -> str:
    """The one after it."""
    year, number = int(quarter[:4]), int(quarter[6])
    return f"{year}-Q{number + 1}" if number < 4 else f"{year + 1}-Q1"


def quarters_at(moment: datetime) -> tuple[str, ...]:
    """The quarters that wall clocks show at an instant, wherever they stand: one, or two around the turn."""
    first, last = quarter_of(moment - FURTHEST), quarter_of(moment + FURTHEST)
    return (first,) if first == last else (first, last)


def journal_of(employee: str, quarter: str) -> UUID:
    """The stream of an employee's journal."""
    return uuid5(JOURNALS, f"{quarter}:{employee}")


def quarter_of_journal(stream: UUID, employee: str, moment: datetime) -> str | None:
    """Which quarter of an employee's a stream is the journal of, of those that may be written to at an instant: what some wall
    clock shows then, or the one before; None: it is none of these. It needs no calendar, so that whoever reads the log finds the
    same whatever became of calendars and teams since."""
    shown = quarters_at(moment)
    for quarter in (*shown, quarter_before(shown[0])):
        if journal_of(employee, quarter) == stream:
            return quarter
    return None


class Told(CommandBody):
    """Q6: the notice of an incident was shown to the employee in the application. Sent in their own name."""

    type: Literal["told"] = "told"
    incident: UUID


class Acknowledge(CommandBody):
    """The employee takes note."""

    type: Literal["acknowledge"] = "acknowledge"
    incident: UUID
    comment: Note | None = None


class Excuse(CommandBody):
    """Q6: the head excuses it: it counts no more."""

    type: Literal["excuse"] = "excuse"
    incident: UUID
    reason: Note


class Restate(CommandBody):
    """N20: the verdict is made anew under a corrected calendar: the one in force, or a version of it."""

    type: Literal["restate"] = "restate"
    incident: UUID
    calendar: Annotated[int, Field(ge=1)] | None = None
    """Number of the version; left out: the one in force."""
    reason: Note


class CloseEscalation(CommandBody):
    """Q6: the manager has dealt with it."""

    type: Literal["close_escalation"] = "close_escalation"
    escalation: UUID
    comment: Note | None = None


class FinishCardReview(CommandBody):
    """Q11: the head has looked the card over."""

    type: Literal["finish_card_review"] = "finish_card_review"
    review: UUID
    comment: Note | None = None


class Raise(CommandBody):
    """An incident that no lead's stream tells of: a channel that fell silent, a letter given up. Sent by the incidents
    service."""

    type: Literal["raise"] = "raise"
    incident: UUID
    kind: IncidentKind
    employee: Person
    rule: Annotated[str, Field(min_length=1, max_length=200)]
    due_at: AwareDatetime
    lead: UUID | None = None
    text: Annotated[str, Field(min_length=1, max_length=1_000)]


class MakeDigest(CommandBody):
    """D6: the day's list for a head. Sent by the incidents service; `text` names leads by their links, nobody's data."""

    type: Literal["make_digest"] = "make_digest"
    head: Person
    team: Name
    day: date
    people: dict[Person, int]
    subject: Annotated[str, Field(min_length=1, max_length=300)]
    text: Annotated[str, Field(min_length=1, max_length=20_000)]


class AskCardReview(CommandBody):
    """Q11: three months are over: the head is asked to look the card of a pipeline over. Sent by the incidents service."""

    type: Literal["ask_card_review"] = "ask_card_review"
    review: UUID
    head: Person
    pipeline: Name
    period_start: date
    period_end: date


JournalBody = (
    Told | Acknowledge | Excuse | Restate | CloseEscalation | FinishCardReview | Raise | MakeDigest | AskCardReview
)
JOURNAL_BODIES: Final[dict[str, type[CommandBody]]] = {
    "told": Told,
    "acknowledge": Acknowledge,
    "excuse": Excuse,
    "restate": Restate,
    "close_escalation": CloseEscalation,
    "finish_card_review": FinishCardReview,
}
"""Body by the command's name in `POST /api/incidents/{id}/commands/{name}`."""
JOURNAL_MACHINE_BODIES: Final[dict[str, type[CommandBody]]] = {
    "raise": Raise,
    "make_digest": MakeDigest,
    "ask_card_review": AskCardReview,
}
"""What only the incidents service sends, on `leads.commands`."""

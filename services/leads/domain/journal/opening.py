"""What the incidents service has a journal begin or go on with: incidents of no lead, the head's digest, a card's review. Pure.

Invariants: each goes to the journal of whom it is about, of the quarter that some wall clock shows when it is recorded, or the
one before; ids follow from what it is about, so a command that comes again, or another one of the same, records nothing twice.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from contracts import events as e
from contracts import journal as j
from contracts.journal import quarter_of_journal
from services.leads.domain.journal.counting import Books, Escalating, Put, incident_in
from services.leads.domain.journal.recording import NOBODY, notice
from services.leads.domain.journal.words import Saying, working_seconds

CAUSES: Final = {"silent_channel": "channel", "dead_letter": "provider"}
"""By the kind of an incident that no lead tells of; all others are of nobody."""


def whose(body: j.Raise | j.MakeDigest | j.AskCardReview) -> str:
    """Whose journal it goes to."""
    return body.employee if isinstance(body, j.Raise) else body.head


def fits(stream: UUID, employee: str, now: datetime) -> bool:
    """Whether the stream is a journal of this employee that is written now."""
    return quarter_of_journal(stream, employee, now) is not None


def raise_incident(
    stream: UUID, books: Books, body: j.Raise, rule: Escalating, now: datetime, saying: Saying
) -> tuple[Put, ...]:
    """An incident that no lead's stream tells of; it counts for nobody."""
    if incident_in(books, body.incident) is not None:
        return ()
    recorded = e.IncidentRecorded.model_validate(
        {
            "incident": body.incident,
            "incident_kind": body.kind,
            "employee": body.employee,
            "lead": body.lead,
            "rule": body.rule,
            "due_at": body.due_at,
            "missed_s": working_seconds(saying.calendar, body.due_at, now, None),
            "cause": CAUSES.get(body.kind, "nobody_responsible"),
            "counts": False,
            "text": body.text,
        }
    )
    if body.employee == NOBODY:
        return ((stream, recorded),)
    subject, text = saying.incident(recorded, rule.misses, rule.days)
    effect = uuid5(body.incident, "notice")
    return (stream, recorded), (stream, notice(effect, body.employee, body.incident, saying, subject, text))


def make_digest(stream: UUID, books: Books, body: j.MakeDigest, saying: Saying) -> tuple[Put, ...]:
    """D6: the day's list for a head, once."""
    if any((body.team, body.day) in book.digests for book in books):
        return ()
    made = e.DigestMade(team=body.team, day=body.day, overdue=sum(body.people.values()), people=body.people)
    requested = e.NoticeRequested(
        effect=uuid5(stream, f"digest:{body.team}:{body.day}"),
        to=body.head,
        about="digest",
        language=saying.language,
        subject=body.subject,
        text=body.text,
    )
    return (stream, made), (stream, requested)


def ask_card_review(stream: UUID, books: Books, body: j.AskCardReview, saying: Saying) -> tuple[Put, ...]:
    """Q11: the head is asked to look a card over, once."""
    if any(body.review in book.reviews for book in books):
        return ()
    due = e.CardReviewDue(
        review=body.review, pipeline=body.pipeline, period_start=body.period_start, period_end=body.period_end
    )
    subject, text = saying.card_review(body.pipeline, body.period_start, body.period_end)
    requested = e.NoticeRequested(
        effect=uuid5(body.review, "notice"),
        to=body.head,
        about="card_review",
        language=saying.language,
        subject=subject,
        text=text,
    )
    return (stream, due), (stream, requested)

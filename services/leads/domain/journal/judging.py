"""What people say of an incident, and what becomes of notices: told, acknowledged, excused, closed, reported (Q6). Pure.

Invariants: only the employee takes note, in their own name; only a head or their manager excuses and closes; what is said twice
changes nothing or is refused. Everything returned is to be put down in one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contracts import commands as c
from contracts import events as e
from contracts import journal as j
from contracts.commands import Refusal
from contracts.meta import Actor
from services.leads.domain.journal.counting import Books, Escalating, Put, emptied, tell
from services.leads.domain.journal.rules import against
from services.leads.domain.journal.state import JournalState
from services.leads.domain.journal.words import Saying

Decided = tuple[Put, ...] | Refusal


@dataclass(frozen=True, slots=True)
class Judging:
    """What a command about a journal looks at: the journal it names, the employee's journals around it, and the team's rule."""

    book: JournalState
    books: Books
    actor: Actor
    rule: Escalating
    saying: Saying


def told(now: Judging, body: j.Told) -> Decided:
    """Q6: the application showed it to the employee."""
    if (refusal := _of_ones_own(now, body)) is not None:
        return refusal
    return tuple(tell(now.books, body.incident, "app", now.rule, now.saying))


def acknowledge(now: Judging, body: j.Acknowledge) -> Decided:
    """The employee takes note: with that they know."""
    if (refusal := _of_ones_own(now, body)) is not None:
        return refusal
    if now.book.incidents[body.incident].acknowledged:
        return against("Q6.acknowledged_once")
    noted = e.IncidentAcknowledged(incident=body.incident, comment=body.comment)
    return (*tell(now.books, body.incident, "app", now.rule, now.saying), (now.book.stream, noted))


def _of_ones_own(now: Judging, body: j.Told | j.Acknowledge) -> Refusal | None:
    if body.incident not in now.book.incidents:
        return against("Q6.known_incident")
    if now.actor.kind != "person" or now.actor.id != now.book.employee:
        return against("Q6.in_ones_own_name")
    return None


def excuse(now: Judging, body: j.Excuse) -> Decided:
    """Q6: it counts no more; an escalation of which nothing is left is closed."""
    incident = now.book.incidents.get(body.incident)
    if incident is None:
        return against("Q6.known_incident")
    if (refusal := _not_by_head(now)) is not None:
        return refusal
    if incident.recorded.counts and now.actor.id == now.book.employee:
        return against("Q6.not_ones_own")
    if incident.excused:
        return against("Q6.excused_once")
    excused = e.IncidentExcused(incident=body.incident, reason=body.reason)
    return ((now.book.stream, excused), *emptied(now.books, body.incident))


def close_escalation(now: Judging, body: j.CloseEscalation) -> Decided:
    """Q6: the manager has dealt with it."""
    escalation = now.book.escalations.get(body.escalation)
    if escalation is None:
        return against("Q6.known_escalation")
    if (refusal := _not_by_head(now)) is not None:
        return refusal
    if escalation.closed is not None:
        return against("Q6.open_escalation")
    closed = e.EscalationClosed(escalation=body.escalation, by="manager", comment=body.comment)
    return ((now.book.stream, closed),)


def finish_review(now: Judging, body: j.FinishCardReview) -> Decided:
    """Q11: the head has looked the card over."""
    done = now.book.reviews.get(body.review)
    if done is None:
        return against("Q11.known_review")
    if now.actor.id != now.book.employee and (refusal := _not_by_head(now)) is not None:
        return refusal
    if done:
        return against("Q11.open_review")
    return ((now.book.stream, e.CardReviewDone(review=body.review, comment=body.comment)),)


def _not_by_head(now: Judging) -> Refusal | None:
    """Whether who acts is neither a head, nor an operator, nor the employee's manager."""
    actor = now.actor
    if actor.kind == "person" and (actor.role in ("head", "ops") or actor.id == now.rule.manager):
        return None
    return against("Q6.by_the_head")


def report(now: Judging, body: c.Report) -> Decided:
    """What the delivery service says of a notice: once it is done the person is told. Nothing where that is known already."""
    notice = now.book.notices.get(body.effect)
    if notice is None:
        return against("Q6.known_notice")
    if notice.state == "done" or (notice.state == "failed" and body.outcome == "failed"):
        return ()
    stream = now.book.stream
    if body.outcome == "failed":
        failed = e.NoticeFailed(
            effect=body.effect,
            attempts=body.attempts,
            provider=body.provider,
            reason=body.reason or "",
            doubtful=body.doubtful,
        )
        return ((stream, failed),)
    done = e.NoticeDone(
        effect=body.effect,
        attempts=max(1, body.attempts),
        provider=body.provider,
        provider_id=body.provider_id,
        doubtful=body.doubtful,
    )
    reached: Sequence[Put] = ()
    if notice.about == "incident" and notice.incident is not None and notice.incident in now.book.incidents:
        reached = tuple(tell(now.books, notice.incident, "mail", now.rule, now.saying))
    return ((stream, done), *reached)


def repeat(now: Judging, body: c.Repeat) -> Decided:
    """A person wants a notice tried once more that could not be told."""
    notice = now.book.notices.get(body.effect)
    if notice is None:
        return against("Q6.known_notice")
    if notice.state != "failed":
        return against("Q6.only_what_failed")
    return ((now.book.stream, e.NoticeRepeated(effect=body.effect, to=notice.to)),)


def stale(version: int) -> Refusal:
    """The refusal of a command that saw the journal otherwise than it is (K2)."""
    return Refusal(
        rules=("K2.current_version",),
        ru=f"Журнал изменился: версия {version}. Откройте его ещё раз.",
        en=f"The journal has changed: it is at version {version}. Open it again.",
        status=409,
    )

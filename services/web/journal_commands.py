"""Commands about the incident journal in a person's name: whose they are, and to which stream they go (Q6, Q11, N20).

Invariants: an employee is told, and takes note, in their own name alone; a head excuses, restates and closes. The stream is that
of the incident, escalation or card review as the projection `incidents` has it, so what it has not seen yet is answered 404 with
the way out: repeat it in a moment.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from contracts.commands import Command, CommandResult
from contracts.journal import JOURNAL_BODIES
from projections.incidents import heads, reading
from services.database import Database
from services.web.door import Door
from services.web.forwarding import command_id
from services.web.problems import ProblemError
from services.web.tokens import COMMAND, JUDGE, Holder

OWN: Final = frozenset({"told", "acknowledge"})
"""Commands that an employee gives about their own incidents."""
ABOUT: Final = {
    "told": "incident",
    "acknowledge": "incident",
    "excuse": "incident",
    "restate": "incident",
    "close_escalation": "escalation",
    "finish_card_review": "review",
}
"""What the id of each command names; in the body it stands under this name."""


async def carry_out_journal(
    door: Door, holder: Holder, name: str, about: UUID, given: dict[str, object], *, key: str | None
) -> CommandResult:
    """Forward a command about an incident, escalation or card review. Raises ProblemError: 403, 404, 422, 503, 500, and
    ValidationError for a body that does not fit."""
    if name in OWN:
        holder.must(COMMAND, "be told of incidents")
    else:
        holder.must(JUDGE, "judge incidents")
    body = JOURNAL_BODIES[name].model_validate({**given, ABOUT[name]: about})
    async with door.pool.acquire() as connection:
        journal, employee = await _journal(connection, door, ABOUT[name], about)
    if name in OWN and employee != holder.name:
        raise ProblemError(
            403,
            "not-yours",
            f"this incident is {employee}'s: only they are told of it and take note of it",
            extra={"employee": employee},
        )
    actor = holder.actor
    return await door.leads.command(Command(id=command_id(actor, key), lead=journal, actor=actor, body=body))


async def _journal(connection: Database, door: Door, what: str, about: UUID) -> tuple[UUID, str | None]:
    """The stream it stands on, and whose it is where it is somebody's."""
    if what == "incident" and (incident := await reading.incident(connection, about)) is not None:
        return incident.journal, incident.employee
    if what == "escalation" and (escalation := await heads.escalation(connection, about)) is not None:
        return escalation.journal, escalation.employee
    if what == "review":
        reviews = await heads.card_reviews(connection, None, await door.clock.now(), open_only=False)
        found = next((review for review in reviews if review.review == about), None)
        if found is not None:
            return found.journal, None
    raise no_such(what)


def no_such(what: str = "incident") -> ProblemError:
    """404 for an incident, escalation or card review."""
    return ProblemError(
        404,
        f"no-such-{what}",
        f"there is no {what} of this id, or the read side has not seen it yet; if it is new, ask again in a moment",
    )

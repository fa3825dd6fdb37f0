"""The page behind the link of a letter that ends letters, and the one click of mail programs (C7, RFC 8058).

Invariants: it needs no session, only a token that we made; looking changes nothing, because mail programs and virus scanners
open links by themselves; posting records the refusal of the person behind the lead, of whichever lead that one was merged into.
The page says nothing of the person, not even whether they are still known: an erased person reads the same thanks.
"""

from __future__ import annotations

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from contracts.commands import Command, Permit
from contracts.meta import Actor
from services.channels.limits import peer_of
from services.leads.reading import lead_state
from services.privacy.unsubscribing import Unsubscribing, read_token
from services.web.door import Door, TheDoor
from services.web.forwarding import command_id
from services.web.pages import render_plain
from services.web.problems import ProblemError

CLIENT = Actor(id="unsubscribe-link", kind="client")
NOBODY_LEFT = frozenset({"M7.not_erased", "K2.lead_exists"})
"""Rules by which a command is refused when nobody is left to whom a letter could go."""
MERGED = "N16.not_merged"
MERGES = 10
"""How many merges of the lead are followed."""

router = APIRouter()
log = structlog.get_logger(__name__)


@router.get("/unsubscribe/{token}")
async def unsubscribe_page(request: Request, door: TheDoor, token: str) -> HTMLResponse:
    """Ask whether it is meant."""
    said = _of(door, token)
    return render_plain(request, "unsubscribe.html", channel=said.channel, done=False)


@router.post("/unsubscribe/{token}")
async def unsubscribe(request: Request, door: TheDoor, token: str) -> HTMLResponse:
    """End the letters. Whatever is posted: our page's form, and a mail program's `List-Unsubscribe=One-Click`, which comes from
    elsewhere and without cookies (RFC 8058 3.2)."""
    said = _of(door, token)
    if wait := door.peer_limit.take(f"peer:{peer_of(request.client.host if request.client else None)}"):
        raise ProblemError(
            429, "too-many", f"too many at once; come back in {wait} s", headers={"Retry-After": str(wait)}
        )
    await _record(door, said)
    return render_plain(request, "unsubscribe.html", channel=said.channel, done=True)


def _of(door: Door, token: str) -> Unsubscribing:
    said = read_token(door.settings.pepper_bytes, token)
    if said is None:
        raise ProblemError(
            404, "no-such-path", "there is nothing at this path; the link may have been cut off on its way"
        )
    return said


async def _record(door: Door, said: Unsubscribing) -> None:
    """Record the refusal. Raises ProblemError (503) when it could not be, so that the mail program comes again.

    A command of its own at every click, because who allowed letters again after a first click may end them by the same link. The
    rules make no second event of what is said already (`services.leads.domain.people.permit`).
    """
    lead, rules = said.lead, tuple[str, ...]()
    for _ in range(MERGES):
        body = Permit(channel=said.channel, allowed=False, how="link")
        result = await door.leads.command(Command(id=command_id(CLIENT, None), lead=lead, actor=CLIENT, body=body))
        rules = result.refusal.rules if result.refusal else ()
        if result.outcome == "done" or NOBODY_LEFT & set(rules):
            return
        if MERGED not in rules:
            break
        async with door.pool.acquire() as connection:
            state = await lead_state(connection, door.ring, lead)
        lead = state.merged_into or lead if state is not None else lead
    log.error("a refusal by link could not be recorded", rules=rules)
    raise ProblemError(
        503, "away", "this could not be recorded at the moment; try again", headers={"Retry-After": "60"}
    )

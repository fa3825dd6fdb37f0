"""`leadline erase PERSON`: makes a person's data unreadable everywhere, history and numbers stay (M7).

PERSON is a contact's or a company's id, or a phone or e-mail that finds exactly one person. Goes through the aggregate service's
door, like every change. Invariants: asked for on a terminal unless `--yes`; a repeat after a lost answer uses the same command
id; the phone or e-mail typed is not printed, logged or sent anywhere.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal
from uuid import UUID, uuid4

from services.ops.asking import REQUEST_SECONDS, ask
from services.ops.place import OpsError, Place
from services.ops.terminal import user

if TYPE_CHECKING:
    from contracts.commands import CommandResult, EraseContact
    from services.settings import Settings

Reason = Literal["asked", "retention", "by_hand"]


async def erase(place: Place, person: str, reason: Reason, yes: bool) -> int:
    """Erase a person; the exit status (1 when it was refused). Raises OpsError when nobody or several are meant."""
    from contracts.commands import EraseContact
    from contracts.meta import Actor

    settings = place.settings()
    contact = await _contact(settings, person)
    if not yes and not _confirmed(contact):
        print("nothing was erased", file=sys.stderr)
        return 1
    command = EraseContact(
        id=uuid4(),
        contact=contact,
        actor=Actor(id=user(), kind="person", role="ops"),
        reason=reason,
    )
    result = await _send(settings, command)
    if result.outcome == "done":
        print(f"erased: {contact}, in event {contact}-{result.last_version}")
        return 0
    print(f"refused: {result.refusal.en if result.refusal else result.outcome}", file=sys.stderr)
    return 1


async def _contact(settings: Settings, person: str) -> UUID:
    try:
        return UUID(person)
    except ValueError:
        pass
    from services.leads.domain.identities import normalise_email, normalise_phone
    from services.ops import store
    from services.ops.connect import ops_connection
    from services.privacy.cipher import identity_hmac

    phone, email = normalise_phone(person, settings.default_region), normalise_email(person)
    named = [(kind, value) for kind, value in (("phone", phone), ("email", email)) if value]
    if not named:
        raise OpsError("PERSON is neither an id of a contact or company nor a phone or e-mail that can be read")
    async with ops_connection(settings) as connection:
        found = await store.contacts_of(connection, [identity_hmac(settings.pepper_bytes, *pair) for pair in named])
    if len(found) != 1:
        raise OpsError(
            "nobody is known by that phone or e-mail" if not found else "several people are meant: give an id"
        )
    return found[0]


def _confirmed(contact: UUID) -> bool:
    if not sys.stdin.isatty():
        raise OpsError("erasing cannot be undone; say --yes when there is no terminal to ask on")
    answer = input(f"Erase all data of {contact}? This cannot be undone. Type yes: ")
    return answer.strip().lower() in ("yes", "да")


async def _send(settings: Settings, command: EraseContact) -> CommandResult:
    import httpx

    url = settings.leads_url
    headers = {
        "Authorization": f"Bearer {settings.internal_token.get_secret_value()}",
        "Content-Type": "application/json",
    }
    otherwise = f"the aggregate service at {url} did not do it ({{problem}}); is the system up?"
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=REQUEST_SECONDS, trust_env=False) as client:
        return await ask(client, "/erase", command, otherwise)

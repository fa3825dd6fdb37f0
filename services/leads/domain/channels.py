"""How each channel's body is read: what it says of its sender, what finds that person, what it names (C3, K5).

One reader per channel in one table, `READERS`; nothing else knows the bodies' fields but the rules that are about one channel
(`inbound_rules`). Pure and total: a body of the contract is always read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from contracts.events import IdentityKind
from contracts.inbound import CallBody, FormBody, MailBody, MessageBody, VisitBody, is_sane
from services.leads.domain.arrivals import ReferenceKind, Said
from services.leads.domain.identities import normalise_email, normalise_phone

Found = tuple[IdentityKind, str]
Name = tuple[ReferenceKind, str]

HIDDEN = frozenset(
    {"", "anonymous", "hidden", "private", "restricted", "unavailable", "unknown", "withheld", "скрыт", "скрытый"}
)
"""What telephone systems write for a number that the caller keeps back."""
UNSHOWABLE = re.compile(r"[\x00-\x1f\x7f]")
INTERNAL_DIGITS = 6
"""A number with so few digits is one of our own telephone system."""
VISITOR_FIELD = "visitor_id"
"""The further field of a form that names the browser, as the web counter of the site does."""


@dataclass(frozen=True, slots=True)
class Understood:
    """A body, read."""

    said: Said
    identities: tuple[Found, ...] = ()
    own: tuple[Name, ...] = ()
    names: tuple[Name, ...] = ()


@dataclass(frozen=True, slots=True)
class Reader:
    """A channel's body model, and the function (body, account, region) that reads one."""

    model: type[BaseModel]
    read: Callable[[Any, str, str], Understood]


def _form(body: FormBody, account: str, region: str) -> Understood:
    phone, email = normalise_phone(body.phone, region), normalise_email(body.email)
    said = Said(
        source=plain(body.source or account),
        name=body.name,
        company=body.company,
        phone=phone or body.phone,
        email=email or body.email,
        comment=body.comment,
        fields=body.fields,
        occurred_at=body.occurred_at,
    )
    visitor = body.fields.get(VISITOR_FIELD, "").strip()
    return Understood(said, _found(("phone", phone), ("email", email), ("visitor", visitor[:200] or None)))


def _call(body: CallBody, account: str, region: str) -> Understood:
    number = normalise_phone(client_number(body), region) if not is_internal(body) else None
    said = Said(source=account, phone=number or client_number(body) or None, occurred_at=body.started_at)
    call: Name = ("call", f"{account}:{body.call_id}")
    names: tuple[Name, ...] = (call, ("line", number)) if number else (call,)
    return Understood(said, _found(("phone", number)), own=names, names=names)


def _message(body: MessageBody, account: str, region: str) -> Understood:
    phone = normalise_phone(body.phone, region)
    said = Said(
        source=plain(body.channel),
        name=body.name,
        phone=phone or body.phone,
        comment=body.text,
        occurred_at=body.occurred_at,
    )
    return Understood(said, _found(("messenger", f"{body.channel}:{account}:{body.sender_id}"), ("phone", phone)))


def _visit(body: VisitBody, account: str, region: str) -> Understood:
    email = normalise_email(body.identity) if "@" in body.identity else None
    phone = normalise_phone(body.identity, region) if looks_like_phone(body.identity) else None
    visitor = None if email or phone else body.identity.strip() or None
    said = Said(source=account, phone=phone, email=email, occurred_at=body.at)
    return Understood(said, _found(("phone", phone), ("email", email), ("visitor", visitor)))


def _mail(body: MailBody, account: str, region: str) -> Understood:
    del region
    if body.kind == "bounce":
        addresses = [normalise_email(bounced.address) for bounced in body.bounced]
        found = _found(*(("email", address) for address in dict.fromkeys(addresses)))
        return Understood(Said(source=account, occurred_at=_sent(body)), found, names=_thread(body))
    sender, answer = normalise_email(body.sender), normalise_email(body.reply_to)
    foreign = answer is not None and sender is not None and _domain(answer) != _domain(sender)
    # A site's mailer writes from an address of its own and names the client in Reply-To: the mailer is nobody's identity.
    addresses = [answer] if foreign else [sender, answer if answer != sender else None]
    said = Said(
        source=account,
        name=None if foreign else body.sender_name,
        email=addresses[0] or body.sender,
        comment=body.text,
        occurred_at=_sent(body),
    )
    own: tuple[Name, ...] = ()
    if body.message_id and body.kind == "letter":
        own = (("letter", body.message_id), ("copy", f"{body.message_id} {sender or body.sender}"))
    found = _found(*(("email", address) for address in addresses))
    return Understood(said, found, own, names=(*own[1:], *_thread(body)))


def _sent(body: MailBody) -> datetime | None:
    """When a letter says it was written; mail programs say all sorts of things."""
    return body.sent_at if body.sent_at is not None and is_sane(body.sent_at) else None


def _thread(body: MailBody) -> tuple[Name, ...]:
    """What a letter names, the surest first: the token in our address, the letter it answers, those before it, the newest
    first."""
    ids = [body.in_reply_to, *reversed(body.references)]
    named: list[Name] = [("thread", body.thread.lower())] if body.thread else []
    named += [("letter", message_id) for message_id in dict.fromkeys(ids) if message_id]
    return tuple(named)


READERS: dict[str, Reader] = {
    "form": Reader(FormBody, _form),
    "call": Reader(CallBody, _call),
    "message": Reader(MessageBody, _message),
    "visit": Reader(VisitBody, _visit),
    "mail": Reader(MailBody, _mail),
}


def client_number(body: CallBody) -> str:
    """The client's side of a call, as given."""
    return (body.from_ if body.direction == "in" else body.to).strip()


def is_hidden(body: CallBody) -> bool:
    """Whether the caller kept the number back."""
    return client_number(body).casefold() in HIDDEN


def is_internal(body: CallBody) -> bool:
    """Whether the other side is a line of our own telephone system."""
    number = client_number(body)
    digits = re.sub(r"\D", "", number)
    return 0 < len(digits) <= INTERNAL_DIGITS and not re.search(r"[^\d\s()*#\-]", number)


def looks_like_phone(text: str) -> bool:
    """Whether a text of a visit may be a phone: one begins with + or is of digits and signs alone, with ten digits at least.

    A counter's id of digits alone would else be somebody's number."""
    digits = sum(letter.isdecimal() for letter in text)
    return bool(re.fullmatch(r"\s*\+?[\d\s()\-.]+", text)) and (text.strip().startswith("+") or 10 <= digits <= 11)


def plain(text: str) -> str:
    """A stranger's text for what stands in the clear: no control characters, at most 200 characters."""
    return UNSHOWABLE.sub(" ", text)[:200]


def _found(*pairs: tuple[IdentityKind, str | None]) -> tuple[Found, ...]:
    return tuple((kind, value) for kind, value in pairs if value)


def _domain(address: str) -> str:
    return address.rpartition("@")[2]

"""What the projections' rows must be, from opened events: written against the tables' comments, not against `apply`.

Pure. Each function looks back over a stream's events as a whole instead of going through them one by one as production does,
so that one fault is unlikely to be in both. Erasure is not decided here: rows come out as if nobody had been erased, with the
names of their personal columns beside them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from services.ops.verify.opened import Opened
from services.ops.verify.projected.store import Row

CARD_PERSONAL = frozenset({"name", "company"})
ENTRY_PERSONAL = frozenset({"personal"})
PERSON_PERSONAL = frozenset({"name", "company"})
WORD_LENGTH = 60


def is_sealed(event: Opened) -> bool:
    """Whether the event carries personal values, readable or not."""
    return bool(event.personal) or event.sealed_shut


def card(lead: UUID, partition: int, events: Sequence[Opened]) -> Row | None:
    """The lead's card, or the deal's; None before it was captured or opened."""
    opened = _last(events, "opened")
    captured = opened or _last(events, "captured")
    if captured is None:
        return None
    entered, offered = _last(events, "stage_entered"), _last(events, "offer_made")
    under = _last(events, "adopted") or captured
    price = offered.data["price"] if offered else None
    stood = entered.data if entered else {"stage": "", "kind": "open", "visit": 0}
    return {
        "lead": lead,
        "partition": partition,
        "pipeline": under.data["pipeline"],
        "stage": stood["stage"],
        "kind": stood["kind"],
        "visit": stood["visit"],
        "entered_at": _since(entered) or (entered or captured).happened_at,
        "name": _text(events, "name"),
        "company": _text(events, "company"),
        "source": captured.data["source"],
        "channel": captured.data["channel"],
        "form": captured.data.get("form"),
        "responsible": given[-1].data.get("to") if (given := _all(events, "assigned", "pooled")) else None,
        "amount": Decimal(price["amount"]) if price else None,
        "currency": price["currency"] if price else None,
        "contact": UUID(captured.data["contact"]),
        "version": events[-1].version,
        "captured_at": captured.happened_at,
        "paused_until": _paused_until(events),
        "sealed": any(is_sealed(event) for event in events),
        "erased": False,
        "merged_into": _merged_into(events),
        "deal_of": UUID(opened.data["lead"]) if opened else None,
        "withdrawn": [event.type.rpartition(".")[2] for event in _all(events, "withdrawn", "restored")][-1:]
        == ["withdrawn"],
    }


def entries(lead: UUID, events: Iterable[Opened]) -> list[Row]:
    """The lead's timeline: an entry per event."""
    return [
        {
            "lead": lead,
            "version": event.version,
            "type": event.type,
            "happened_at": event.happened_at,
            "recorded_at": event.recorded_at,
            "actor_id": event.meta["actor"]["id"],
            "actor_kind": event.meta["actor"]["kind"],
            "on_behalf_of": event.meta["actor"].get("on_behalf_of"),
            "person": UUID(event.meta["person"]) if event.meta.get("person") else None,
            "data": event.data,
            "personal": event.personal or None,
            "erased": False,
        }
        for event in events
    ]


def person(contact: UUID, events: Sequence[Opened]) -> Row | None:
    """The contact's row; None before it was made."""
    made = _last(events, "made")
    if made is None:
        return None
    return {
        "contact": contact,
        "name": made.personal.get("name"),
        "company": made.personal.get("company"),
        "made_at": made.happened_at,
        "version": events[-1].version,
        "erased": False,
        "merged_into": _merged_into(events),
    }


def identities(contact: UUID, events: Sequence[Opened]) -> list[Row]:
    """The contact's phones and e-mails that can be read."""
    found: dict[tuple[str, str], Row] = {}
    proofs = {"identity_confirmed": "confirmed", "identity_wrong": "wrong"}
    for event in _all(events, "identity_added", "identity_shared", "identity_unshared", *proofs):
        if event.sealed_shut:
            continue
        key = (event.data["identity_kind"], event.personal["value"])
        if event.type.endswith("shared"):
            if key in found:
                found[key]["shared"] = event.data.get("still_shared", event.type.endswith("identity_shared"))
            continue
        if (proof := proofs.get(event.type.rpartition(".")[2])) is not None:
            if key in found:
                found[key]["state"] = proof
            continue
        found[key] = {
            "contact": contact,
            "kind": key[0],
            "value": key[1],
            "shared": event.data.get("shared", False),
            "state": event.data.get("state", "unconfirmed"),
        }
    return list(found.values())


def words(contact: UUID, events: Sequence[Opened]) -> list[Row]:
    """The words by which the contact is found."""
    made = _last(events, "made")
    if made is None:
        return []
    text = " ".join(made.personal.get(part) or "" for part in ("name", "company"))
    found = {word[:WORD_LENGTH] for word in re.findall(r"\w+", text.lower().replace("ё", "е"))}
    return [{"contact": contact, "word": word} for word in found]


def company(company: UUID, events: Sequence[Opened]) -> Row | None:
    """The company's row; None before it was made."""
    made = _last(events, "made")
    if made is None:
        return None
    called = _last(events, "renamed") or made
    return {
        "company": company,
        "name": called.personal.get("name"),
        "made_at": made.happened_at,
        "version": events[-1].version,
        "erased": False,
    }


def company_identities(company: UUID, events: Sequence[Opened]) -> list[Row]:
    """What finds the company, as far as it can be read."""
    added = [event for event in _all(events, "identity_added") if not event.sealed_shut]
    found = {(event.data["identity_kind"], event.personal["value"]) for event in added}
    return [{"company": company, "kind": kind, "value": value} for kind, value in found]


def company_words(company: UUID, events: Sequence[Opened]) -> list[Row]:
    """The words of the name the company is called by now."""
    called = _last(events, "renamed") or _last(events, "made")
    text = (called.personal.get("name") or "") if called is not None else ""
    found = {word[:WORD_LENGTH] for word in re.findall(r"\w+", text.lower().replace("ё", "е"))}
    return [{"company": company, "word": word} for word in found]


def company_people(contact: UUID, events: Sequence[Opened]) -> list[Row]:
    """The companies that a person speaks for, each from when first."""
    joined: dict[UUID, Row] = {}
    for event in _all(events, "company_joined"):
        company = UUID(event.data["company"])
        joined.setdefault(company, {"contact": contact, "company": company, "joined_at": event.happened_at})
    return list(joined.values())


def whose(lead: UUID, events: Sequence[Opened]) -> list[Row]:
    """Which contact the lead is of."""
    captured = _last(events, "captured")
    return [] if captured is None else [{"lead": lead, "contact": UUID(captured.data["contact"])}]


def duplicates(lead: UUID, events: Sequence[Opened]) -> list[Row]:
    """Who is suspected to be the same person, and whether somebody said that they are not."""
    rows = []
    said = _all(events, "duplicate_suspected", "duplicate_dismissed")
    for other in dict.fromkeys(event.data["other_contact"] for event in said):
        of_it = [event for event in said if event.data["other_contact"] == other]
        first = next((event for event in of_it if event.type.endswith("suspected")), None)
        if first is None:
            continue
        last = of_it[-1]
        rows.append(
            {
                "lead": lead,
                "other_contact": UUID(other),
                "identity_kind": first.data["identity_kind"],
                "suspected_at": first.happened_at,
                "dismissed_at": last.happened_at if last.type.endswith("dismissed") else None,
            }
        )
    return rows


def _all(events: Iterable[Opened], *names: str) -> list[Opened]:
    return [event for event in events if event.type.rpartition(".")[2] in names]


def _last(events: Sequence[Opened], name: str) -> Opened | None:
    return next((event for event in reversed(events) if event.type.rpartition(".")[2] == name), None)


def _since(entered: Opened | None) -> datetime | None:
    """When the stay had begun that a correction went on with."""
    since = entered.data.get("since") if entered is not None else None
    return datetime.fromisoformat(since) if since else None


def _text(events: Sequence[Opened], field: str) -> str | None:
    """Name or company: what was recorded last; before that, what the first message that said it said."""
    text: str | None = None
    deal = _last(events, "opened")
    captured = deal or _last(events, "captured")
    own = captured.data["contact"] if captured else None
    for event in _all(events, "captured", "inbound_joined", "letter_received", "card_recorded"):
        if event.type.endswith("card_recorded"):
            values = event.personal.get("values") or {}
            if field in values:
                text = values[field] if deal else values[field] or None
        elif event.meta.get("person") == own:  # else it came by a merged contact, whose lead has the name
            text = text or event.personal.get(field)
    return text


def _merged_into(events: Sequence[Opened]) -> UUID | None:
    """Which lead or contact goes on for this one."""
    said = _all(events, "merged", "unmerged")
    return UUID(said[-1].data["into"]) if said and said[-1].type.endswith(".merged") else None


def _paused_until(events: Sequence[Opened]) -> date | None:
    """The date of the pause the lead stands in."""
    paused, entered = _last(events, "paused"), _last(events, "stage_entered")
    if paused is None or (
        entered is not None and entered.version > paused.version and entered.data["kind"] != "postponed"
    ):
        return None
    return date.fromisoformat(paused.data["until"])

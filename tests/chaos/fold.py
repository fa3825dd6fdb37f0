"""The projections' rows as the oracle makes them: folded from the stored events by code of its own, nothing of the product's.

Pure. A row here is a plain dict of what the projection's table must hold for these events; columns that depend on Kafka (the
partition) are summed up or left out. Events come in (stream, version) order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

LEAD, CONTACT = "leadline.lead.", "leadline.contact."
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """A stored event as the oracle reads it: its parts as plain JSON, personal values opened by its own decryption."""

    stream: UUID
    version: int
    type: str
    meta: dict[str, Any]
    data: dict[str, Any]
    personal: dict[str, Any]
    state: bytes
    digest: bytes
    recorded_at: datetime

    @property
    def happened_at(self) -> datetime:
        """When it happened."""
        return datetime.fromisoformat(self.meta["happened_at"])


@dataclass(slots=True)
class Rows:
    """What the tables must hold."""

    cards: dict[UUID, Row] = field(default_factory=dict)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    visits: dict[tuple[UUID, int], Row] = field(default_factory=dict)
    entries: dict[tuple[UUID, int], Row] = field(default_factory=dict)
    people: dict[UUID, Row] = field(default_factory=dict)
    identities: dict[tuple[UUID, str, str], Row] = field(default_factory=dict)
    leads: dict[UUID, UUID] = field(default_factory=dict)


def fold(events: Iterable[Told]) -> Rows:
    """All rows from all events."""
    rows = Rows()
    for event in events:
        if event.type.startswith(LEAD):
            _card(rows, event)
            _entry(rows, event)
        elif event.type.startswith(CONTACT):
            _person(rows, event)
    rows.counts = Counter((card["pipeline"], card["stage"]) for card in rows.cards.values())
    return rows


def _card(rows: Rows, event: Told) -> None:
    data, name = event.data, event.type.removeprefix(LEAD)
    if name == "captured":
        rows.leads[event.stream] = UUID(data["contact"])
        rows.cards[event.stream] = {
            "pipeline": data["pipeline"],
            "stage": "",
            "responsible": None,
            "name": event.personal.get("name"),
            "contact": UUID(data["contact"]),
            "source": data["source"],
            "channel": data["channel"],
            "form": data.get("form"),
            "captured_at": event.happened_at,
        }
    card = rows.cards[event.stream]
    card["version"] = event.version
    if name == "assigned":
        card["responsible"] = data["to"]
    elif name == "stage_entered":
        if (left := data.get("from_visit")) is not None:
            rows.visits[event.stream, left] |= {"left_at": event.happened_at, "to_stage": data["stage"]}
        rows.visits[event.stream, data["visit"]] = {
            "stage": data["stage"],
            "kind": data["kind"],
            "cause": data["cause"],
            "direction": data["direction"],
            "entered_at": event.happened_at,
            "left_at": None,
            "to_stage": None,
        }
        card |= {"stage": data["stage"], "kind": data["kind"], "visit": data["visit"], "entered_at": event.happened_at}


def _entry(rows: Rows, event: Told) -> None:
    rows.entries[event.stream, event.version] = {
        "type": event.type,
        "happened_at": event.happened_at,
        "recorded_at": event.recorded_at,
        "actor_id": event.meta["actor"]["id"],
        "actor_kind": event.meta["actor"]["kind"],
        "data": event.data,
        "personal": event.personal or None,
    }


def _person(rows: Rows, event: Told) -> None:
    name = event.type.removeprefix(CONTACT)
    if name == "made":
        rows.people[event.stream] = {"name": event.personal.get("name"), "made_at": event.happened_at, "erased": False}
    elif name == "identity_added":
        key = (event.stream, event.data["identity_kind"], event.personal["value"])
        rows.identities[key] = {"shared": event.data.get("shared", False)}
    else:
        raise AssertionError(f"the load makes no {event.type}: {event.stream}-{event.version}")
    rows.people[event.stream]["version"] = event.version


def closings(events: Iterable[Told]) -> Counter[UUID]:
    """How often each lead was closed (entered a stage that is not open from one that is)."""
    found: Counter[UUID] = Counter()
    before: dict[UUID, str] = {}
    for event in events:
        if event.type == LEAD + "stage_entered":
            kind = event.data["kind"]
            found[event.stream] += before.get(event.stream) == "open" and kind != "open"
            before[event.stream] = kind
    return found

"""Where leads stand (`leadline.lead_places`) against the events (M3): pipeline, version, stage, kind, way back, person.

A fold of its own, on plain values. Invariants: each lead that was ever in a stage has one place, and no other lead has one; a
place is marked erased exactly when its person's key is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from services.database import Database
from services.leads.publishing.store import places_between
from services.ops.verify import store
from services.ops.verify.opened import Opened
from services.ops.verify.report import Report

BEGINS = ("leadline.lead.captured", "leadline.deal.opened")


async def check_places(
    database: Database, begin: UUID, end: UUID, leads: Sequence[tuple[UUID, Sequence[Opened]]], report: Report
) -> None:
    """The places of a range of leads and deals."""
    kept = await places_between(database, begin, end)
    report.counts["places of leads"] += len(kept)
    contacts = {place.contact for place, _ in kept.values()}
    keys = await store.keys_named(database, sorted(contacts))
    for lead, opened in leads:
        place, erased = kept.pop(lead, (None, False))
        want = _place(opened)
        have = None if place is None else {name: getattr(place, name) for name in want or ("stage",)}
        if have != want:
            report.differ(
                "claims", "differs", str(lead), f"the lead's place is {_said(have)}, the events say {_said(want)}"
            )
        elif place is not None and erased != (keys.get(place.contact) is False):
            report.differ("claims", "differs", str(lead), "the mark that the lead's person was erased is wrong")
    for lead in kept:
        report.differ("claims", "unexpected", str(lead), "a place of a lead that has no events")


def _place(opened: Sequence[Opened]) -> dict[str, Any] | None:
    captured = next((event for event in opened if event.type in BEGINS), None)
    visits = [event for event in opened if event.type.rpartition(".")[2] == "stage_entered"]
    if captured is None or not visits:
        return None
    number = str(captured.meta.get("pipeline") or "@1").rpartition("@")[2]
    found: dict[str, Any] = {
        "contact": UUID(captured.data["contact"]),
        "pipeline": captured.data["pipeline"],
        "number": int(number),
        "returns_to": None,
        "responsible": None,
    }
    left = None  # where it would come back to before its last change of stage: what a correction brings back (N12)
    for event in opened:
        name = event.type.rpartition(".")[2]
        if name == "adopted":
            found |= {"pipeline": event.data["pipeline"], "number": event.data["number"]}
            found["returns_to"] = event.data.get("returns_to") or found["returns_to"]
        elif name == "stage_entered":
            if event.data.get("undoes") is not None:
                found["returns_to"] = left
            elif event.data["cause"] not in ("adopted", "unmerged"):
                left = found["returns_to"]
                if found.get("kind") == "open" and event.data["kind"] != "open":
                    found["returns_to"] = found["stage"]
            found |= {"stage": event.data["stage"], "kind": event.data["kind"]}
        elif name == "assigned":
            found["responsible"] = event.data["to"]
        elif name == "pooled":
            found["responsible"] = None
        elif name in ("merged", "unmerged", "withdrawn", "restored"):
            found["merged"] = name in ("merged", "withdrawn")
    if found.pop("merged", False):
        found["kind"] = "merged"
    return found


def _said(place: dict[str, Any] | None) -> str:
    if place is None:
        return "none"
    return f"{place.get('pipeline')}@{place.get('number')} {place.get('stage')} ({place.get('kind')})"

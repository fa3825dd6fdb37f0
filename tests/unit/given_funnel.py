"""What can happen to leads, as commands that people give, and what is told of the leads then (M9, N11, N12, S3, M1).

No fold: a command changes each lead's list of stays as a person would tell it, and a copy of the list is kept for every moment of
recording. The events are those the stage engine makes of such commands, with their two times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from projections.event import Event
from projections.funnel import projection as funnel

SPACE = UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
START = datetime(2026, 3, 2, tzinfo=UTC)
SCALE = ("new", "processing", "proposal", "approved", "activated")
KINDS = {
    **dict.fromkeys(SCALE[:3], "open"),
    "approved": "won",
    "activated": "won",
    "price": "lost",
    "paused": "postponed",
}
CLASSIC = ("new", "processing", "proposal", "closing", "converted")
CLASSIC_KINDS = {**dict.fromkeys(CLASSIC[:4], "open"), "converted": "won", "price": "lost", "paused": "postponed"}


@dataclass
class Stay:
    """A stay in a stage as a person would tell it. `out`: how it ended, when, and where to."""

    stage: str
    pipeline: str
    basis: str
    since: datetime
    who: str | None
    out: tuple[str, datetime, str | None] | None = None
    version: int = 1
    reason: str | None = None


@dataclass
class Told:
    """What is told of a lead. `may_undo`: its last change of stage was neither corrected yet nor a migration."""

    stays: list[Stay]
    source: str = "site"
    pipeline: str = "p"
    version: int = 1
    visit: int = 0
    stage: str = ""
    may_undo: bool = False
    merged: bool = False
    who: str | None = None
    undone: int = 0


def event(stream: str, version: int, type_: str, data: dict[str, Any], at: datetime, **more: Any) -> Event:
    """An event as projections take it."""
    actor = {"id": "anna", "kind": more.get("actor", "person")}
    recorded = more.get("recorded", at)
    pipeline = more.get("pipeline", "p@1")
    return Event(stream, version, "lead", type_, 0, at, recorded, actor, None, data, {}, None, False, False, pipeline)


class History:
    """Leads, all that happened to them, and what was told of them when. `step` lies between two commands; each is recorded
    `lateness` after it happened."""

    def __init__(self, pipeline: str = "p", scale: tuple[str, ...] = SCALE, kinds: Mapping[str, str] = KINDS) -> None:
        self.pipeline, self.scale, self.kinds = pipeline, scale, kinds
        self.told: dict[str, Told] = {}
        self.known: dict[str, list[tuple[datetime, Told]]] = {}
        self.versions: Counter[str] = Counter()
        self.now = START
        self.step = timedelta(minutes=7)
        self.lateness = timedelta(0)
        self.events: list[Event] = []

    def there(self, which: Callable[[Told], bool] = lambda told: not told.merged) -> list[str]:
        """The leads of which this is told."""
        return sorted(lead for lead, told in self.told.items() if which(told))

    def as_known(self, at: datetime) -> dict[str, Told]:
        """What was told of the leads at that moment."""
        found = {}
        for lead, moments in self.known.items():
            if past := [told for when, told in moments if when <= at]:
                found[lead] = past[-1]
        return found

    def capture(self, source: str, actor: str) -> None:
        """A lead comes in."""
        lead = str(uuid5(SPACE, f"lead{len(self.told)}"))
        told = self.told[lead] = Told([], source, self.pipeline)
        first = self.scale[0]
        entered = {"stage": first, "kind": "open", "visit": 1, "cause": "captured", "direction": "in"}
        at = self._add(
            lead,
            (funnel.CAPTURED, {"pipeline": self.pipeline, "source": source}),
            (funnel.ENTERED, entered),
            actor=actor,
        )
        told.visit, told.stage = 1, first
        told.stays.append(Stay(first, self.pipeline, "import" if actor == "import" else "check", at, None))
        self._keep(lead)

    def move(
        self, lead: str, stage: str, basis: str = "check", actor: str = "person", reason: str | None = None
    ) -> None:
        """To any stage: on, back, over stages, to an outcome and out of one."""
        told = self.told[lead]
        here = told.stays[-1]
        before: list[tuple[str, dict[str, Any]]] = []
        cause, here.reason = "auto" if actor == "system" else "moved", None
        if self.kinds[stage] == "lost":
            direction, cause, here.reason = "out", "rejected", reason
            before = [(funnel.REJECTED, {"status": stage, "from_stage": here.stage, "reason": reason})]
        elif self.kinds[stage] == "postponed":
            direction = "out"
        elif self.kinds[here.stage] in ("lost", "postponed"):
            direction, cause = "return", "reopened"
        else:
            step = self.scale.index(stage) - self.scale.index(here.stage)
            direction = "back" if step <= 0 else "forward" if step == 1 else "skip"
        more = {} if basis == "check" else {"basis": basis}
        at = self._add(lead, *before, self._entered(told, stage, cause, direction, **more), actor=actor)
        here.out = (self._way(here.stage, stage), at, stage)
        kept = basis if basis == "override" else "import" if actor == "import" else "check"
        told.stays.append(Stay(stage, told.pipeline, kept, at, told.who, version=told.version))
        told.may_undo = True
        self._keep(lead)

    def undo(self, lead: str) -> None:
        """Of the last change of stage: as if it had never been."""
        told = self.told[lead]
        wrong, back = told.visit, told.stays[-2].stage
        told.stays.pop()
        told.stays[-1].out, told.stays[-1].reason, told.stays[-1].who = None, None, told.who
        told.may_undo, told.undone = False, told.undone + 1
        self._add(lead, self._entered(told, back, "undone", "back", basis="correction", undoes=wrong))
        self._keep(lead)

    def assign(self, lead: str, to: str | None) -> None:
        """Somebody is responsible for it; None: nobody may have it, it waits in the pool."""
        told = self.told[lead]
        self._add(lead, (funnel.ASSIGNED, {"to": to}) if to else (funnel.POOLED, {"team": "sales@1"}))
        told.who = to
        if not told.merged:
            told.stays[-1].who = to
        self._keep(lead)

    def merge(self, lead: str) -> None:
        """It was the same wish as another lead."""
        told = self.told[lead]
        at = self._add(lead, (funnel.MERGED, {"into": str(SPACE), "into_contact": str(SPACE)}))
        told.merged, told.stays[-1].out = True, ("merged_away", at, None)
        self._keep(lead)

    def unmerge(self, lead: str) -> None:
        """It was not."""
        told = self.told[lead]
        stands = self._entered(told, told.stage, "unmerged", "return", basis="correction")
        self._add(lead, (funnel.UNMERGED, {"into": str(SPACE)}), stands)
        told.merged, told.may_undo = False, False
        told.stays[-1].out, told.stays[-1].who = None, told.who
        self._keep(lead)

    def adopt(self, lead: str, pipeline: str, stage: str | None) -> None:
        """Another version; its stage has another name there, or keeps it. Into another pipeline it always enters a stage."""
        told = self.told[lead]
        here = told.stays[-1]
        if stage is None and pipeline != told.pipeline:
            stage = self.scale[0]
        adopted = {
            "pipeline": pipeline, "number": told.version + 1, "from_pipeline": told.pipeline,
            "from_number": told.version, "reason": "published",
        }  # fmt: skip
        under = f"{told.pipeline}@{told.version}"
        told.pipeline, told.version = pipeline, told.version + 1
        events = [(funnel.ADOPTED, adopted)]
        if stage is not None:
            events.append(self._entered(told, stage, "adopted", "across", basis="adoption"))
        at = self._add(lead, *events, under=under)
        if stage is not None:
            here.out, told.may_undo = ("handed_over", at, stage), False
            told.stays.append(Stay(stage, pipeline, "adoption", at, told.who, version=told.version))
        self._keep(lead)

    # --- how ----------------------------------------------------------------------------------------------------------

    def _add(self, lead: str, *events: tuple[str, dict[str, Any]], actor: str = "person", under: str = "") -> datetime:
        """What one command brought about, recorded now, happened when it was (never before what went before)."""
        told = self.told[lead]
        self.now += self.step
        happened = self.now - self.lateness
        if told.stays:
            happened = max(happened, told.stays[-1].since, told.stays[-1].out[1] if told.stays[-1].out else happened)
        for type_, data in events:
            self.versions[lead] += 1
            self.events.append(
                event(
                    lead, self.versions[lead], type_, data, happened,
                    actor=actor, recorded=self.now, pipeline=under or f"{told.pipeline}@{told.version}",
                )
            )  # fmt: skip
        return happened

    def _keep(self, lead: str) -> None:
        """What is told of the lead is known from now on."""
        self.known.setdefault(lead, []).append((self.now, deepcopy(self.told[lead])))

    def _entered(self, told: Told, stage: str, cause: str, direction: str, **more: Any) -> tuple[str, dict[str, Any]]:
        data = {
            "stage": stage, "kind": self.kinds[stage], "visit": told.visit + 1, "from_stage": told.stage,
            "from_visit": told.visit, "cause": cause, "direction": direction, **more,
        }  # fmt: skip
        told.visit, told.stage = told.visit + 1, stage
        return funnel.ENTERED, data

    def _way(self, here: str, there: str) -> str:
        """From the places on the scale alone."""
        if self.kinds[there] in ("lost", "postponed"):
            return self.kinds[there]
        if self.kinds[there] == "won" and self.kinds[here] != "won":
            return "won"
        if self.kinds[here] in ("lost", "postponed") or self.scale.index(there) <= self.scale.index(here):
            return "moved_back"
        return "went_on" if self.scale.index(there) == self.scale.index(here) + 1 else "skipped_on"

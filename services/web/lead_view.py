"""What the pages of a lead look at: its history, its state, the pipeline versions it went through; where it stands and may go.

Invariants: all of it is read from events, so a command's effect is there at once; where the lead may go says the one
`check`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.commands import Refusal
from contracts.events import StageEntered
from contracts.pipeline import Pipeline, Stage
from contracts.recorded import Recorded
from services.database import Database
from services.leads.domain.state import LeadState
from services.leads.reading import read_lead
from services.pipelines import registry
from services.web.door import Door, no_lead, not_yet
from services.web.shapes import CheckOut, EventOut, check_out
from services.web.shapes_card import not_theirs
from services.web.telling import Telling, Told

FILLABLE = frozenset({"S2.exit_criteria"})
"""Rules that stop holding a lead back once what they ask for is filled in."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A command that did not go through: which, by which form, why, and what was typed. `said`: the reason in words."""

    name: str
    given: dict[str, str]
    form: str = ""
    refusal: Refusal | None = None
    invalid: str | None = None
    said: str | None = None

    @property
    def status(self) -> int:
        """The HTTP status of the page that shows it."""
        return self.refusal.status if self.refusal else 422

    def typed(self, form: str) -> dict[str, str]:
        """What was typed into this form; nothing for any other."""
        return self.given if form == self.form else {}


@dataclass(frozen=True, slots=True)
class Past:
    """The moment a page is asked for, as it was typed; `happened`: by when things happened, else by when recorded."""

    at: datetime
    typed: str
    happened: bool


@dataclass(frozen=True, slots=True)
class Looked:
    """A lead as it was looked at. `under`: the versions of pipelines its history was made under, by `id@number`."""

    history: list[Recorded]
    state: LeadState
    pipeline: Pipeline
    under: dict[str, Pipeline]


async def look(door: Door, lead: UUID, past: Past | None = None) -> Looked:
    """The lead or the deal, now or then. Raises ProblemError (404)."""
    async with door.pool.acquire() as connection:
        found = await read_lead(
            connection, door.ring, lead, past.at if past else None, happened=bool(past and past.happened)
        )
        if found is None:
            raise not_yet() if past else no_lead()
        history, state = found
        pipeline = await registry.version(connection, state.pipeline, state.pipeline_number)
        under = await versions_of(connection, history)
    return Looked(history, state, pipeline, under)


async def versions_of(connection: Database, history: Sequence[Recorded]) -> dict[str, Pipeline]:
    """The versions of pipelines that a history was made under, by `id@number`."""
    found = {}
    for name in {recorded.meta.pipeline for recorded in history if recorded.meta.pipeline}:
        pipeline, _, number = name.rpartition("@")
        with suppress(registry.NoSuchPipelineError, ValueError):
            found[name] = await registry.version(connection, pipeline, int(number))
    return found


def told(
    tell: Telling, shown: Sequence[EventOut], events: Sequence[EventOut], under: dict[str, Pipeline], pipeline: Pipeline
) -> list[Told]:
    """Events in words, each as things were called in the version it happened under (N14); newest first, like `events`."""
    left: dict[int, Pipeline] = {}
    now, former = "", pipeline
    for event in reversed(events):
        name = event.pipeline or ""
        if name != now:
            now, former = name, under.get(now, pipeline)
        left[event.version] = former
    return [tell.tell(event, under.get(event.pipeline or "", pipeline), before=left[event.version]) for event in shown]


@dataclass(frozen=True, slots=True)
class Target:
    """A stage the lead may be moved to along the scale, or not. `onward`: it lies ahead, and only data is missing at most;
    `closed`: why the reader does not move it there, whatever it has."""

    stage: Stage
    check: CheckOut
    onward: bool
    closed: Refusal | None = None


def targets_of(state: LeadState, pipeline: Pipeline, role: str) -> list[Target]:
    """Where the lead may go along the scale, or back onto it, each with the word of the one check, for a reader of this role."""
    here = pipeline.steps.get(state.stage, 0)
    found = []
    for stage in pipeline.stages:
        if stage.kind not in ("open", "won") or stage.id == state.stage:
            continue
        answer = check_out(state, stage.id, pipeline)
        ahead = pipeline.steps[stage.id] > here and state.is_open
        if not state.is_open and "S3.closed_stays_closed" in answer.rules:
            continue
        closed = not_theirs(state, pipeline, stage, role)
        onward = ahead and closed is None and (answer.allowed or FILLABLE.issuperset(answer.rules))
        found.append(Target(stage, answer, onward, closed))
    return found


def time_in_stages(history: Sequence[Recorded], now: datetime) -> dict[str, float]:
    """Seconds in each stage, all visits added up, mistakes that were undone left out (N11, N12)."""
    entries = [(r.meta.happened_at, r.data) for r in history if isinstance(r.data, StageEntered)]
    undone = {data.undoes for _, data in entries if data.undoes is not None}
    spent: dict[str, float] = {}
    for n, (at, data) in enumerate(entries):
        until = entries[n + 1][0] if n + 1 < len(entries) else now
        if data.visit not in undone:
            spent[data.stage] = spent.get(data.stage, 0.0) + max(0.0, (until - at).total_seconds())
    return spent


def path_of(state: LeadState, pipeline: Pipeline, spent: dict[str, float]) -> list[dict[str, Any]]:
    """The scale with what is done, where the lead stands (or stood before its outcome), what comes, and the time in each."""
    at = state.stage if state.stage in pipeline.scale else state.left_open_stage
    here = pipeline.steps.get(at or "", 0)
    marks = {True: "done", False: "next"}
    return [
        {
            "stage": pipeline.by_id[stage],
            "place": place,
            "seconds": spent.get(stage),
            "mark": "here" if stage == at == state.stage else "left" if stage == at else marks[place < here],
        }
        for stage, place in pipeline.steps.items()
    ]

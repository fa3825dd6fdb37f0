"""What publishing a text would mean, before anything is written: changes, objections, which leads move where (N26).

Invariants: it is also what publishing itself looks at, under the pipeline's lock; nothing personal is in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID, uuid5

from contracts import commands as c
from contracts.meta import Actor
from contracts.pipeline import Pipeline, Titles
from services.database import Database
from services.leads.publishing import store
from services.leads.publishing.store import LIVE, Waiting
from services.pipelines import registry
from services.pipelines.change import Change
from services.pipelines.differences import differences
from services.pipelines.lexicons import bundled
from services.pipelines.linting.finding import Finding
from services.pipelines.linting.linter import lint_teams
from services.pipelines.stream import stream_of
from services.pipelines.succession import Objection, Standing, objections
from services.teams import store as teams


@dataclass(frozen=True, slots=True)
class Moves:
    """How many leads go from one stage to another (or stay in it) when they go on under the new version."""

    stage: str
    to: str | None
    """None: the new version has no such stage and nothing says where they go."""
    kind: str
    leads: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What a text would mean. `number`: of the version in force, 0 for none; `next`: what the text's would be."""

    pipeline: Pipeline
    number: int
    next: int
    changes: tuple[Change, ...]
    objections: tuple[Objection, ...]
    standing: Mapping[str, Mapping[str, int]]
    """Leads by stage and kind."""
    titles: Mapping[str, Titles]
    """What every stage there ever was is called, those of the text by the text."""
    moves: tuple[Moves, ...]
    erased: int
    """Open and paused leads of erased persons: they stay under their version, nothing more is done with them."""
    findings: tuple[Finding, ...] = ()
    """What is worth mending and forbids nothing: teams that nobody published (C4)."""

    def objecting(self, objection: Objection) -> Preview:
        """The same with one objection more."""
        return replace(self, objections=(objection, *self.objections))

    @property
    def moving(self) -> int:
        """How many leads would go on under the new version."""
        return sum(move.leads for move in self.moves)

    @property
    def in_force(self) -> bool:
        """Whether the text is in force already."""
        return self.next == self.number


async def preview_of(
    database: Database, text: Pipeline, *, same: bool, mapping: Mapping[str, str], adopt: bool
) -> Preview:
    """The preview of a text that was read. `same`: it is the text in force."""
    try:
        versions = await registry.versions(database, text.pipeline)
    except registry.NoSuchPipelineError:
        versions = []
    past = [(version.number, version.pipeline) for version in versions]
    number = past[-1][0] if past else 0
    following = number if same else number + 1
    found = await store.standing(database, text.pipeline)
    leads = store.counted(found)
    returning: dict[str, int] = {}
    for row in found:
        if row.kind == "postponed" and row.returns_to:
            returning[row.returns_to] = returning.get(row.returns_to, 0) + row.leads
    return Preview(
        pipeline=text,
        number=number,
        next=following,
        changes=() if same else differences(past[-1][1] if past else None, text),
        objections=objections(text, past, Standing(leads, returning), mapping, adopt=adopt),
        standing=leads,
        titles={stage.id: stage.titles for _, version in [*past, (following, text)] for stage in version.stages},
        moves=_moves(text, found, following, mapping),
        erased=await store.erased_behind(database, text.pipeline, following),
        findings=lint_teams(text, bundled(), frozenset(await teams.teams(database))),
    )


def _moves(
    text: Pipeline, found: Sequence[store.Standing], number: int, mapping: Mapping[str, str]
) -> tuple[Moves, ...]:
    counts: dict[tuple[str, str | None, str], int] = {}
    for row in found:
        concerned = row.kind == "lost" and (row.stage in mapping or row.returns_to in mapping)
        if row.number < number and (row.kind in LIVE or concerned):
            to = mapping.get(row.stage, row.stage if row.stage in text.by_id else None)
            key = (row.stage, to, row.kind)
            counts[key] = counts.get(key, 0) + row.leads
    return tuple(Moves(*key, leads) for key, leads in sorted(counts.items(), key=lambda pair: str(pair[0])))


def adoption_of(
    lead: Waiting, text: Pipeline, number: int, mapping: Mapping[str, str], actor: Actor, reason: str = "published"
) -> c.Command:
    """The command that takes a lead over. Its id is made of where it goes, at which version its stream is, and who asks: repeated
    it is the same, and a lead that has moved on since is asked anew."""
    stage = mapping.get(lead.stage)
    back = mapping.get(lead.returns_to or "") if lead.kind in ("lost", "postponed") else None
    name = f"adopt:{number}:{lead.lead}:{lead.version}:{stage or ''}:{back or ''}:{actor.id}"
    body = c.Adopt.model_validate(
        {"pipeline": text.pipeline, "number": number, "stage": stage, "returns_to": back, "reason": reason}
    )
    return c.Command(
        id=uuid5(stream_of(text.pipeline), name),
        lead=lead.lead,
        actor=actor,
        body=body,
        expected_version=lead.version,
        correlation=str(uuid5(stream_of(text.pipeline), f"adoption:{number}")),
    )


NOBODY = UUID(int=0)
"""Before the first lead."""

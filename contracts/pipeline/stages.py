"""Stages: where a lead can stand, what must hold to leave, and where it may go (S1-S3, P2-P4, P8, C1)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, model_validator

from contracts.pipeline.card import Asked
from contracts.pipeline.criteria import Criterion
from contracts.pipeline.deadlines import Deadline
from contracts.pipeline.names import Misfit, misfits, twice
from contracts.pipeline.parts import (
    Condition,
    Id,
    Kind,
    Model,
    OrId,
    PeriodOrTerm,
    Role,
    StageId,
    TimeLimit,
    Titles,
    Words,
)
from contracts.pipeline.robots import Robot, Trigger

LostOutcome = Literal["refused", "contact", "ads", "bad_data"]
"""C1, what remains of a lead that was lost: `refused` nothing further; `contact` a person of interest later; `ads` poor, kept
for advertising alone; `bad_data` deleted at once: the person's data becomes unreadable, the lead stays counted."""


class Reason(Model):
    """Why a lead was rejected or put off. `outcome`: what remains of it, where that differs from the stage's."""

    id: Id
    titles: Titles
    outcome: LostOutcome | None = None


class StageMove(Model):
    """A way out of a stage. `needs` are asked on top of the stage's exit criteria, or instead of them (`instead_of_exit`).

    `auto`: the lead moves by itself as soon as everything is there (P3).
    """

    to: StageId
    needs: tuple[Criterion, ...] = ()
    instead_of_exit: bool = False
    by: tuple[Role, ...] = ()
    """Which roles may; none named: those of the stage."""
    when: Condition | None = None
    auto: bool = False


class Reopening(Model):
    """How work goes on with a lead that left the scale (P4). A head may always, before `seller_after` with a reason."""

    seller: bool = True
    seller_after: PeriodOrTerm | None = None
    """How long after the outcome a seller may; before it only a head."""
    client: bool = False
    """The client's own call, letter, form or message brings the lead back at once."""
    to: StageId | None = None
    """Where it comes back to; left out: to the open stage it left."""


class DealOpening(Model):
    """C6: a lead that enters the stage becomes a deal, which begins in the first stage of this pipeline. Once for each lead and
    pipeline, whatever is undone and repeated (N12)."""

    pipeline: Id


class Stage(Model):
    """A stage: id (for ever), titles, kind, what must hold before a lead may leave it forwards, where it may go.

    Without `moves` a lead goes one step forward, back to any earlier stage, and to any lost or postponed one.
    """

    id: StageId
    titles: Titles
    kind: Kind
    final: bool = False
    """S3: «завершена»: the work is over for good (shown so; reopening stays possible to a head)."""
    exit: tuple[Criterion, ...] = ()
    mandatory: tuple[Annotated[Asked, OrId()], ...] = ()
    """Fields of the card that must be filled before the stage is left forwards."""
    desirable: tuple[Annotated[Asked, OrId()], ...] = ()
    """Fields that should be asked for here, and hold nobody up."""
    moves: tuple[StageMove, ...] | None = None
    """The ways out along the scale, or back onto it; left out: the usual ones."""
    outcomes: tuple[StageId, ...] | None = None
    """Of an open stage: the lost and postponed stages it may be left to; left out: all."""
    by: tuple[Role, ...] = ("seller", "head")
    """Who may move a lead out of it."""
    reopen: Reopening | None = None
    """Of a lost or postponed stage."""
    outcome: LostOutcome | None = None
    """Of a lost stage: what remains of the lead (C1); left out: `refused`."""
    reasons: tuple[Reason, ...] = Field(default=(), max_length=100)
    """Of a lost or postponed stage: one of these is given on entering it, where there are any."""
    deal: DealOpening | None = None
    """Of a won stage: the pipeline in which the deal goes on; left out: there is no more to do than to have won."""
    limit: TimeLimit | None = None
    robots: tuple[Robot, ...] = Field(default=(), max_length=200)
    """R1: what happens by itself while a lead stands here."""
    triggers: tuple[Trigger, ...] = Field(default=(), max_length=50)
    """R5: what brings a lead here by itself."""
    deadlines: tuple[Deadline, ...] = Field(default=(), max_length=20)
    """Q7: what must be done here in time."""
    review: bool = False
    """Q5: of a lost stage: the head confirms that the lead is poor, or returns it to work."""
    next_step: Words | None = None
    """P8: what the seller does next while the lead stands here."""
    client: Words | None = None
    """P8: what is expected of the client."""
    steps: tuple[Words, ...] = ()
    actions: tuple[Words, ...] = ()
    criteria: tuple[Words, ...] = ()
    """P2, the playbook: the seller's steps, the actions of each, the criteria in words."""

    @model_validator(mode="after")
    def _as_its_kind_asks(self) -> Stage:
        if (error := misfits(self._misfits())) is not None:
            raise error
        return self

    def _misfits(self) -> Iterator[Misfit]:
        here, here_ru = f"stage {self.id}", f"стадия {self.id}"
        closed = self.kind in ("lost", "postponed")
        for what, fits, owners in (
            ("outcome", self.kind == "lost", "lost"),
            ("reasons", closed, "lost and postponed"),
            ("reopen", closed, "lost and postponed"),
            ("outcomes", self.kind == "open", "open"),
            ("exit", self.kind == "open", "open"),
            ("mandatory", self.kind == "open", "open"),
            ("final", self.kind == "lost", "lost"),
            ("review", self.kind == "lost", "lost"),
            ("deal", self.kind == "won", "won"),
        ):
            if getattr(self, what) not in (None, (), False) and not fits:
                yield Misfit(
                    (what,),
                    f"{here}: {what} goes with {owners} stages; this one is {self.kind}; "
                    f"take {what} away, or change the kind",
                    f"{here_ru}: {what} бывает у стадий вида {owners.replace(' and ', ' и ')}, а эта — {self.kind}; "
                    f"уберите {what} или смените kind",
                )
        if self.moves is not None and self.kind == "won":
            yield Misfit(
                ("moves",),
                f"{here}: a won stage has no moves; see won_moves of the pipeline",
                f"{here_ru}: у выигранной стадии нет moves; см. won_moves у воронки",
            )
        yield from twice(f"{here}: reason", f"{here_ru}, причины", (reason.id for reason in self.reasons), ("reasons",))
        for n, reason in enumerate(self.reasons):
            if self.kind == "postponed" and reason.outcome is not None:
                yield Misfit(
                    ("reasons", n, "outcome"),
                    f"{here}: a postponed lead has no outcome yet; leave outcome out of its reasons",
                    f"{here_ru}: у отложенного лида исхода ещё нет; уберите outcome из причин",
                )

    @cached_property
    def deadlines_by_id(self) -> dict[str, Deadline]:
        """Its deadlines by id."""
        return {deadline.id: deadline for deadline in self.deadlines}

    @cached_property
    def robots_by_id(self) -> dict[str, Robot]:
        """Its robots by id."""
        return {robot.id: robot for robot in self.robots}

    def reason(self, reason: str | None) -> Reason | None:
        """The reason of this id."""
        return next((r for r in self.reasons if r.id == reason), None)

    def move_to(self, stage: str) -> StageMove | None:
        """The way out to a stage, where the pipeline states one."""
        return next((move for move in self.moves or () if move.to == stage), None)

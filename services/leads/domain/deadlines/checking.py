"""What counts as done: the criteria of a deadline, or one of its results with all that it needs, held against a lead (Q4). Pure.

Invariants: the same answer for the check at the end of a turn and for everything recorded before; a task that was ticked off is
not by itself done, where the deadline says what done is; what is lacking is named.
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts import events as e
from contracts.commands import Missing
from contracts.pipeline import BUILT_IN_FACTS, Criterion, Deadline, DeadlineResult, FieldCriterion, Pipeline
from services.leads.domain.criteria import lacking, values_of
from services.leads.domain.deadlines.setting import ACTIVITY, MEETING, POOL
from services.leads.domain.state import LeadState, with_
from services.pipelines.conditions import holds

RESULT: Missing = Missing(what="field", id="result", ru="результат", en="the result")
"""What lacks where none of a deadline's results stands."""
TASK: Missing = Missing(
    what="fact",
    id="task_done",
    ru=BUILT_IN_FACTS["task_done"].ru,
    en=BUILT_IN_FACTS["task_done"].en,
    command="complete",
)
HELD: Missing = Missing(
    what="fact",
    id="meeting_held",
    ru=BUILT_IN_FACTS["meeting_held"].ru,
    en=BUILT_IN_FACTS["meeting_held"].en,
    command="hold",
)
SOMEBODY: Missing = Missing(
    what="field",
    id="responsible",
    ru="ответственный",
    en="somebody responsible",
    command="assign",
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How it stands with a turn: nothing lacks, and it is done. `result`: the one that stands, also where more is needed."""

    lacks: tuple[Missing, ...] = ()
    result: DeadlineResult | None = None

    @property
    def done(self) -> bool:
        """Whether everything is there."""
        return not self.lacks

    @property
    def ids(self) -> tuple[str, ...]:
        """What lacks, by id."""
        return tuple(lack.id for lack in self.lacks)


def verdict(state: LeadState, turn: e.DeadlineSet, pipeline: Pipeline) -> Verdict:
    """Whether the turn is done. A deadline that the pipeline does not have any more is never done: it is dropped."""
    if turn.deadline == MEETING:
        recorded = state.facts.get("meeting_held")
        return Verdict() if recorded is not None and recorded.root == turn.visit else Verdict((HELD,))
    if turn.deadline == POOL:
        return Verdict((SOMEBODY,)) if state.pooled else Verdict()
    found = pipeline.deadlines_by_id.get(turn.deadline)
    if turn.deadline == ACTIVITY or (found is not None and not (found[1].done or found[1].results)):
        return Verdict() if ticked(state, turn) else Verdict((TASK,))
    if found is None:
        return Verdict((TASK,))
    stage, deadline = found
    return lacks_of(state, deadline, stage.id, pipeline)


def lacks_of(state: LeadState, deadline: Deadline, stage: str, pipeline: Pipeline) -> Verdict:
    """What a deadline that says what done is still lacks."""
    if deadline.done:
        return Verdict(lacking(deadline.done, state, pipeline))
    values = values_of(state, pipeline)
    result = next((result for result in deadline.results if holds(result.when, values)), None)
    if result is None:
        return Verdict((RESULT,))
    return Verdict(lacking(needs_of(result, stage, pipeline), state, pipeline), result)


def needs_of(result: DeadlineResult, stage: str, pipeline: Pipeline) -> tuple[Criterion, ...]:
    """What must be filled in with a result."""
    asked = list(result.needs)
    if result.mandatory:
        named = {one.field for one in asked}
        asked += [one for one in pipeline.by_id[stage].mandatory if one.field not in named]
    return tuple(FieldCriterion(field=one.field, when=one.when) for one in asked)


def ticked(state: LeadState, turn: e.DeadlineSet) -> bool:
    """Whether the task that stands for the turn is done."""
    planned = state.activities.get(turn.activity) if turn.activity is not None else None
    return planned is not None and planned.done_at is not None and not planned.closed


def as_it_left(state: LeadState, turn: e.DeadlineSet) -> LeadState:
    """The lead as it was when it left the stage that the turn belongs to: with what was recorded in the same act."""
    left = state.before
    if left is None or left.root != turn.visit:
        return state
    return with_(state, stage=left.stage, kind=left.kind, root=left.root, root_at=left.root_at, answer=left.answer)

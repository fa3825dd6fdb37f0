"""How a turn of a deadline ends: met, asked for again, missed, or dropped, with what follows for its task (Q4, Q6, Q7). Pure.

Invariants: each function gives exactly one event that closes the turn; the task that stands for it ends with it, unless nothing
follows the miss: then it stays, overdue, where everyone sees it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from uuid import uuid5

from contracts import events as e
from services.calendars import terms
from services.leads.domain.deadlines.checking import Verdict
from services.leads.domain.deadlines.missing import whose
from services.leads.domain.deadlines.setting import (
    ACTIVITY,
    MEETING,
    WARNING,
    Circumstances,
    meeting,
    set_turn,
    sort_of,
)
from services.leads.domain.state import LeadState

_CLOSED_AS: Final[dict[str, Any]] = {"left_stage": "left_stage", "lead_closed": "lead_closed", "undone": "undone"}


def of(turn: e.DeadlineSet) -> dict[str, Any]:
    """What every event about a turn says."""
    return {
        "deadline": turn.deadline,
        "timer": turn.timer,
        "visit": turn.visit,
        "turn": turn.turn,
        "due_at": turn.due_at,
    }


def met(state: LeadState, turn: e.DeadlineSet, found: Verdict, now: Circumstances) -> Iterator[e.Event]:
    """Q4: done in time."""
    left = turn.due_at - now.at
    if turn.term.working and left.total_seconds() > 0:
        left = terms.working_left(now.at, turn.due_at, now.times.calendar, turn.responsible)
    result = found.result.id if found.result is not None else None
    yield e.DeadlineMet(**of(turn), result=result, left_s=max(0, int(left.total_seconds())))
    yield from _task_over(state, turn, "recorded")


def asked(state: LeadState, turn: e.DeadlineSet, found: Verdict, now: Circumstances) -> Iterator[e.Event]:
    """Q4: ticked off, and something lacks: asked for again by name, with a new term."""
    result = found.result.id if found.result is not None else None
    yield e.DeadlineAsked(**of(turn), lacks=found.ids, result=result)
    yield from _next(state, turn, found, now, "asked")


def missed(
    state: LeadState, turn: e.DeadlineSet, found: Verdict, now: Circumstances, after: LeadState | None = None
) -> Iterator[e.Event]:
    """Q6: not done in time, and the next turn. `state`: the lead as it was at the due instant, as far as is known; `after`: as
    it is now, where that is something else."""
    stands, of_whom = after or state, whose(state, turn, now)
    yield e.DeadlineMissed(
        **of(turn),
        incident=uuid5(turn.timer, "incident") if turn.incident else None,
        responsible=of_whom.responsible,
        cause=of_whom.cause,
        stage=state.stage,
        lacks=found.ids,
        running=of_whom.running,
        begun_at=turn.begun_at,
        term=turn.term,
        calendar=turn.calendar,
        activity=turn.activity,
        late_ms=max(0, int((now.times.now - turn.due_at).total_seconds() * 1000)),
    )
    deadline = now.pipeline.deadlines_by_id.get(turn.deadline)
    goes_on = stands.root == turn.visit and stands.merged_into is None and not stands.withdrawn
    if deadline is not None and deadline[1].again and goes_on:
        yield from _task_over(stands, turn, "deadline")
        yield from _next(stands, turn, found, now, "again")
    elif not goes_on:
        yield from _task_over(stands, turn, "left_stage")


def dropped(state: LeadState, turn: e.DeadlineSet, by: Any) -> Iterator[e.Event]:
    """Not needed any more, and nobody missed it."""
    yield e.DeadlineDropped(**of(turn), by=by)
    yield from _task_over(state, turn, _CLOSED_AS.get(by, "deadline"))


def warning_over(state: LeadState, turn: e.DeadlineSet) -> Iterator[e.Event]:
    """The warning of a turn that ended before: it waits no more."""
    for armed in state.automation.armed.values():
        if armed.robot == turn.deadline + WARNING and armed.visit == turn.visit:
            yield e.RobotCancelled(robot=armed.robot, timer=armed.timer, visit=armed.visit, by="over")


def _next(state: LeadState, turn: e.DeadlineSet, found: Verdict, now: Circumstances, because: Any) -> Iterator[e.Event]:
    """The next turn: its term is looked for anew, by the lead as it is now, and is whole (Q3)."""
    if turn.deadline == MEETING:
        sort = meeting(now)
    else:
        sort = sort_of(state, now.pipeline.deadlines_by_id[turn.deadline][1], now, later=True)
    begin: datetime = now.times.now if because == "again" else now.at
    yield from set_turn(state, sort, now, because, begin, visit=turn.visit, lacks=found.lacks, replaces=turn.timer)


def _task_over(state: LeadState, turn: e.DeadlineSet, why: Any) -> Iterator[e.Event]:
    """The end of the task that stands for the turn; a key action is a task of its own, and stays."""
    if turn.activity is None or turn.deadline == ACTIVITY:
        return
    planned = state.activities.get(turn.activity)
    if planned is None or planned.done_at is not None:
        return
    if why == "recorded":
        yield e.ActivityDone(activity=turn.activity, activity_kind=planned.kind, reason="recorded")
    else:
        yield e.ActivityClosed(activity=turn.activity, activity_kind=planned.kind, reason=why)

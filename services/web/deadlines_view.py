"""What the lead's page shows of its deadlines: how near each is, why this long, what is lacking and the form for it (Q4, Q7).

Pure. Invariants: all of it comes from the account of the lead's events (`services.leads.domain.deadlines.account`); a deadline is
quiet until it is near: within its warning, or in the last quarter of its term.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from contracts.commands import Missing
from contracts.pipeline import Pipeline, Titles, Words
from contracts.recorded import Recorded
from services.leads.domain.deadlines.account import Due, account
from services.leads.domain.robots.instants import Times
from services.leads.domain.state import LeadState
from services.pipelines.robot_words import robot_titles
from services.web.forms import FormMaker
from services.web.inputs import Form

Light = Literal["green", "amber", "red"]
NEAR: Final = 4
"""The last of so many parts of the term is near."""


@dataclass(frozen=True, slots=True)
class DueView:
    """A deadline that runs. `left`: time that is left, or by how much it is overdue; `working`: whether that is working time;
    `lacks`: what is missing, each with the form that records it, where there is one."""

    id: str
    titles: Titles
    due_at: datetime
    light: Light
    left: timedelta
    working: bool
    why: Words
    turn: int
    incident: bool
    missed: Words
    responsible: str | None
    warn_at: datetime | None
    lacks: list[tuple[Missing, Form | None]]


def deadlines_view(
    history: Iterable[Recorded], state: LeadState, pipeline: Pipeline, times: Times, maker: FormMaker | None
) -> list[DueView]:
    """The deadlines that run, the nearest first. `maker`: makes the forms; None: the reader records nothing."""
    return [_view(due, pipeline, times, maker) for due in account(history, state, pipeline, times).due]


def light_of(due: Due, now: datetime) -> Light:
    """How near it is."""
    if due.overdue:
        return "red"
    turn = due.turn.set
    term = turn.due_at - turn.begun_at
    near = turn.due_at - now <= term / NEAR or (turn.warn_at is not None and now >= turn.warn_at)
    return "amber" if near else "green"


def _view(due: Due, pipeline: Pipeline, times: Times, maker: FormMaker | None) -> DueView:
    turn = due.turn.set
    return DueView(
        id=turn.deadline,
        titles=robot_titles(turn.deadline, pipeline),
        due_at=turn.due_at,
        light=light_of(due, times.now),
        left=abs(due.left),
        working=turn.term.working,
        why=due.why,
        turn=turn.turn,
        incident=turn.incident,
        missed=due.missed,
        responsible=due.responsible,
        warn_at=due.warn_at,
        lacks=[(lack, _form(lack, turn.activity is not None, maker)) for lack in due.lacks],
    )


def _form(lack: Missing, planned: bool, maker: FormMaker | None) -> Form | None:
    """The form that records what is lacking; a task that is planned already is done among the activities of the page."""
    return None if maker is None or (planned and lack.id == "task_done") else maker.for_missing(lack)

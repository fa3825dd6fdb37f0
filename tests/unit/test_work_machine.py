"""Activities and reviews under any sequence of acts, against an oracle written apart from the production fold (S4, N6, N12, Q5).

The oracle is the text of the spec as plain variables: what is open, which act closed it, where the lead stands, whether the head
has still to judge; it never looks at `LeadState`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contracts import events as e
from contracts.commands import Refusal
from contracts.meta import Actor
from services.leads.domain.activities.following import REMINDER
from services.leads.domain.reviews import judging
from tests.unit.given_lead import HEAD, SELLER
from tests.unit.given_robots import Robots
from tests.unit.test_review import SCHOOL

CLOSED = {"poor": "silent", "dear": None, "again": None}
JUDGED = {"poor", "again"}


@dataclass(frozen=True)
class Stay:
    """Where the lead stands: the stage, the number of the stay, how its review is, and which open stage it came from."""

    stage: str
    number: int
    review: str | None = None
    came_from: str = "new"


@dataclass
class Task:
    """Something planned. `closed_by`: the number of the stay whose beginning closed it."""

    stay: int
    open: bool = True
    closed_by: int | None = None
    reminded: bool = False


class WorkMachine(RuleBasedStateMachine):
    """Acts go to the domain with all that follows; the oracle says beforehand whether they must be accepted."""

    def __init__(self) -> None:
        super().__init__()
        self.lead = Robots(SCHOOL)
        self.stay, self.before, self.last = Stay("new", 1), None, 1  # type: tuple[Stay, Stay | None, int]
        self.returned = False
        self.tasks: dict[UUID, Task] = {}

    def give(self, name: str, must_pass: bool, by: Actor = SELLER, **body: Any) -> bool:
        events = len(self.lead.events)
        answer = self.lead.give(name, by=by, **body)
        if isinstance(answer, Refusal):
            assert not must_pass, f"{name} {body} refused: {answer.rules}"
            assert len(self.lead.events) == events
            return False
        assert must_pass, f"{name} {body} accepted in {self.stay}"
        return True

    @property
    def is_open(self) -> bool:
        return self.stay.stage in ("new", "work")

    def enter(self, stage: str, *, returned: bool = False) -> None:
        """The lead goes to another stage: a stay of its own."""
        self.last += 1
        closed = stage in CLOSED
        left = self.stay if not returned else replace(self.stay, review="waiting")
        came_from = self.stay.stage if self.is_open else self.stay.came_from
        self.before, self.returned = left, returned
        self.stay = Stay(stage, self.last, "waiting" if stage in JUDGED else None, came_from)
        if closed:
            self.close_those_of_others()

    def close_those_of_others(self) -> None:
        for task in self.tasks.values():
            if task.open and task.stay != self.stay.number:
                task.open, task.closed_by = False, self.last

    @rule(reminded=st.booleans())
    def plan(self, reminded: bool) -> None:
        known = set(self.lead.lead.activities)
        day = self.lead.now.replace(month=9)
        more = {"remind_at": day.replace(hour=1)} if reminded else {}
        if self.give("plan", True, kind="task", due_at=day, **more):
            (made,) = set(self.lead.lead.activities) - known
            self.tasks[made] = Task(self.stay.number, reminded=reminded)

    @precondition(lambda self: self.tasks)
    @rule(data=st.data(), hour=st.integers(2, 22))
    def move_it(self, data: Any, hour: int) -> None:
        which = data.draw(st.sampled_from(list(self.tasks)))
        self.give("replan", self.tasks[which].open, activity=which, due_at=self.lead.now.replace(month=10, hour=hour))

    @precondition(lambda self: self.tasks)
    @rule(data=st.data())
    def do_it(self, data: Any) -> None:
        which = data.draw(st.sampled_from([i for i, task in self.tasks.items() if task.open] or [None]))
        if which is not None and self.give("complete", True, activity=which, result="да"):
            self.tasks[which].open = False

    @precondition(lambda self: self.tasks)
    @rule(data=st.data())
    def close_it(self, data: Any) -> None:
        which = data.draw(st.sampled_from([i for i, task in self.tasks.items() if task.open] or [None]))
        if which is not None and self.give("close_activity", True, activity=which):
            self.tasks[which].open = False

    @rule(to=st.sampled_from(["new", "work"]))
    def move(self, to: str) -> None:
        if self.give("move", self.is_open and self.stay.stage != to, to=to):
            self.enter(to)

    @rule(status=st.sampled_from(list(CLOSED)))
    def reject(self, status: str) -> None:
        reason = {"reason": CLOSED[status]} if CLOSED[status] else {}
        if self.give("reject", self.is_open, status=status, **reason):
            self.enter(status)

    @rule()
    def reopen(self) -> None:
        to = "new" if self.stay.stage == "again" else self.stay.came_from
        if self.give("reopen", not self.is_open, reason="перезвонил"):
            self.enter(to)

    @rule(by=st.sampled_from([SELLER, HEAD]))
    def confirm(self, by: Actor) -> None:
        if self.give("review", self.stay.review == "waiting" and by is HEAD, by=by, decision="confirm"):
            self.stay = replace(self.stay, review="confirmed")

    @rule(by=st.sampled_from([SELLER, HEAD]))
    def send_back(self, by: Actor) -> None:
        to = "new" if self.stay.stage == "again" else self.stay.came_from
        known = set(self.lead.lead.activities)
        allowed = self.stay.review == "waiting" and by is HEAD
        if self.give("review", allowed, by=by, decision="return", reason="ещё раз"):
            self.enter(to, returned=True)
            (made,) = set(self.lead.lead.activities) - known
            self.tasks[made] = Task(self.stay.number)

    @rule(by=st.sampled_from([SELLER, HEAD]))
    def undo(self, by: Actor) -> None:
        allowed = self.before is not None and (by is HEAD or not self.returned)
        mistaken = self.stay.number
        if not self.give("undo", allowed, by=by):
            return
        assert self.before is not None
        self.stay, self.before, self.returned = self.before, None, False
        self.last += 1
        for task in self.tasks.values():
            if task.closed_by == mistaken:
                task.open, task.closed_by = True, None
        if not self.is_open:
            self.close_those_of_others()

    @invariant()
    def what_is_to_be_done_is_what_the_oracle_says(self) -> None:
        state = self.lead.lead
        assert state.stage == self.stay.stage
        assert {i: a.is_open for i, a in state.activities.items()} == {i: t.open for i, t in self.tasks.items()}
        assert (judging.waiting(state) is not None) == (self.stay.review == "waiting")

    @invariant()
    def every_open_task_that_is_reminded_of_has_one_reminder_and_no_other_has(self) -> None:
        waiting = [armed for armed in self.lead.lead.automation.armed.values() if armed.robot == REMINDER]
        assert len(waiting) == sum(task.open and task.reminded for task in self.tasks.values())

    @invariant()
    def each_review_is_opened_once_more_than_it_ended_while_it_waits(self) -> None:
        opened, ended = (
            len(self.lead.of(e.ReviewOpened)),
            len(self.lead.of(e.ReviewConfirmed, e.ReviewReturned, e.ReviewDropped)),
        )
        assert opened - ended == (self.stay.review == "waiting")


WorkMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestQ5S4WorkUnderAnyActs = WorkMachine.TestCase

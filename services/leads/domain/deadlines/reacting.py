"""What follows for a lead's deadlines from what happened to it: they begin, are met, asked for again, missed, dropped (Q1-Q8).

`react` is asked after every set of events of a lead, in the same transaction, as the robots' is, until nothing more follows.
Pure. Invariants: a turn is closed once; one whose instant lies before what happens now is missed by it, whoever tells the lead
first, so that nothing recorded later makes it good; imports, publications and merges taken back begin nothing anew (M3).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final
from uuid import UUID

from contracts import events as e
from contracts.pipeline import Deadline, Period, Pipeline
from services.leads.domain.assigning.deciding import DEFAULT
from services.leads.domain.criteria import held
from services.leads.domain.deadlines import closing
from services.leads.domain.deadlines.checking import Verdict, as_it_left, lacks_of, verdict
from services.leads.domain.deadlines.setting import (
    ACROSS_STAGES,
    ACTIVITY,
    BUILT_IN,
    MEETING,
    POOL,
    WARNING,
    Circumstances,
    Sort,
    begin_of,
    key_action,
    meeting,
    set_again,
    set_turn,
    sort_of,
    stands_for,
)
from services.leads.domain.robots.instants import arm
from services.leads.domain.state import LeadState

_SAYS_NOTHING: Final = (
    e.StageEntered,
    e.LeadAdopted,
    e.LeadMerged,
    e.LeadUnmerged,
    e.LeadAssigned,
    e.DeadlineSet,
    e.DeadlineMet,
    e.DeadlineAsked,
    e.DeadlineMissed,
    e.DeadlineDropped,
    e.RobotArmed,
    e.RobotCancelled,
    e.RobotSkipped,
    e.ActivityPlanned,
    e.ActivityClosed,
    e.EffectRequested,
)
"""Events by which no deadline can become done: all others are looked at."""


def react(
    state: LeadState, just: Sequence[e.Event], now: Circumstances, before: LeadState | None = None
) -> tuple[e.Event, ...]:
    """What follows for the deadlines from events that just happened. `state`: the lead after them; `before`: before them, None
    where that was looked at already, or there was no lead."""
    if state.erased or not just:
        return ()
    return tuple(_Reaction(state, just, now).all(before))


def concerns(state: LeadState, just: Sequence[e.Event], pipeline: Pipeline) -> bool:
    """Whether there is anything to ask: what every lead pays for, in a pipeline without deadlines."""
    if state.deadlines.open or pipeline.deadlines_by_id:
        return True
    return any(_begins_built_in(state, event) for event in just)


def _begins_built_in(state: LeadState, event: e.Event) -> bool:
    """Whether a deadline that no pipeline states begins with it."""
    if type(event) is e.LeadPooled:
        return True
    if not _plans_or_ends(type(event)):
        return False
    if isinstance(event, e.ActivityMoved):
        moved = state.activities.get(event.activity)
        return moved is not None and moved.key
    return getattr(event, "key", False) or getattr(event, "activity_kind", None) == "meeting"


@cache
def _plans_or_ends(kind: type[e.Event]) -> bool:
    return issubclass(kind, e.ActivityPlanned | e.ActivityMoved | e.ActivityDone)


@cache
def _tells(kind: type[e.Event]) -> bool:
    return not issubclass(kind, _SAYS_NOTHING)


@dataclass(slots=True)
class _Reaction:
    state: LeadState
    just: Sequence[e.Event]
    now: Circumstances
    over: set[UUID] = field(default_factory=set)
    """Turns that ended in this reaction."""

    def all(self, before: LeadState | None) -> Iterator[e.Event]:
        if before is not None:
            yield from self._overdue(before)
        for event in self.just:
            yield from self._of(event)
        if any(_tells(type(event)) for event in self.just):
            yield from self._done()
            yield from self._begun_by_what_was_recorded()

    def _open(self) -> list[e.DeadlineSet]:
        return [turn for turn in self.state.deadlines.open.values() if turn.timer not in self.over]

    def _close(self, turn: e.DeadlineSet, events: Iterable[e.Event], *, warning: bool = True) -> Iterator[e.Event]:
        self.over.add(turn.timer)
        yield from events
        if warning:
            yield from closing.warning_over(self.state, turn)

    # --- what had come to its end before this happened ----------------------------------------------------------------

    def _overdue(self, before: LeadState) -> Iterator[e.Event]:
        """Turns whose instant passed before this happened: decided by the lead as it was."""
        stays = self.state.root
        for turn in [turn for turn in self._open() if turn.timer in before.deadlines.open]:
            if turn.due_at >= self.now.at:
                continue
            found = verdict(before, turn, self.now.pipeline)
            # of a deal, what its lead's card says may have made it good without an event of its own
            ended = (
                closing.met(self.state, turn, found, self.now)
                if found.done
                else closing.missed(before, turn, found, self.now, self.state)
            )
            yield from self._close(turn, ended, warning=turn.visit == stays)

    # --- by what happened ---------------------------------------------------------------------------------------------

    def _of(self, event: e.Event) -> Iterator[e.Event]:
        state = self.state
        match event:
            case e.StageEntered():
                yield from self._change_of_stage(event)
            case e.LeadAdopted():
                yield from self._under_another_version()
            case e.DealWithdrawn():
                yield from self._drop(self._open(), "undone")
            case e.DealRestored():
                yield from self._again({"undone"})
            case e.LeadMerged():
                yield from self._drop(self._open(), "merged")
            case e.CardRecorded():
                yield from self._dates(frozenset(event.names))
            case e.ActivityPlanned(key=True, reason="robot" | "by_hand" | "recurring" | "undone") if event.due_at:
                if any(turn.activity == event.activity for turn in self._open()):
                    return  # it is somebody else's now, and due as before
                if state.deadlines.missed.get(event.activity) == event.due_at:
                    return  # somebody else's, or open again, and missed already
                yield from key_action(state, event, self.now)
            case e.ActivityMoved():
                yield from self._moved(event)
            case e.ActivityClosed():
                yield from self._closed(event)
            case e.ActivityDone(reason="by_hand"):
                yield from self._ticked_off(event)
            case e.RobotRan(effect=None):
                yield from self._after_robot(event.visit, event.robot)
            case e.EffectDone():
                effect = state.automation.effects.get(event.effect)
                if effect is not None and effect.robot is not None and effect.visit is not None:
                    yield from self._after_robot(effect.visit, effect.robot)
            case e.DeadlineSet():
                yield from self._begun(event)
            case e.LeadPooled():
                yield from self._nobody()
            case e.LeadAssigned():
                for turn in [turn for turn in self._open() if turn.deadline == POOL]:
                    yield from self._close(turn, closing.met(state, turn, Verdict(), self.now), warning=False)

    def _nobody(self) -> Iterator[e.Event]:
        """C4: nobody may have the lead: it waits so long in the pool before that is an incident of the head."""
        state = self.state
        if state.is_open and state.pooled and not any(turn.deadline == POOL for turn in self._open()):
            period = (self.now.pipeline.assignment or DEFAULT).pool_within
            yield from set_turn(state, Sort(POOL, period), self.now, "pool", self.now.at)

    def _begun(self, event: e.DeadlineSet) -> Iterator[e.Event]:
        """A turn began: its warning waits; one that follows another may be done already, by what came too late for that."""
        if event.timer not in self.state.deadlines.open or event.timer in self.over:
            return
        if event.because in ("again", "asked"):
            found = verdict(self.state, event, self.now.pipeline)
            if found.done:
                yield from self._close(event, closing.met(self.state, event, found, self.now), warning=False)
                return
        if event.warn_at is not None and not self.state.automation.waits(event.visit, event.deadline + WARNING):
            yield arm(
                self.state,
                event.deadline + WARNING,
                event.warn_at,
                "warning",
                calendar=event.calendar,
                visit=event.visit,
            )

    def _done(self) -> Iterator[e.Event]:
        """Everything is there: the turn is met at once."""
        for turn in self._open():
            if turn.visit != self.state.root and turn.deadline not in ACROSS_STAGES:
                continue
            found = verdict(self.state, turn, self.now.pipeline)
            if found.done:
                yield from self._close(turn, closing.met(self.state, turn, found, self.now))

    def _ticked_off(self, done: e.ActivityDone) -> Iterator[e.Event]:
        """Q4: a task ticked off without a result is not done; a meeting that was held owes its result (P9)."""
        for turn in self._open():
            if turn.activity != done.activity or turn.visit != self.state.root:
                continue
            found = verdict(self.state, turn, self.now.pipeline)
            if not found.done:
                yield from self._close(turn, closing.asked(self.state, turn, found, self.now))
        if done.activity_kind == "meeting":
            yield from self._result_owed()

    def _result_owed(self) -> Iterator[e.Event]:
        state = self.state
        recorded = state.facts.get("meeting_held")
        told = any(isinstance(event, e.MeetingHeld) for event in self.just)
        told = told or (recorded is not None and recorded.root == state.root)
        if told or state.deadlines.of(state.root, MEETING) or state.automation.waits(state.root, MEETING):
            return
        yield from set_turn(state, meeting(self.now), self.now, "meeting", self.now.at)

    # --- a change of stage --------------------------------------------------------------------------------------------

    def _change_of_stage(self, entered: e.StageEntered) -> Iterator[e.Event]:
        state = self.state
        if entered.cause == "adopted":
            return
        if entered.cause == "unmerged":
            yield from self._again({"merged"}, past=False)
            return
        if entered.undoes is not None:
            mistaken = [turn for turn in self._open() if turn.visit == entered.undoes]
            yield from self._drop([turn for turn in mistaken if turn.deadline != ACTIVITY], "undone")
            yield from self._again({"left_stage", "lead_closed"})
            return
        if entered.visit != state.visit:
            return
        yield from self._left("left_stage" if entered.kind == "open" else "lead_closed")
        if entered.basis != "import":
            yield from self.entry("entry")
        if state.pooled and state.before is not None and state.before.kind != "open":
            yield from self._nobody()  # it came back to work, and nobody may have it

    def _left(self, by: str) -> Iterator[e.Event]:
        """What was done when the stage was left is met; the rest is not needed any more. A key action goes with its task."""
        for turn in self._open():
            if turn.visit == self.state.root or turn.deadline == ACTIVITY:
                continue
            if turn.deadline == POOL and by == "left_stage":
                continue
            found = verdict(as_it_left(self.state, turn), turn, self.now.pipeline)
            met = closing.met(self.state, turn, found, self.now)
            ended = met if found.done else closing.dropped(self.state, turn, by)
            yield from self._close(
                turn, ended, warning=False
            )  # robots of the stage, and with them its warning, end there

    def entry(self, because: Any, *, only: str | None = None) -> Iterator[e.Event]:
        """The deadlines of the stage where the lead stands that begin by themselves, those that it has not had."""
        here = self.now.pipeline.by_id.get(self.state.stage)
        for deadline in here.deadlines if here is not None else ():
            if only is None or only == deadline.id:
                yield from self._begin(deadline, because)

    def _begin(self, deadline: Deadline, because: Any) -> Iterator[e.Event]:
        state, now = self.state, self.now
        if state.deadlines.had(state.root, deadline.id) or not stands_for(state, deadline, now):
            return
        begin = begin_of(state, deadline, now)
        if begin is None or (deadline.done and lacks_of(state, deadline, state.stage, now.pipeline).done):
            return
        if because == "entry" and deadline.start is not None:
            because = "date"
        yield from set_turn(
            state, sort_of(state, deadline, now), now, because, now.at if because == "started" else begin
        )

    def _drop(self, turns: Sequence[e.DeadlineSet], by: str) -> Iterator[e.Event]:
        for turn in turns:
            yield from self._close(turn, closing.dropped(self.state, turn, by), warning=False)

    def _again(self, by: set[str], *, past: bool = True) -> Iterator[e.Event]:
        """What ended the turns of the visit that goes on is taken back: they are set for the same instant."""
        state = self.state
        for (visit, deadline), dropped in state.deadlines.dropped.items():
            if visit != state.root or dropped.by not in by or state.deadlines.of(visit, deadline) is not None:
                continue
            if (
                deadline == ACTIVITY
                or (deadline == POOL and not state.pooled)
                or not (past or dropped.turn.due_at > self.now.times.now)
            ):
                continue
            yield from set_again(state, dropped.turn, self._sort(deadline), self.now)

    def _sort(self, deadline: str) -> Sort | None:
        if deadline == MEETING:
            return meeting(self.now)
        if deadline == POOL:
            return Sort(POOL, (self.now.pipeline.assignment or DEFAULT).pool_within)
        found = self.now.pipeline.deadlines_by_id.get(deadline)
        return sort_of(self.state, found[1], self.now) if found is not None else None

    def _under_another_version(self) -> Iterator[e.Event]:
        """M3: a turn goes on where the version has the deadline still; nothing begins."""
        here = self.now.pipeline.by_id.get(self.state.stage)
        known = BUILT_IN | (here.deadlines_by_id.keys() if here is not None else set())
        yield from self._drop([turn for turn in self._open() if turn.deadline not in known], "adopted")

    # --- what begins later --------------------------------------------------------------------------------------------

    def _after_robot(self, visit: int, robot: str) -> Iterator[e.Event]:
        yield from self._begin_where(lambda d: d.start is not None and d.start.robot == robot, "robot", visit)

    def _begun_by_what_was_recorded(self) -> Iterator[e.Event]:
        def recorded(deadline: Deadline) -> bool:
            if deadline.start is None or deadline.start.fact is None:
                return False
            fact = held(self.state, self.now.pipeline, deadline.start.fact)
            return fact is not None and fact.root == self.state.root and fact.at >= (self.state.root_at or fact.at)

        yield from self._begin_where(recorded, "fact", self.state.root)

    def _begin_where(self, begins: Any, because: Any, visit: int) -> Iterator[e.Event]:
        state, now = self.state, self.now
        here = now.pipeline.by_id.get(state.stage)
        if here is None or visit != state.root or state.merged_into is not None:
            return
        for deadline in here.deadlines:
            if state.deadlines.had(visit, deadline.id) or not begins(deadline) or not stands_for(state, deadline, now):
                continue
            if deadline.done and lacks_of(state, deadline, state.stage, now.pipeline).done:
                continue
            yield from set_turn(state, sort_of(state, deadline, now), now, because, now.at)

    def _dates(self, changed: frozenset[str]) -> Iterator[e.Event]:
        """A date on the card was written: the deadline that goes by it has another instant, or none."""
        here = self.now.pipeline.by_id.get(self.state.stage)
        for deadline in here.deadlines if here is not None else ():
            if deadline.start is None or deadline.start.date not in changed:
                continue
            turn = self.state.deadlines.of(self.state.root, deadline.id)
            begin = begin_of(self.state, deadline, self.now)
            if turn is None:
                yield from self._begin(deadline, "date")
            elif turn.because == "date" and begin != turn.begun_at and turn.timer not in self.over:
                yield from self._close(turn, closing.dropped(self.state, turn, "retimed"))
                if begin is not None:
                    sort = sort_of(self.state, deadline, self.now)
                    yield from set_turn(self.state, sort, self.now, "date", begin, replaces=turn.timer)

    def _moved(self, moved: e.ActivityMoved) -> Iterator[e.Event]:
        """Q7: a key action has another instant; after a miss it is a deadline anew."""
        open_turns = self._open()
        activity = self.state.activities.get(moved.activity)
        if activity is not None and activity.key and all(turn.activity != moved.activity for turn in open_turns):
            if activity.is_open and activity.planned is not None and moved.due_at is not None:
                again = activity.planned.model_copy(update={"due_at": moved.due_at})
                yield from key_action(self.state, again, self.now)
            return
        for turn in open_turns:
            if turn.deadline == ACTIVITY and turn.activity == moved.activity:
                yield from self._close(turn, closing.dropped(self.state, turn, "retimed"))
                if moved.due_at is not None:
                    sort = Sort(ACTIVITY, _length_of(turn))
                    yield from set_turn(
                        self.state,
                        sort,
                        self.now,
                        "planned",
                        self.now.at,
                        visit=turn.visit,
                        activity=moved.activity,
                        due_at=moved.due_at,
                        replaces=turn.timer,
                    )

    def _closed(self, closed: e.ActivityClosed) -> Iterator[e.Event]:
        """Q7: a key action is not needed any more."""
        by = closed.reason if closed.reason in ("left_stage", "undone", "lead_closed", "by_hand") else "by_hand"
        for turn in self._open():
            if turn.deadline == ACTIVITY and turn.activity == closed.activity:
                yield from self._close(turn, closing.dropped(self.state, turn, by))


def _length_of(turn: e.DeadlineSet) -> Period:
    return Period(**turn.term.model_dump())


def restart(state: LeadState, now: Circumstances, only: str | None = None) -> tuple[e.Event, ...]:
    """N5: the deadlines of the stage where the lead stands that it has not had in this visit, from `now.at` on."""
    if state.erased or state.merged_into is not None:
        return ()
    return tuple(_Reaction(state, (), now).entry("started", only=only))

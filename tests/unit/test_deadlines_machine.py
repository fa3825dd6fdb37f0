"""Q4, Q6, Q7, N1: whatever happens to a lead, in whatever order, each turn of a deadline ends once.

The oracle counts in the events, by lists of its own; it never asks the production fold.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts import events as e
from contracts.commands import Refusal
from tests.unit.given_deadlines import QUALIFY, TAKE, Deadlines, pipeline_of
from tests.unit.given_pipeline import HEAD
from tests.unit.given_robots import MOSCOW

DATED = """
      - id: measuring
        titles: {ru: "Замер", en: "Measuring"}
        task: {ru: "Записать размеры", en: "Write the sizes down"}
        start: {date: visit_on}
        within: [{period: {hours: 4, working: true}}]
        warn: {hours: 1, working: true}
      - id: after_word
        titles: {ru: "После согласия", en: "After consent"}
        start: {fact: agreed}
        within: [{period: {hours: 2}}]
        done: [{field: budget}]
        again: false
"""
KEY = """[{id: key_call, titles: {ru: "Звонок", en: "Call"}, on_leave: keep,
  do: {plan: call, key: true, due: {hours: 6, working: true}, text: {ru: "Позвонить", en: "Call"}}}]"""
PIPELINES = [
    pipeline_of(TAKE, QUALIFY),
    pipeline_of(TAKE, QUALIFY + DATED, robots=KEY),
    pipeline_of("", QUALIFY + "        repeat: {days: 1}\n        again: true\n" + DATED),
]
CLOSINGS = (e.DeadlineMet, e.DeadlineAsked, e.DeadlineMissed, e.DeadlineDropped)


class DeadlineMachine(RuleBasedStateMachine):
    """A lead with deadlines in two stages, to which anything may happen."""

    @initialize(which=st.integers(0, len(PIPELINES) - 1), phone=st.booleans())
    def begin(self, which: int, phone: bool) -> None:
        self.story = Deadlines(PIPELINES[which], **({} if phone else {"phone": None}))

    @rule(minutes=st.integers(0, 60 * 30))
    def time_goes_on(self, minutes: int) -> None:
        self.story.until(minutes=minutes)
        assert [turn for turn in self.still_open() if turn.due_at <= self.story.now] == []

    @rule(minutes=st.integers(1, 60 * 30))
    def the_robots_service_is_away(self, minutes: int) -> None:
        self.story.now += timedelta(minutes=minutes)

    @rule(to=st.sampled_from(["new", "work", "offer", "deal"]))
    def move(self, to: str) -> None:
        self.story.give("convert" if to == "deal" else "move", **({} if to == "deal" else {"to": to}))

    @rule()
    def undo(self) -> None:
        self.story.give("undo", by=HEAD)

    @rule()
    def close(self) -> None:
        self.story.give("reject", status="poor", reason="silent")

    @rule(days=st.integers(1, 9))
    def pause(self, days: int) -> None:
        self.story.give("pause", until=(self.story.now + timedelta(days=days)).date(), reason="x")

    @rule()
    def reopen(self) -> None:
        self.story.give("reopen", by=HEAD)

    @rule(value=st.sampled_from(["good", "poor"]))
    def judge(self, value: str) -> None:
        self.story.give("establish", fact="quality", value=value)

    @rule()
    def agree(self) -> None:
        self.story.give("establish", fact="agreed")

    @rule(field=st.sampled_from(["size", "budget", "why_poor"]), empty=st.booleans())
    def write(self, field: str, empty: bool) -> None:
        value = {"size": "3000", "budget": "5", "why_poor": "silent"}[field]
        self.story.give("record", fields={field: "" if empty else value})

    @rule(day=st.one_of(st.none(), st.dates(date(2026, 3, 1), date(2026, 4, 1))))
    def write_the_date(self, day: date | None) -> None:
        self.story.give("record", fields={"visit_on": day.isoformat() if day else ""})

    @rule()
    def see_and_accept(self) -> None:
        self.story.give("see")
        self.story.give("accept")

    @rule(data=st.data())
    def tick(self, data: Any) -> None:
        waiting = [i for i, activity in self.story.lead.activities.items() if activity.done_at is None]
        if waiting:
            self.story.give("complete", activity=data.draw(st.sampled_from(waiting)), result="готово")

    @rule(to=st.sampled_from(["anna", "boris"]))
    def assign(self, to: str) -> None:
        self.story.give("assign", to=to)

    @rule()
    def start(self) -> None:
        self.story.give("start_robots")

    @rule()
    def publish(self) -> None:
        adopted = e.LeadAdopted(pipeline="stone", number=1, from_pipeline="stone", from_number=1, reason="published")
        self.story.arrives(adopted)

    def still_open(self) -> list[e.DeadlineSet]:
        over = {event.timer for event in self.story.of(*CLOSINGS)}
        return [event for event in self.story.of(e.DeadlineSet) if event.timer not in over]

    @invariant()
    def each_turn_ends_once(self) -> None:
        if not hasattr(self, "story"):
            return
        begun = [event.timer for event in self.story.of(e.DeadlineSet)]
        ended = Counter(event.timer for event in self.story.of(*CLOSINGS))
        assert len(begun) == len(set(begun)), "a turn has a timer of its own"
        assert set(ended) <= set(begun)
        assert all(count == 1 for count in ended.values()), "set = met + asked + missed + dropped + open"
        assert {turn.timer for turn in self.still_open()} == set(self.story.lead.deadlines.open)

    @invariant()
    def a_deadline_has_one_open_turn_in_a_stage(self) -> None:
        if not hasattr(self, "story"):
            return
        places = Counter((t.visit, t.deadline) for t in self.still_open() if t.deadline != "activity")
        assert all(count == 1 for count in places.values())
        assert all(t.visit == self.story.lead.root for t in self.still_open() if t.deadline != "activity")

    @invariant()
    def each_open_turn_with_a_task_has_it_open_and_no_other_turns_task_is(self) -> None:
        if not hasattr(self, "story"):
            return
        activities = self.story.lead.activities
        due = {turn.activity for turn in self.still_open() if turn.activity is not None}
        missed = {event.activity for event in self.story.of(e.DeadlineMissed)}
        assert all(activities[activity].done_at is None for activity in due if activity is not None)
        left = {i for i, a in activities.items() if a.reason == "deadline" and a.done_at is None and a.due_at}
        assert left <= due | missed

    @invariant()
    def warnings_wait_for_open_turns_alone(self) -> None:
        if not hasattr(self, "story"):
            return
        over = {event.timer for event in self.story.of(e.RobotRan, e.RobotSkipped, e.RobotCancelled, e.RobotFailed)}
        waiting = [a for a in self.story.of(e.RobotArmed) if a.robot.endswith(".warning") and a.timer not in over]
        turns = {(turn.visit, f"{turn.deadline}.warning") for turn in self.still_open()}
        assert {(armed.visit, armed.robot) for armed in waiting} <= turns

    @invariant()
    def a_miss_is_of_whoever_had_the_lead_then(self) -> None:
        if not hasattr(self, "story"):
            return
        given = [
            (meta.happened_at, event.to)
            for meta, event in zip(self.story.metas, self.story.events, strict=True)
            if isinstance(event, e.LeadAssigned)
        ]
        for missed in self.story.of(e.DeadlineMissed):
            assert missed.responsible == [to for at, to in given if at <= missed.due_at][-1]

    def teardown(self) -> None:
        if hasattr(self, "story"):
            calendar = self.story.calendar
            assert calendar == MOSCOW
            for timer in [turn.timer for turn in self.story.of(e.DeadlineSet)][:3]:
                count = len(self.story.events)
                if timer not in self.story.lead.deadlines.open:
                    assert isinstance(self.story.fire(timer, "x"), Refusal)
                    assert len(self.story.events) == count


TestDeadlineMachine = DeadlineMachine.TestCase
TestDeadlineMachine.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)

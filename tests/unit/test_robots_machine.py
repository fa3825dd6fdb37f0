"""N1, N2, R6, C7: whatever happens to a lead, in whatever order, its robots keep their promises.

The oracle counts in the events, by lists of its own; it never asks the production fold.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts import events as e
from tests.unit.given_pipeline import HEAD
from tests.unit.given_robots import Robots, pipeline_of
from tests.unit.test_robots import TEMPLATES, robot

CALL = "{plan: call, text: {ru: а, en: b}}"
SPANS = [
    "{minutes: 10}",
    "{hours: 3}",
    "{days: 1}",
    "{days: 2, working: true}",
    "{hours: 5, working: true}",
    "{months: 1}",
]
DOES = [
    CALL,
    "{tag: a}",
    "{tag: b}",
    "{email: thanks}",
    "{sms: place}",
    "{audience: x, service: vk}",
    "{move: work}",
    "{move: new}",
]
CHANNEL = {"email": "email", "sms": "sms", "audience": "ads"}


@st.composite
def chains(draw: Any, stage: str) -> str:
    """Some robots of a stage, that may follow one another."""
    made: list[str] = []
    for n in range(draw(st.integers(1, 4))):
        more: dict[str, str] = {"on_leave": draw(st.sampled_from(["cancel", "keep", "run_now"]))}
        start = draw(st.sampled_from(["at once", "delay", "date", "after", "day"]))
        span = draw(st.sampled_from(SPANS))
        if start == "delay":
            more["start"] = f"{{delay: {span}}}"
        elif start == "date":
            more["start"] = f"{{date: lesson, {draw(st.sampled_from(['before: {days: 1}', 'delay: {hours: 1}']))}}}"
        elif start == "day":
            more["start"] = '{day: "03-20", in_hours: true}'
        elif start == "after" and made:
            more["start"] = f"{{after: {stage}{draw(st.integers(0, n - 1))}, delay: {span}}}"
            more["when_predecessor_did_not_run"] = draw(st.sampled_from(["skip", "run"]))
        if draw(st.booleans()):
            more["when"] = "has(card.budget)"
        do = draw(st.sampled_from([d for d in DOES if d != f"{{move: {stage}}}"]))
        made.append(robot(f"{stage}{n}", do, **more))
    return ", ".join(made)


class RobotMachine(RuleBasedStateMachine):
    """A lead with robots in two stages, to which anything may happen."""

    @initialize(first=chains("new"), second=chains("work"))
    def begin(self, first: str, second: str) -> None:
        stages = f"""
  - {{id: new, titles: {{ru: а, en: b}}, kind: open, robots: [{first}]}}
  - {{id: work, titles: {{ru: в, en: c}}, kind: open, robots: [{second}]}}
"""
        self.story = Robots(pipeline_of(stages, TEMPLATES))
        self.refused_at: dict[str, int] = {}
        self.cut_off: datetime | None = None

    @rule(hours=st.integers(0, 24 * 12))
    def time_goes_on(self, hours: int) -> None:
        self.story.until(hours=hours)
        now = self.story.now
        late = [a for a in self.open_timers().values() if a.due_at <= now]
        assert late == [], "every robot whose instant came is closed"

    @rule(to=st.sampled_from(["new", "work"]))
    def move(self, to: str) -> None:
        self.story.give("move", to=to)

    @rule(to=st.sampled_from(["new", "work"]), days=st.lists(st.dates(date(2026, 3, 1), date(2026, 5, 1)), max_size=2))
    def move_with_dates(self, to: str, days: list[date]) -> None:
        first = [{"type": "record", "fields": {"lesson": day.isoformat()}} for day in days]
        self.story.give("move", to=to, first=first)

    @rule()
    def undo(self) -> None:
        self.story.give("undo")

    @rule()
    def close_and_reopen(self) -> None:
        self.story.give("reject", status="poor", reason="silent")
        self.story.give("reopen", by=HEAD)

    @rule(days=st.integers(1, 20))
    def pause(self, days: int) -> None:
        self.story.give("pause", until=(self.story.now + timedelta(days=days)).date(), reason="x")

    @rule(day=st.dates(date(2026, 3, 1), date(2026, 5, 1)))
    def write_the_date(self, day: date) -> None:
        self.story.give("record", fields={"lesson": day.isoformat()})

    @rule(budget=st.sampled_from(["", "5"]))
    def write_the_budget(self, budget: str) -> None:
        self.story.give("record", fields={"budget": budget})

    @rule(outcome=st.sampled_from(["done", "failed"]), kind=st.sampled_from(["email", "sms", "audience"]))
    def report(self, outcome: str, kind: str) -> None:
        self.story.report(outcome, kind=kind, **({"reason": "gave_up"} if outcome == "failed" else {}))

    @rule(data=st.data())
    def repeat(self, data: Any) -> None:
        effects = [event.effect for event in self.story.of(e.EffectRequested)]
        if effects:
            self.story.give("repeat", effect=data.draw(st.sampled_from(effects)))

    @rule(channel=st.sampled_from(["email", "sms", "ads", "phone"]))
    def refuse(self, channel: str) -> None:
        self.story.refuse(channel)
        self.refused_at.setdefault(channel, len(self.story.events))

    @rule(data=st.data())
    def redeliver(self, data: Any) -> None:
        """A `fire` comes again, or too early, or for a timer that never was."""
        timers = [(a.timer, a.robot) for a in self.story.of(e.RobotArmed)] + [(uuid4(), "none")]
        timer, name = data.draw(st.sampled_from(timers))
        closed = timer not in self.open_timers()
        due = {a.timer: a.due_at for a in self.story.of(e.RobotArmed)}.get(timer, datetime.max.replace(tzinfo=UTC))
        count = len(self.story.events)
        self.story.fire(timer, name)
        if closed or due > self.story.now:
            assert len(self.story.events) == count, "nothing changes by it"

    @rule(data=st.data())
    def take_back(self, data: Any) -> None:
        waiting = sorted(self.open_timers())
        if waiting:
            self.story.give("cancel_robot", timer=data.draw(st.sampled_from(waiting)))

    @rule()
    def start_for_who_had_none(self) -> None:
        self.story.give("start_robots")

    def open_timers(self) -> dict[Any, e.RobotArmed]:
        """By the oracle: what was armed and not closed."""
        closed = {event.timer for event in self.story.of(e.RobotRan, e.RobotSkipped, e.RobotCancelled, e.RobotFailed)}
        return {a.timer: a for a in self.story.of(e.RobotArmed) if a.timer not in closed}

    @invariant()
    def N2_armed_is_closed_and_waiting(self) -> None:
        armed = Counter(event.timer for event in self.story.of(e.RobotArmed))
        closed = Counter(
            event.timer for event in self.story.of(e.RobotRan, e.RobotSkipped, e.RobotCancelled, e.RobotFailed)
        )
        assert set(armed.values()) <= {1}, "a timer is armed once"
        assert set(closed.values()) <= {1}, "a timer is closed once"
        assert closed.keys() <= armed.keys(), "nothing is closed that was never armed"
        assert set(self.open_timers()) == set(self.story.lead.automation.armed)

    @invariant()
    def N1_each_robot_runs_once_in_a_visit(self) -> None:
        ran = Counter((event.visit, event.robot) for event in self.story.of(e.RobotRan))
        assert all(count == 1 for (_, name), count in ran.items() if name not in ("pause", "meeting_result")), ran
        waiting = Counter((a.visit, a.robot) for a in self.open_timers().values())
        assert set(waiting.values()) <= {1}
        effects = Counter(event.effect for event in self.story.of(e.EffectRequested))
        assert set(effects.values()) <= {1}

    @invariant()
    def R1_nothing_runs_before_its_instant(self) -> None:
        due = {a.timer: a.due_at for a in self.story.of(e.RobotArmed)}
        for meta, event in zip(self.story.metas, self.story.events, strict=True):
            if isinstance(event, e.RobotRan | e.RobotSkipped | e.RobotFailed) and event.timer in due:
                assert meta.happened_at >= due[event.timer] or getattr(event, "reason", "") == "predecessor"

    @invariant()
    def C7_nothing_is_requested_on_a_refused_channel(self) -> None:
        for number, event in enumerate(self.story.events):
            if isinstance(event, e.EffectRequested) and event.action != "remove" and event.effect_kind in CHANNEL:
                refused = self.refused_at.get(CHANNEL[event.effect_kind])
                assert refused is None or number < refused

    @invariant()
    def N3_no_loop_is_longer_than_ten_moves(self) -> None:
        assert max(meta.autodepth for meta in self.story.metas) <= 10


RobotMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
TestRobotMachine = RobotMachine.TestCase

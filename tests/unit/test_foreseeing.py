"""What robots would do is what they then do (N5), and it is told in both languages."""

from __future__ import annotations

from datetime import timedelta
from string import Formatter
from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import events as e
from contracts.events.robots import RobotDid
from services.leads.domain.robots import foreseeing
from services.leads.domain.robots.foreseeing import foresee
from services.leads.starting.asking import Left
from services.ops.robots.telling import WORDS
from tests.unit.given_robots import Robots, pipeline_of

ACTS = (
    "{email: hello}",
    "{plan: call, text: {ru: а, en: b}, due: {hours: 1, working: true}}",
    "{notify_head: {ru: а, en: b}}",
    "{tag: seen}",
    "{field: budget, value: '5'}",
    "{audience: Все, service: vk}",
    "{webhook: crm}",
    "{assign: boris}",
    "{move: OTHER}",
    "{reject: poor, reason: silent}",
)
TEMPLATE = """
templates:
  - {id: hello, titles: {ru: а, en: b}, kind: email, ru: {subject: а, text: а}, en: {subject: b, text: b}}
"""


@st.composite
def stages(draw: st.DrawFn) -> str:
    """Two stages with robots of every kind, conditions, chains and repeats."""
    text, number = "", 0
    for stage in ("new", "work"):
        text += f"  - id: {stage}\n    titles: {{ru: а, en: b}}\n    kind: open\n    robots:\n"
        here: list[str] = []
        for _ in range(draw(st.integers(1, 5))):
            number += 1
            start = {f"delay: {{days: {draw(st.integers(0, 6))}, hours: {draw(st.integers(1, 30))}}}"}
            if bool(here) and draw(st.booleans()):
                start.add(f"after: {draw(st.sampled_from(here))}")
            elif draw(st.integers(0, 4)) == 0:
                start.add(f"every: {{days: {draw(st.integers(1, 5))}}}")
            act = draw(st.sampled_from(ACTS)).replace("OTHER", "work" if stage == "new" else "new")
            when = draw(st.sampled_from(("", ", when: \"lead.name == 'Boris'\"", ', when: "has(card.budget)"')))
            policy = draw(st.sampled_from(("cancel", "keep", "run_now")))
            starts = f"start: {{{', '.join(sorted(start))}}}, on_leave: {policy}"
            text += f"      - {{id: r{number}, titles: {{ru: а, en: b}}, do: {act}, {starts}{when}}}\n"
            here.append(f"r{number}")
    return text


class AllArrives(Robots):
    """A story in which everything that goes out is done at once."""

    def fire(self, timer: Any, robot: str) -> Any:
        answer = super().fire(timer, robot)
        for kind in ("email", "audience", "webhook", "notice"):
            self.report(kind=kind)
        return answer


@settings(max_examples=60, deadline=None)
@given(stages())
def test_N5_what_is_foreseen_is_what_then_happens(text: str) -> None:
    story = AllArrives(pipeline_of(text, TEMPLATE))
    timers, until = list(story.lead.automation.armed), story.now + timedelta(days=14)
    found = foresee(story.lead, timers, story.pipeline, story.around, until)
    before = len(story.events)
    story.until(until)
    kinds = (
        e.RobotArmed,
        e.RobotRan,
        e.RobotSkipped,
        e.RobotCancelled,
        e.ActivityPlanned,
        e.StageEntered,
        e.EffectDone,
    )
    happened = [
        (meta.happened_at, event)
        for meta, event in zip(story.metas[before:], story.events[before:], strict=True)
        if isinstance(event, kinds)
    ]
    assert [(h.at, h.event) for h in found.happenings if isinstance(h.event, kinds)] == happened
    assert not found.cut


def test_N5_what_waited_before_is_not_told_and_a_lead_is_looked_at_only_so_far(monkeypatch: Any) -> None:
    robots = "".join(f"      - {{id: r{n}, titles: {{ru: а, en: b}}, do: {{tag: t{n}}}}}\n" for n in range(4))
    stage = f"  - id: new\n    titles: {{ru: а, en: b}}\n    kind: open\n    robots:\n{robots}"
    story = Robots(pipeline_of(stage))
    timers = list(story.lead.automation.armed)
    one = foresee(story.lead, timers[:1], story.pipeline, story.around, story.now)
    assert [h.event.robot for h in one.happenings if isinstance(h.event, e.RobotRan)] == ["r0"]
    monkeypatch.setattr(foreseeing, "MOST", 3)
    cut = foresee(story.lead, timers, story.pipeline, story.around, story.now)
    assert (sum(isinstance(h.event, e.RobotRan) for h in cut.happenings), cut.cut) == (3, True)


def test_N5_every_reason_and_act_has_words_in_both_languages() -> None:
    tasks = {"plan", "notify_head"}  # they are in the table of tasks
    wanted = {f"did.{word}" for word in set(get_args(RobotDid)) - tasks}
    wanted |= {f"skip.{reason}" for reason in get_args(e.RobotSkipped.model_fields["reason"].annotation)}
    wanted |= {f"left.{why}" for why in get_args(Left)}
    assert wanted <= WORDS.keys()
    for key, texts in WORDS.items():
        ru, en = ({name for _, name, _, _ in Formatter().parse(text) if name} for text in texts)
        assert ru == en, key

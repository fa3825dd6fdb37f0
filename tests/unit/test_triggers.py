"""R5: triggers move a lead by what its client does, where the rules allow, and say why where they do not."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from contracts import events as e
from tests.unit.given_pipeline import BEGAN
from tests.unit.given_robots import Robots, pipeline_of


def ladder(triggers: str = "", last: str = "", exit: str = "") -> Robots:
    """Stages new → work → talk; `triggers` stand on work, `last` on talk; `exit` is what new waits for."""
    stages = f"""
  - {{id: new, titles: {{ru: "Новый", en: "New"}}, kind: open, exit: [{exit}], moves: [{{to: work}}, {{to: talk}}]}}
  - {{id: work, titles: {{ru: "В работе", en: "In work"}}, kind: open, triggers: [{triggers}]}}
  - {{id: talk, titles: {{ru: "Разговор", en: "Talk"}}, kind: open, triggers: [{last}]}}
"""
    return Robots(pipeline_of(stages))


def trigger(name: str, on: str, **more: str) -> str:
    """A trigger as YAML."""
    said = "".join(f", {key}: {value}" for key, value in more.items())
    return f"{{id: {name}, titles: {{ru: «{name}», en: {name}}}, on: {on}{said}}}"


def letter() -> e.Event:
    """The client writes."""
    return e.LetterReceived(
        inbound_id=uuid4(), account="leads", received_at=BEGAN, email="anna@example.org", subject="Re", text="да"
    )


def call(*, answered: bool, name: str = "c1", updated: bool = False, direction: Any = "in") -> e.Event:
    """The client calls."""
    kind = e.CallUpdated if updated else e.CallRecorded
    return kind(
        inbound_id=uuid4(),
        call_id=name,
        call_direction=direction,
        answered=answered,
        started_at=BEGAN,
        number="+79161234567",
    )


def joined(channel: str) -> e.Event:
    """A further message of the client."""
    return e.InboundJoined(inbound_id=uuid4(), channel=channel, source="s", received_at=BEGAN)


VISIT = e.VisitRecorded(inbound_id=uuid4(), received_at=BEGAN, page="/price")
OFFER = e.OfferMade.model_validate({"volume": "1", "price": {"amount": "1", "currency": "RUB"}, "delivery_days": 1})


@pytest.mark.parametrize(
    ("on", "what"),
    [
        ("letter", letter()),
        ("call_answered", call(answered=True)),
        ("call_missed", call(answered=False)),
        ("form", joined("form")),
        ("message", joined("message")),
        ("visit", VISIT),
        ("event, type: leadline.lead.offer_made", OFFER),
        ("event, type: leadline.deal.offer_made", OFFER),
    ],
)
def test_R5_every_kind_of_trigger_moves_the_lead_by_what_it_waits_for_and_by_nothing_else(
    on: str, what: e.Event
) -> None:
    others = [letter(), call(answered=True), call(answered=False), joined("form"), joined("message"), VISIT, OFFER]
    story = ladder(trigger("it", on)).arrives(what)
    assert story.lead.stage == "work"
    [fired] = story.of(e.TriggerFired)
    number = next(n for n, event in enumerate(story.events, 1) if event is what)
    assert fired.because == f"{story.lead.lead}-{number}"
    for other in others:
        if type(other) is not type(what) or getattr(other, "channel", "") != getattr(what, "channel", ""):
            quiet = ladder(trigger("it", on)).arrives(other)
            assert quiet.lead.stage == "new", (on, other)
            assert quiet.of(e.TriggerFired, e.TriggerRefused) == []


def test_R5_the_form_that_a_lead_comes_by_is_a_filled_form_too() -> None:
    stages = f"""
  - {{id: new, titles: {{ru: "Новый", en: "New"}}, kind: open}}
  - {{id: work, titles: {{ru: "В работе", en: "In work"}}, kind: open, triggers: [{trigger("it", "form")}]}}
"""
    assert Robots(pipeline_of(stages), channel="form").lead.stage == "work"
    assert Robots(pipeline_of(stages)).lead.stage == "new"


def test_R5_a_later_report_of_the_same_call_is_no_second_call() -> None:
    story = ladder(trigger("it", "call_answered")).arrives(call(answered=True)).given("move", to="new")
    story.arrives(call(answered=True, updated=True))
    assert story.lead.stage == "new"
    story = ladder(trigger("it", "call_answered")).arrives(call(answered=False))
    story.arrives(call(answered=True, updated=True))
    assert story.lead.stage == "work", "it rang first, and was answered then"


def test_R5_our_own_call_is_nothing_that_the_client_does() -> None:
    assert ladder(trigger("it", "call_answered")).arrives(call(answered=True, direction="out")).lead.stage == "new"


def test_R5_a_condition_that_does_not_hold_is_told_with_its_clause_and_values() -> None:
    story = (
        ladder(trigger("it", "letter", when="card.budget > 10.0"))
        .given("record", fields={"budget": "5"})
        .arrives(letter())
    )
    [refused] = story.of(e.TriggerRefused)
    assert (refused.reason, refused.clause, refused.values) == (
        "condition",
        "card.budget > 10.0",
        {"card.budget": "5.0"},
    )
    assert story.lead.stage == "new"
    assert story.of(e.ActivityPlanned) == [], "it was not meant to move"


def test_R5_rules_that_do_not_let_the_lead_go_make_a_recorded_refusal_and_one_task() -> None:
    story = ladder(trigger("it", "letter"), exit="{fact: agreed}").arrives(letter()).arrives(letter())
    assert [r.rules for r in story.of(e.TriggerRefused)] == [("S2.exit_criteria",)] * 2
    [task] = story.of(e.ActivityPlanned)
    assert (task.activity_kind, task.reason, task.robot) == ("task", "trigger_refused", "it")
    assert "agreed" not in (task.text or "")
    assert "согласен" in (task.text or "")
    assert story.lead.stage == "new"


def test_R5_of_two_triggers_on_one_event_the_first_along_the_scale_moves_and_both_are_explained() -> None:
    story = ladder(trigger("first", "letter"), trigger("second", "letter")).arrives(letter())
    assert story.lead.stage == "work"
    [fired], [refused] = story.of(e.TriggerFired), story.of(e.TriggerRefused)
    assert (fired.trigger, refused.trigger, refused.reason, refused.other) == (
        "first",
        "second",
        "other_trigger",
        "first",
    )


def test_R5_racing_triggers_are_decided_by_the_order_of_events_and_the_overtaken_one_says_so() -> None:
    only_new = "[new]"
    story = ladder(
        trigger("wrote", "letter", from_stages=only_new), trigger("called", "call_missed", from_stages=only_new)
    )
    story.arrives(letter()).arrives(call(answered=False))
    assert story.lead.stage == "work"
    [refused] = story.of(e.TriggerRefused)
    assert (refused.trigger, refused.reason, refused.other) == ("called", "other_trigger", "wrote")
    other = ladder(
        trigger("wrote", "letter", from_stages=only_new), trigger("called", "call_missed", from_stages=only_new)
    )
    other.arrives(call(answered=False)).arrives(letter())
    assert other.lead.stage == "talk"
    assert [r.trigger for r in other.of(e.TriggerRefused)] == ["wrote"]


def test_R5_a_trigger_never_moves_a_lead_back_nor_out_of_an_outcome() -> None:
    story = ladder(trigger("it", "letter")).given("move", to="talk").arrives(letter())
    assert (story.lead.stage, story.of(e.TriggerRefused)) == ("talk", [])
    story = ladder(trigger("it", "letter")).given("reject", status="poor", reason="silent").arrives(letter())
    assert story.lead.stage == "poor"


def test_R6_what_a_trigger_does_leaves_the_stage_as_everyone_does() -> None:
    stages = f"""
  - id: new
    titles: {{ru: "Новый", en: "New"}}
    kind: open
    robots: [{{id: nag, titles: {{ru: а, en: b}}, do: {{tag: nagged}}, start: {{delay: {{days: 1}}}}}}]
  - {{id: work, titles: {{ru: "В работе", en: "In work"}}, kind: open, triggers: [{trigger("it", "letter")}]}}
"""
    story = Robots(pipeline_of(stages)).arrives(letter())
    assert [(c.robot, c.by) for c in story.of(e.RobotCancelled)] == [("nag", "left_stage")]
    assert story.lead.autodepth == 1
    assert story.arrives(joined("message")).lead.autodepth == 0


def test_N3_a_loop_of_triggers_on_events_that_triggers_make_is_stopped() -> None:
    on = "event, type: leadline.lead.stage_entered"
    stages = f"""
  - id: new
    titles: {{ru: "Новый", en: "New"}}
    kind: open
    triggers: [{trigger("back", on, from_stages="[work]")}]
  - {{id: work, titles: {{ru: "В", en: "W"}}, kind: open, triggers: [{trigger("there", on, from_stages="[new]")}]}}
"""
    story = Robots(pipeline_of(stages))
    story.given("see").given("move", to="work") if story.lead.stage == "new" else None
    fired, refused = story.of(e.TriggerFired), story.of(e.TriggerRefused)
    assert len(fired) <= 20
    assert refused[-1].reason == "loop"

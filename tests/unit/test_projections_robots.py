"""N2, R6: robots' rows, event by event as production makes them, are those that all events of a lead give when looked at as a
whole (`verify`), whatever happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from contracts import events as e
from contracts.events.deal import OF_DEALS
from contracts.meta import Meta
from projections.event import Event
from projections.robots import projection as robots
from services.ops.verify.opened import Opened
from services.ops.verify.projected import robots as folded
from tests.unit.given_robots import Robots
from tests.unit.test_robot_account import letter_from
from tests.unit.test_robots import robot, school

LEAD = UUID(int=7)


def record(meta: Meta, event: e.Event) -> dict[str, Any]:
    """The plain fields of an event as its record has them."""
    return event.model_dump(mode="json", exclude=set(event.PERSONAL), exclude_none=True)


def topic_of(event: e.Event, *, deal: bool) -> str:
    """The event's type, of a lead or of a deal."""
    of_deals = {of: cls.TOPIC for of, cls in OF_DEALS.items()}
    return next((topic for of, topic in of_deals.items() if deal and type(event) is of), event.TOPIC)


def applied(story: Robots, parts: int, *, deal: bool = False) -> robots.RobotRows:
    """The rows after the story, taken in so many batches: what a batch loads is what the one before it saved."""
    rows = robots.RobotRows()
    for n, (meta, event) in enumerate(zip(story.metas, story.events, strict=True)):
        topic = topic_of(event, deal=deal)
        if topic in robots.TYPES:
            one = Event(
                str(LEAD), meta.version, "deal" if deal else "lead", topic, 0, meta.happened_at, meta.recorded_at, {}, None,
                record(meta, event), {}, None, False, False, meta.pipeline,
            )  # fmt: skip
            robots.apply(rows, one)
        if n % parts == 0:
            rows = robots.RobotRows(dict(rows.runs), dict(rows.effects), list(rows.pulls))
    return rows


def looked_back(story: Robots, *, deal: bool = False) -> folded.RobotRows:
    opened = [
        Opened(
            topic_of(event, deal=deal),
            meta.version,
            meta.model_dump(mode="json"),
            record(meta, event),
            {},
            sealed_shut=False,
        )
        for meta, event in zip(story.metas, story.events, strict=True)
    ]
    return folded.robots(LEAD, opened)


def plain(rows: Any) -> list[dict[str, Any]]:
    """Rows with ids as ids, in an order."""
    found = [row if isinstance(row, dict) else asdict(row) for row in rows]
    for row in found:
        for name in ("lead", "timer", "effect"):
            if row.get(name) is not None:
                row[name] = UUID(str(row[name]))
    return sorted(found, key=lambda row: str(row.get("timer") or row.get("effect") or row.get("version")))


def story_of(steps: Sequence[str]) -> Robots:
    later = robot("later", "{tag: old}", start="{delay: {days: 1}}", when='"card.budget > 100"')
    fails = robot("audience", "{audience: Ученики, service: vk}")
    story = school(f"{robot('letter', '{email: thanks}')}, {fails}", later)
    for step in steps:
        match step:
            case "time":
                story.now += timedelta(minutes=90)
                story.until(seconds=1)
            case "done":
                story.report(matched=1, kind="audience").report(doubtful=True)
            case "failed":
                story.report("failed", reason="recipient_refused: 550", provider="smtp")
            case "repeat" | "bounce":
                for effect in story.lead.automation.effects:
                    if step == "repeat":
                        story.give("repeat", effect=effect)
                    else:
                        story.arrives(e.EffectBounced(effect=effect, inbound_id=uuid4(), permanent=False))
            case "letter":
                story.arrives(letter_from(story))
            case "pause":
                story.give("pause", until="2026-04-01", reason="отпуск")
            case "cancel":
                for armed in list(story.lead.automation.armed.values()):
                    story.given("cancel_robot", timer=armed.timer)
            case _:
                story.give("move", to=step)
    return story


STEPS = st.lists(
    st.sampled_from(["time", "done", "failed", "repeat", "bounce", "letter", "pause", "cancel", "work", "new"]),
    max_size=15,
)


@given(STEPS, st.integers(1, 5), st.booleans())
def test_N2_rows_made_event_by_event_are_those_of_the_whole_story(steps: list[str], parts: int, deal: bool) -> None:
    story = story_of(steps)
    rows, whole = applied(story, parts, deal=deal), looked_back(story, deal=deal)
    assert rows.runs, "the first stage arms two"
    assert plain(rows.runs.values()) == plain(whole.runs)
    assert plain(rows.effects.values()) == plain(whole.effects)
    assert plain(rows.pulls) == plain(whole.pulls)
    waiting = {UUID(run.timer) for run in rows.runs.values() if run.outcome is None}
    assert waiting == set(story.lead.automation.armed), "armed less closed is what waits (N2)"


def test_R6_a_row_says_how_its_robot_ended() -> None:
    story = story_of(["time", "failed", "repeat", "done", "bounce"])
    rows = applied(story, 1)
    letter = next(run for run in rows.runs.values() if run.robot == "letter")
    assert (letter.outcome, letter.pipeline, letter.late_ms) == ("ran", "school", 5_400_000)
    effect = rows.effects[(str(LEAD), str(letter.effect))]
    assert (effect.state, effect.repeats, effect.bounced, effect.doubtful) == ("done", 1, "delayed", True)
    assert (effect.provider, effect.reason) == (None, None), "what an earlier end said is gone"

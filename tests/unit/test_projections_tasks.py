"""S4, Q4, Q5, Q7, D6: what each event makes of tasks, deadlines and reviews; whatever happens in whatever batches, rows are those
that all events of a lead give when looked at as a whole (`verify`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import events as e
from contracts.events.deadlines import Term
from projections.keyed.rows import Place
from projections.tasks import projection as tasks
from projections.tasks.projection import TaskRows
from services.ops.verify.projected import tasks as folded
from tests.unit.given_rows import NOON, Story, plain, stored
from tests.unit.test_projections_robots import STEPS as ROBOT_STEPS
from tests.unit.test_projections_robots import story_of as robots_story

HOUR = timedelta(hours=1)
IDS = frozenset({"lead", "activity", "timer", "follows", "incident"})
CALL: dict[str, Any] = {"activity_kind": "call"}


TABLES = ("activities", "deadlines", "reviews")


def applied(story: Story, every: int = 1) -> TaskRows:
    """The rows after the story, taken in batches of so many events."""
    rows, there = TaskRows(), {name: dict[Place, Any]() for name in TABLES}
    for n, event in enumerate(story.events, start=1):
        if event.type in tasks.TYPES:
            tasks.apply(rows, event)
        if n % every == 0 or n == len(story.events):
            rows = TaskRows(**{name: stored(getattr(rows, name), there[name]) for name in TABLES})
    return rows


def activity(story: Story, **more: Any) -> UUID:
    made = uuid4()
    story.add(
        e.ActivityPlanned(activity=made, **CALL, reason="by_hand", text="перезвонить", due_at=NOON + HOUR, **more)
    )
    return made


def turn(story: Story, **more: Any) -> dict[str, Any]:
    of = {"deadline": "take", "timer": uuid4(), "visit": 1, "turn": 1, "due_at": NOON + HOUR}
    story.add(e.DeadlineSet(**of, because="entry", begun_at=NOON, term=Term(hours=1, working=True), **more))
    return of


def test_S4_a_task_remembers_when_it_was_first_due_and_how_often_it_was_moved() -> None:
    story = Story()
    made = activity(story, assignee="vera", key=True, every=e.Every(days=7))
    story.add(e.ActivityMoved(activity=made, **CALL, due_at=NOON + 5 * HOUR, previous=NOON + HOUR, times=1))
    story.add(e.ActivityMoved(activity=made, **CALL, due_at=None, previous=NOON + 5 * HOUR, times=2))
    row = applied(story).activities.rows[str(story.stream), str(made)]
    assert (row.first_due_at, row.due_at, row.moved, row.outcome) == (NOON + HOUR, None, 2, None)
    assert (row.assignee, row.is_key, row.recurring, row.pipeline, row.planned_by) == (
        "vera",
        True,
        True,
        "classic",
        "anna",
    )


def test_S4_a_task_is_done_by_somebody_or_closed_with_a_reason() -> None:
    story = Story()
    done, closed = activity(story), activity(story)
    story.add(e.ActivityDone(activity=done, **CALL, reason="answered_call"), by="boris")
    story.add(e.ActivityClosed(activity=closed, **CALL, reason="lead_closed"), by="leadline", kind="system")
    rows = applied(story).activities.rows
    ends = [rows[str(story.stream), str(one)] for one in (done, closed)]
    assert [(row.outcome, row.closed_by, row.closed_reason) for row in ends] == [
        ("done", "boris", "answered_call"), ("closed", "leadline", "lead_closed"),
    ]  # fmt: skip


def test_N12_a_task_closed_by_mistake_is_to_be_done_again_as_it_was() -> None:
    story = Story()
    made = activity(story)
    story.add(e.ActivityMoved(activity=made, **CALL, due_at=NOON + 2 * HOUR, times=1))
    story.add(e.ActivityClosed(activity=made, **CALL, reason="lead_closed"))
    story.add(e.ActivityPlanned(activity=made, **CALL, reason="undone", due_at=NOON + 2 * HOUR))
    (row,) = applied(story).activities.rows.values()
    assert (row.outcome, row.closed_at, row.due_at, row.first_due_at) == (None, None, NOON + 2 * HOUR, NOON + HOUR)
    assert (row.moved, row.reason, row.planned_at) == (1, "by_hand", story.events[0].happened_at)


def test_no_text_and_no_result_of_a_task_is_kept() -> None:
    story = Story()
    made = activity(story)
    story.add(e.ActivityDone(activity=made, **CALL, reason="by_hand", result="Анна согласна"))
    (row,) = applied(story).activities.rows.values()
    assert not any("Анна" in str(value) or "перезвонить" in str(value) for value in plain(row, IDS, {}).values())


@pytest.mark.parametrize(
    ("ended", "row"),
    [
        (lambda of: e.DeadlineMet(**of, result="good", left_s=60), {"outcome": "met", "result": "good", "left_s": 60}),
        (lambda of: e.DeadlineAsked(**of, lacks=("budget",)), {"outcome": "asked", "lacks": '["budget"]'}),
        (lambda of: e.DeadlineDropped(**of, by="left_stage"), {"outcome": "dropped", "closed_reason": "left_stage"}),
        (
            lambda of: e.DeadlineMissed(
                **of, incident=UUID(int=1), responsible="boris", cause="assigned_late", stage="new", running=2,
                begun_at=NOON, term=Term(hours=1), late_ms=7,
            ),
            {"outcome": "missed", "missed_by": "boris", "cause": "assigned_late", "stage": "new", "running": 2, "late_ms": 7},
        ),
    ],
    ids=["met", "asked", "dropped", "missed"],
)  # fmt: skip
def test_Q4_a_turn_of_a_deadline_ends_once_and_says_how(ended: Any, row: dict[str, Any]) -> None:
    story = Story()
    of = turn(story, responsible="anna", lacks=("phone",), clause="card.budget > 1")
    story.add(ended(of))
    (found,) = applied(story).deadlines.rows.values()
    assert {name: getattr(found, name) for name in row} == row
    assert (found.counted_for, found.closed_at, found.clause) == ("anna", story.now, "card.budget > 1")


def test_Q5_a_review_is_judged_by_the_head_and_may_be_opened_again() -> None:
    story = Story()
    opened = e.ReviewOpened(visit=3, status="price", automatic=True, responsible="anna")
    story.add(opened).add(e.ReviewReturned(visit=3, responsible="anna", reason="позвоните"), by="olga")
    (row,) = applied(story).reviews.rows.values()
    assert (row.decision, row.decided_by, row.automatic, row.responsible) == ("returned", "olga", True, "anna")
    story.add(opened)
    (row,) = applied(story).reviews.rows.values()
    assert (row.decision, row.decided_by, row.opened_at) == (None, None, story.now)


def test_an_event_without_its_row_is_told_apart() -> None:
    story = Story().add(e.ActivityDone(activity=uuid4(), **CALL, reason="by_hand"))
    with pytest.raises(KeyError):
        applied(story)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "plan",
                "move",
                "done",
                "closed",
                "undone",
                "set",
                "met",
                "asked",
                "missed",
                "dropped",
                "open",
                "confirm",
                "return",
                "drop",
                "assign",
            ]
        ),
        st.integers(0, 4),
    ),
    min_size=8,  # shorter ones say little, and hypothesis prefers them
    max_size=35,
)


def story_of(steps: Sequence[tuple[str, int]], *, deal: bool) -> Story:
    """A story that the domain could tell: what has ended ends no second time."""
    story = Story(deal=deal)
    running: dict[UUID, bool] = {}
    moves: dict[UUID, int] = {}
    turns: list[dict[str, Any]] = []
    for what, n in steps:
        open_ones, ended = ([a for a, is_open in running.items() if is_open is wanted] for wanted in (True, False))
        match what:
            case "plan":
                running[activity(story, every=e.Every(days=n) if n else None, assignee="vera" if n % 2 else None)] = (
                    True
                )
            case "move" if open_ones:
                made = open_ones[n % len(open_ones)]
                moves[made] = moves.get(made, 0) + 1
                due = NOON + n * HOUR if n else None
                story.add(e.ActivityMoved(activity=made, **CALL, due_at=due, times=moves[made]))
            case "done" | "closed" if open_ones:
                made = open_ones[n % len(open_ones)]
                running[made] = False
                done = e.ActivityDone(activity=made, **CALL, reason="by_hand", result="готово")
                story.add(done if what == "done" else e.ActivityClosed(activity=made, **CALL, reason="undone"))
            case "undone" if ended:
                made = ended[n % len(ended)]
                running[made] = True
                again = NOON + n * HOUR if n else None
                story.add(e.ActivityPlanned(activity=made, **CALL, reason="undone", due_at=again, remind_at=again))
            case "set":
                turns.append(turn(story, lacks=("phone",) if n else (), responsible="anna" if n else None))
            case "met" | "asked" | "missed" | "dropped" if turns:
                of = turns.pop(n % len(turns))
                story.add(end_of(what, of, n))
            case "open":
                story.add(e.ReviewOpened(visit=n + 1, status="price", automatic=bool(n % 2), responsible="anna"))
            case "confirm" | "return" | "drop":
                visits = {event.data["visit"] for event in story.events if "review_opened" in event.type}
                if n + 1 in visits:
                    story.add(judged(what, n + 1), by="olga")
            case "assign":
                story.add(e.LeadAssigned(to="boris", reason="by_hand"))
    return story


def end_of(what: str, of: dict[str, Any], n: int) -> e.Event:
    if what == "met":
        return e.DeadlineMet(**of, left_s=n)
    if what == "asked":
        return e.DeadlineAsked(**of, lacks=("budget",) * n)
    if what == "dropped":
        return e.DeadlineDropped(**of, by="undone")
    missed: dict[str, Any] = {"stage": "new", "running": n, "begun_at": NOON, "term": Term(hours=1), "late_ms": n}
    return e.DeadlineMissed(**of, **missed, incident=uuid4() if n else None, responsible="anna" if n else None)


def judged(what: str, visit: int) -> e.Event:
    if what == "confirm":
        return e.ReviewConfirmed(visit=visit, responsible="anna")
    if what == "return":
        return e.ReviewReturned(visit=visit, responsible="anna", reason="ещё раз")
    return e.ReviewDropped(visit=visit, by="reopened")


@given(STEPS, st.integers(1, 5), st.booleans())
def test_D6_rows_made_event_by_event_are_those_of_the_whole_story(
    steps: list[tuple[str, int]], every: int, deal: bool
) -> None:
    story = story_of(steps, deal=deal)
    rows, whole = applied(story, every), folded.tasks(story.stream, story.opened())
    for made, looked in zip((rows.activities, rows.deadlines, rows.reviews), whole, strict=True):
        columns = {"term": json.loads, "lacks": json.loads}
        mine = sorted((plain(row, IDS, columns) for row in made.rows.values()), key=str)
        assert mine == sorted((plain(row, IDS, columns) for row in looked), key=str)


@given(STEPS, st.integers(1, 5))
def test_D6_what_is_open_is_what_was_begun_less_what_ended(steps: list[tuple[str, int]], every: int) -> None:
    """An oracle of sets: which tasks, turns and reviews are open at the end."""
    story = story_of(steps, deal=False)
    rows = applied(story, every)
    open_tasks, open_turns, open_reviews = set[str](), set[str](), set[int]()
    for event in story.events:
        name, data = event.type.rpartition(".")[2], event.data
        if name == "activity_planned":
            open_tasks.add(data["activity"])
        elif name in ("activity_done", "activity_closed"):
            open_tasks.discard(data["activity"])
        elif name == "deadline_set":
            open_turns.add(data["timer"])
        elif name.startswith("deadline_"):
            open_turns.discard(data["timer"])
        elif name == "review_opened":
            open_reviews.add(data["visit"])
        elif name.startswith("review_"):
            open_reviews.discard(data["visit"])
    assert {row.activity for row in rows.activities.rows.values() if row.outcome is None} == open_tasks
    assert {row.timer for row in rows.deadlines.rows.values() if row.outcome is None} == open_turns
    assert {row.visit for row in rows.reviews.rows.values() if row.decision is None} == open_reviews


@given(ROBOT_STEPS, st.integers(1, 5), st.booleans())
def test_N6_tasks_that_robots_plan_and_close_are_rows_like_all_others(steps: list[str], every: int, deal: bool) -> None:
    """What the domain itself makes of robots that plan, of undone moves and of leads that leave their stage."""
    played, told = robots_story(steps), Story(deal=deal)
    for meta, event in zip(played.metas, played.events, strict=True):
        told.add(event, by=meta.actor.id, kind=meta.actor.kind, at=meta.happened_at)
    rows, whole = applied(told, every), folded.tasks(told.stream, told.opened())
    mine = sorted((plain(row, IDS, {}) for row in rows.activities.rows.values()), key=str)
    assert mine == sorted((plain(row, IDS, {}) for row in whole.activities), key=str)


@pytest.mark.parametrize("every", [1, 2, 10])
def test_C4_a_task_handed_over_is_the_same_row_of_somebody_else(every: int) -> None:
    story = Story()
    call = activity(story, assignee="anna")
    story.add(e.ActivityMoved(activity=call, **CALL, due_at=NOON + 2 * HOUR, previous=NOON + HOUR, times=1))
    again = {"reason": "by_hand", "text": "перезвонить", "due_at": NOON + 2 * HOUR}
    story.add(e.ActivityPlanned(activity=call, **CALL, **again, assignee="boris"))
    [row] = applied(story, every).activities.rows.values()
    assert (row.assignee, row.first_due_at, row.due_at, row.moved) == ("boris", NOON + HOUR, NOON + 2 * HOUR, 1)
    assert row.outcome is None

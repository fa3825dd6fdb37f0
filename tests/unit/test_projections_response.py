"""S2: arrived, seen, accepted, first contact: what each event changes, how the times add up, in plain and in working time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import events as e
from projections.keyed.rows import Place
from projections.response import projection as response
from projections.response.arrival import Arrival
from projections.response.projection import ResponseRow, ResponseRows
from projections.response.times import grouped, percentile
from services.calendars.calendar import Calendar, Hours
from services.ops.verify.projected import tasks as folded
from tests.unit.given_rows import NOON, Story, plain, stored

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
IDS = frozenset({"lead"})
DAY = Calendar("sales", 3, ZoneInfo("Europe/Moscow"), ((Hours(time(9), time(18)),),) * 5 + ((), ()))
ROBOT = {"by": "letter", "kind": "robot"}


def captured(**more: Any) -> e.LeadCaptured:
    values: dict[str, Any] = {
        "pipeline": "classic", "contact": UUID(int=1), "channel": "form", "source": "site", "inbound_id": uuid4(),
        "received_at": NOON, "name": "Анна",
    }  # fmt: skip
    return e.LeadCaptured(**{**values, **more})


def call(*, answered: bool, direction: str = "out", at: datetime = NOON + HOUR, **of: Any) -> e.CallFacts:
    cls = of.pop("cls", e.CallRecorded)
    facts: e.CallFacts = cls(
        inbound_id=uuid4(),
        call_id="7",
        call_direction=direction,
        answered=answered,
        started_at=at,
        number="+79161234567",
    )
    return facts


def applied(story: Story, every: int = 1) -> ResponseRow | None:
    """The row after the story, taken in batches of so many events."""
    rows, there = ResponseRows(), dict[Place, Any]()
    for n, event in enumerate(story.events, start=1):
        if event.type in response.TYPES:
            response.apply(rows, event)
        if n % every == 0 or n == len(story.events):
            rows = ResponseRows(stored(rows.leads, there))
    return rows.leads.rows.get((str(story.stream),))


def arrived() -> Story:
    return Story().add(captured(), by="form", kind="adapter").add(e.LeadAssigned(to="anna", reason="in_turn"))


def row_of(story: Story) -> ResponseRow:
    row = applied(story)
    assert row is not None
    return row


@pytest.mark.parametrize(
    ("event", "kind"),
    [(captured(inbound_id=None, channel="hand"), "person"), (captured(), "import")],
    ids=["made by hand", "imported"],
)
def test_S2_only_leads_that_came_by_a_channel_have_response_times(event: e.Event, kind: str) -> None:
    assert applied(Story().add(event, kind=kind).add(e.LeadSeen())) is None


def test_S2_each_step_is_the_first_of_its_kind_with_whose_lead_it_was() -> None:
    story = arrived().add(e.LeadSeen(), by="boris")
    story.add(e.LeadAssigned(to="vera", previous="anna", reason="by_hand")).add(e.LeadSeen(), by="vera")
    story.add(e.LeadAccepted(), by="vera").add(e.LeadAccepted(), by="anna")
    row = row_of(story)
    assert (row.assigned_to, row.responsible) == ("anna", "vera")
    assert (row.seen_at, row.seen_by, row.seen_responsible) == (story.events[2].happened_at, "boris", "anna")
    assert (row.accepted_by, row.accepted_responsible) == ("vera", "vera")


def test_C4_a_lead_in_the_pool_is_nobodys() -> None:
    row = row_of(arrived().add(e.LeadPooled(team="sales@1", previous="anna")).add(e.LeadSeen(), by="boris"))
    assert (row.responsible, row.seen_responsible, row.assigned_to) == (None, None, "anna")


def test_S2_what_happened_earlier_and_was_recorded_later_is_first() -> None:
    story = arrived().add(call(answered=True, at=NOON + 3 * HOUR))
    story.add(e.CallHeld(result=None), at=NOON + 2 * HOUR)
    row = row_of(story)
    assert (row.contact_at, row.contact_how, row.contact_by) == (NOON + 2 * HOUR, "call_held", "anna")


@pytest.mark.parametrize(
    ("event", "who", "how"),
    [
        (call(answered=True), {"by": "pbx", "kind": "adapter"}, "call_out"),
        (call(answered=True, direction="in"), {"by": "pbx", "kind": "adapter"}, "call_in"),
        (call(answered=True, cls=e.CallUpdated), {"by": "pbx", "kind": "adapter"}, "call_out"),
        (e.CallHeld(), {}, "call_held"),
        (e.MeetingHeld(), {}, "meeting"),
        (e.DocumentSent(document="proposal"), {}, "document"),
        (call(answered=False), {"by": "pbx", "kind": "adapter"}, None),
        (call(answered=False, direction="in"), {"by": "pbx", "kind": "adapter"}, None),
        (e.DocumentSent(document="proposal"), ROBOT, None),
        (e.EffectDone(effect=UUID(int=1), effect_kind="email", attempts=1), ROBOT, None),
        (e.LetterReceived(inbound_id=UUID(int=1), account="m", received_at=NOON, email="a@b", subject="с", text="т"), {}, None),
        (e.CallHeld(), {"kind": "import"}, None),
    ],
    ids=[
        "answered out", "answered in", "answered by a later report", "a talk", "a meeting", "a document", "nobody answered",
        "a missed call of the client", "a robot's document", "a robot's letter", "the client's letter", "a fact of the past",
    ],
)  # fmt: skip
def test_S2_first_contact_is_a_talk_or_what_a_person_sent(event: e.Event, who: dict[str, str], how: str | None) -> None:
    assert row_of(arrived().add(event, **who)).contact_how == how


def test_N16_a_lead_merged_into_another_is_marked_so_until_that_is_undone() -> None:
    story = arrived().add(e.LeadMerged(into=UUID(int=2), into_contact=UUID(int=3)))
    assert row_of(story).merged
    assert not row_of(story.add(e.LeadUnmerged(into=UUID(int=2)))).merged


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["assign", "pool", "see", "accept", "call", "update", "held", "meeting", "document", "merge", "unmerge"]
        ),
        st.integers(-3, 6),
        st.sampled_from(["person", "robot", "import", "adapter"]),
    ),
    min_size=8,  # shorter ones say little, and hypothesis prefers them
    max_size=30,
)


def story_of(steps: Sequence[tuple[str, int, str]], *, by_hand: bool) -> Story:
    story = Story().add(captured(inbound_id=None if by_hand else uuid4()), kind="adapter")
    for what, hours, kind in steps:
        at = NOON + hours * HOUR
        event: e.Event = {
            "assign": e.LeadAssigned(to=f"p{hours}", reason="by_hand"),
            "pool": e.LeadPooled(team="sales@1"),
            "see": e.LeadSeen(),
            "accept": e.LeadAccepted(),
            "call": call(answered=hours % 2 == 0, direction="in" if hours % 3 else "out", at=at),
            "update": call(answered=True, at=at, cls=e.CallUpdated),
            "held": e.CallHeld(),
            "meeting": e.MeetingHeld(),
            "document": e.DocumentSent(document="brief"),
            "merge": e.LeadMerged(into=UUID(int=2), into_contact=UUID(int=3)),
            "unmerge": e.LeadUnmerged(into=UUID(int=2)),
        }[what]
        story.add(event, by=f"w{hours}", kind=kind, at=at)
    return story


@given(STEPS, st.integers(1, 5), st.booleans())
def test_S2_the_row_made_event_by_event_is_that_of_the_whole_story(
    steps: list[tuple[str, int, str]], every: int, by_hand: bool
) -> None:
    story = story_of(steps, by_hand=by_hand)
    row, whole = applied(story, every), folded.response(story.stream, story.opened())
    assert [plain(one, IDS, {}) for one in ([row] if row else [])] == [
        {name: found[name] for name in asdict(row)} if row else found for found in whole
    ]


# --- adding up --------------------------------------------------------------------------------------------------------------


def lead(arrival: datetime, *, seen: datetime | None = None, to: str | None = "anna", by: str | None = None) -> Arrival:
    """A lead with one step; `by`: whose lead it was when seen."""
    return Arrival(
        uuid4(), "classic", "site", "form", None, arrival, arrival, to, arrival, to, seen, by or to, by or to, None, None, None,
        None, None, None, None,
    )  # fmt: skip


FRIDAY_EVENING = datetime(2026, 3, 6, 14, 30, tzinfo=UTC)
"""17:30 in Moscow: half an hour before the weekend."""


def test_S2_working_time_leaves_out_nights_and_weekends() -> None:
    monday = datetime(2026, 3, 9, 6, 30, tzinfo=UTC)  # 9:30 in Moscow
    [group] = grouped([lead(FRIDAY_EVENING, seen=monday)], DAY)
    took = group.steps["seen"]
    assert (took.median, took.working_median) == (64 * 3600, 3600)


def test_S2_a_step_of_another_is_of_whoever_took_it_and_what_waits_of_whom_it_was_given_to() -> None:
    groups = {
        g.key: g
        for g in grouped([lead(NOON, seen=NOON + MINUTE, by="vera"), lead(NOON), lead(NOON, to=None)], DAY, "person")
    }
    assert (groups["anna"].leads, groups["anna"].steps["seen"].reached, groups["anna"].steps["seen"].waiting) == (
        2,
        0,
        1,
    )
    assert (groups["vera"].leads, groups["vera"].steps["seen"].reached) == (0, 1)
    assert (groups[None].leads, groups[None].steps["seen"].waiting) == (1, 1)


def test_S2_the_hour_of_arrival_is_that_of_the_teams_clock() -> None:
    assert [g.key for g in grouped([lead(FRIDAY_EVENING)], DAY, "hour")] == ["17"]


def test_S2_what_is_told_to_have_been_before_the_arrival_took_no_time() -> None:
    [group] = grouped([lead(NOON, seen=NOON - HOUR)], DAY)
    assert (group.steps["seen"].median, group.steps["seen"].working_median) == (0, 0)


@given(st.lists(st.tuples(st.integers(0, 10_000), st.booleans()), max_size=30))
def test_S2_every_lead_is_counted_once_in_each_step(leads: list[tuple[int, bool]]) -> None:
    arrivals = [lead(NOON, seen=NOON + n * MINUTE if seen else None) for n, seen in leads]
    for group in grouped(arrivals, DAY):
        for step in group.steps.values():
            assert step.reached + step.waiting == group.leads == len(leads)
        seconds = sorted(n * 60 for n, seen in leads if seen)
        took = group.steps["seen"]
        for share, value in ((50, took.median), (90, took.p90)):
            assert (value is None) == (not seconds)
            if value is not None:  # by its definition: the smallest that so many do not exceed
                enough = [s for s in seconds if sum(x <= s for x in seconds) * 100 >= share * len(seconds)]
                assert value == min(enough) == percentile(seconds, share)

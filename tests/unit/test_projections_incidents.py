"""Q6, N20, D6, Q11: what each event makes of the journals' rows; whatever happens in whatever batches, rows are those that all
events of a journal give when looked at as a whole (`verify`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import events as e
from contracts.events.deadlines import Term
from projections.incidents import projection as incidents
from projections.incidents.projection import IncidentRows
from projections.keyed.rows import Place
from services.ops.verify.projected.journals import journal
from tests.unit.given_rows import NOON, Story, plain, stored

IDS = frozenset({"journal", "incident", "lead", "escalation", "effect", "review"})
TABLES = ("incidents", "escalations", "escalated", "notices", "digests", "card_reviews")


def applied(story: Story, every: int = 1) -> IncidentRows:
    """The rows after the story, taken in batches of so many events."""
    rows, there = IncidentRows(), {name: dict[Place, Any]() for name in TABLES}
    for n, event in enumerate(story.events, start=1):
        incidents.apply(rows, event)
        if n % every == 0 or n == len(story.events):
            rows = IncidentRows(**{name: stored(getattr(rows, name), there[name]) for name in TABLES})
    return rows


def recorded(story: Story, **more: Any) -> UUID:
    incident = uuid4()
    values: dict[str, Any] = {
        "incident_kind": "deadline", "employee": "anna", "lead": UUID(int=1), "pipeline": "classic", "stage": "new",
        "rule": "take", "due_at": NOON, "missed_s": 60, "cause": "person", "counts": True, "term": Term(hours=4), "turn": 2,
    }  # fmt: skip
    story.add(e.IncidentRecorded(incident=incident, **{**values, **more}), by="leadline", kind="system")
    return incident


def told(story: Story, incident: UUID, strike: int | None) -> None:
    story.add(e.IncidentTold(incident=incident, via="mail", strike=strike, of=3, days=30), by="leadline", kind="system")


def the_incident(story: Story) -> incidents.IncidentRow:
    (row,) = applied(story).incidents.rows.values()
    return row


def test_Q6_a_miss_that_was_not_told_is_no_strike_yet() -> None:
    story = Story()
    incident = recorded(story)
    row = the_incident(story)
    assert (row.counts, row.told_at, row.strike, row.term, row.turn) == (True, None, None, row.term, 2)
    told(story, incident, 2)
    row = the_incident(story)
    assert (row.told_at, row.told_via, row.strike, row.strikes, row.days) == (story.now, "mail", 2, 3, 30)


def test_Q6_what_was_told_first_stands() -> None:
    story = Story()
    incident = recorded(story)
    told(story, incident, 2)
    first = story.now
    story.add(e.IncidentTold(incident=incident, via="app", strike=7, of=9, days=1))
    row = the_incident(story)
    assert (row.told_at, row.told_via, row.strike, row.strikes, row.days) == (first, "mail", 2, 3, 30)


def test_N20_a_restated_verdict_stands_beside_the_original() -> None:
    story = Story()
    incident = recorded(story)
    told(story, incident, 3)
    for verdict, strike in (("stands", 1), ("in_time", None)):
        restated = e.IncidentRestated(
            incident=incident, verdict=verdict, due_at=NOON + timedelta(days=1), calendar="sales@2", strike=strike,
            reason="праздник",
        )  # fmt: skip
        story.add(restated, by="olga")
    row = the_incident(story)
    assert (row.due_at, row.strike, row.counts) == (NOON, 3, True), "the original"
    assert (row.verdict, row.restated_strike, row.restated_due_at) == ("in_time", None, NOON + timedelta(days=1))
    assert (row.restated_by, row.restated_calendar, row.restatement, row.restatements) == (
        "olga",
        "sales@2",
        "праздник",
        2,
    )


def test_N20_who_is_told_after_a_restatement_is_told_of_the_restated_verdict() -> None:
    story = Story()
    incident = recorded(story)
    restated = e.IncidentRestated(
        incident=incident, verdict="stands", due_at=NOON, calendar="sales@2", reason="праздник"
    )
    story.add(restated, by="olga")
    assert the_incident(story).restated_strike is None, "not told yet"
    told(story, incident, 2)
    assert (the_incident(story).strike, the_incident(story).restated_strike) == (2, 2)


def test_Q6_an_excuse_keeps_its_reason_and_whose_it_is() -> None:
    story = Story()
    incident = recorded(story)
    story.add(e.IncidentAcknowledged(incident=incident, comment="учту"), by="anna")
    story.add(e.IncidentExcused(incident=incident, reason="болела"), by="olga")
    row = the_incident(story)
    assert (row.acknowledged_at, row.comment) == (story.events[1].happened_at, "учту")
    assert (row.excused_at, row.excused_by, row.excuse) == (story.now, "olga", "болела")


def test_Q6_a_later_miss_is_added_once_and_opens_a_closed_escalation_again() -> None:
    story = Story()
    one, two, late = recorded(story), recorded(story), recorded(story)
    escalation = uuid4()
    story.add(
        e.EscalationOpened(escalation=escalation, employee="anna", to="olga", strike=2, incidents=(one, two), days=30)
    )
    story.add(e.EscalationClosed(escalation=escalation, by="manager", comment="поговорили"), by="olga")
    (row,) = applied(story).escalations.rows.values()
    assert (row.manager, row.closed_how, row.closed_by, row.comment) == ("olga", "manager", "olga", "поговорили")
    story.add(e.EscalationExtended(escalation=escalation, incident=late, strike=3))
    rows = applied(story)
    (row,) = rows.escalations.rows.values()
    assert (row.closed_at, row.closed_how, row.closed_by, row.comment) == (None, None, None, None)
    members = sorted((m.opening, m.strike) for m in rows.escalated.rows.values() if m.strike) + [
        (m.opening, m.strike) for m in rows.escalated.rows.values() if not m.strike
    ]
    assert members == [(False, 3), (True, None), (True, None)]


def test_Q6_a_notice_that_failed_can_be_asked_for_again() -> None:
    story, effect = Story(), uuid4()
    story.add(e.NoticeRequested(effect=effect, to="anna", about="incident", subject="с", text="тайное"))
    story.add(e.NoticeFailed(effect=effect, attempts=3, reason="no_address: none"))
    (row,) = applied(story).notices.rows.values()
    assert (row.state, row.attempts, row.reason, row.addressee) == ("failed", 3, "no_address: none", "anna")
    story.add(e.NoticeRepeated(effect=effect, to="anna"))
    (row,) = applied(story).notices.rows.values()
    assert (row.state, row.closed_at, row.repeats) == ("requested", None, 1)
    story.add(e.NoticeDone(effect=effect, attempts=1, provider="smtp"))
    (row,) = applied(story).notices.rows.values()
    assert (row.state, row.attempts, row.reason, row.provider) == ("done", 1, None, "smtp")


def test_D6_Q11_digests_and_card_reviews_are_rows_of_their_own() -> None:
    story, review = Story(), uuid4()
    story.add(e.DigestMade(team="sales", day=date(2026, 3, 2), overdue=3, people={"anna": 3}))
    period = {"period_start": date(2025, 12, 1), "period_end": date(2026, 3, 1)}
    story.add(e.CardReviewDue(review=review, pipeline="classic", **period))
    story.add(e.CardReviewDone(review=review, comment="убрали поле"), by="olga")
    rows = applied(story)
    (digest,), (looked,) = rows.digests.rows.values(), rows.card_reviews.rows.values()
    assert (digest.day, digest.overdue, json.loads(digest.people)) == (date(2026, 3, 2), 3, {"anna": 3})
    assert (looked.pipeline, looked.done_by, looked.comment) == ("classic", "olga", "убрали поле")


def test_an_event_without_its_row_is_told_apart() -> None:
    with pytest.raises(KeyError):
        applied(Story().add(e.IncidentAcknowledged(incident=uuid4())))


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "record",
                "tell",
                "note",
                "excuse",
                "restate",
                "open",
                "extend",
                "close",
                "ask",
                "did",
                "failed",
                "again",
                "digest",
                "due",
                "finish",
            ]
        ),
        st.integers(0, 5),
    ),
    min_size=8,  # shorter ones say little, and hypothesis prefers them
    max_size=40,
)


def story_of(steps: Sequence[tuple[str, int]]) -> Story:
    """A story of a journal: whatever is said is said of something that is there."""
    story = Story()
    known: list[UUID] = []
    escalations: dict[UUID, set[UUID]] = {}
    notices: list[UUID] = []
    due: list[UUID] = []
    for what, n in steps:
        one = known[n % len(known)] if known else UUID(int=0)
        raised = list(escalations)[n % len(escalations)] if escalations else UUID(int=0)
        sent = notices[n % len(notices)] if notices else UUID(int=0)
        match what:
            case "record":
                known.append(recorded(story, counts=bool(n), lead=None if n == 1 else UUID(int=n), term=None))
            case "tell" if known:
                told(story, one, n or None)
            case "note" if known:
                story.add(e.IncidentAcknowledged(incident=one, comment="да" if n else None))
            case "excuse" if known:
                story.add(e.IncidentExcused(incident=one, reason="болела"), by="olga")
            case "restate" if known:
                verdict: Any = ("stands", "in_time", "not_due")[n % 3]
                at = NOON + timedelta(days=n)
                story.add(
                    e.IncidentRestated(
                        incident=one, verdict=verdict, due_at=at, calendar="c@2", strike=n or None, reason="п"
                    )
                )
            case "open" if known:
                made = uuid4()
                escalations[made] = set(known[: n + 1])
                of = tuple(escalations[made])
                story.add(e.EscalationOpened(escalation=made, employee="anna", strike=len(of), incidents=of, days=30))
            case "extend" if escalations and one not in escalations[raised] and known:
                escalations[raised].add(one)
                story.add(e.EscalationExtended(escalation=raised, incident=one, strike=n + 1))
            case "close" if escalations:
                story.add(e.EscalationClosed(escalation=raised, by="manager" if n else "nothing_left"), by="olga")
            case "ask":
                notices.append(uuid4())
                about: Any = ("incident", "escalation", "digest")[n % 3]
                story.add(e.NoticeRequested(effect=notices[-1], to="anna", about=about, subject="с", text="т"))
            case "did" if notices:
                story.add(e.NoticeDone(effect=sent, attempts=n + 1, provider="smtp"))
            case "failed" if notices:
                story.add(e.NoticeFailed(effect=sent, attempts=n, reason="timeout: 30 s", doubtful=bool(n)))
            case "again" if notices:
                story.add(e.NoticeRepeated(effect=sent, to="anna"))
            case "digest":
                story.add(e.DigestMade(team="sales", day=date(2026, 3, n + 1), overdue=n, people={"anna": n}))
            case "due":
                due.append(uuid4())
                period = {"period_start": date(2025, 12, 1), "period_end": date(2026, 3, 1)}
                story.add(e.CardReviewDue(review=due[-1], pipeline="classic", **period))
            case "finish" if due:
                story.add(e.CardReviewDone(review=due.pop(), comment=None), by="olga")
    return story


@given(STEPS, st.integers(1, 5))
def test_Q6_rows_made_event_by_event_are_those_of_the_whole_journal(steps: list[tuple[str, int]], every: int) -> None:
    story = story_of(steps)
    rows, whole = applied(story, every), journal(story.stream, story.opened())
    assert set(whole) == set(TABLES)
    for name in TABLES:
        columns = {"term": json.loads, "people": json.loads}
        mine = sorted((plain(row, IDS, columns) for row in getattr(rows, name).rows.values()), key=str_of)
        assert mine == sorted((in_order(plain(row, IDS, columns), mine) for row in whole[name]), key=str_of), name


def in_order(row: dict[str, Any], like: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The columns in the order of those rows."""
    return {name: row[name] for name in like[0]} if like else row


def str_of(row: dict[str, Any]) -> str:
    return str(sorted((name, str(value)) for name, value in row.items()))

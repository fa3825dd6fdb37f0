"""How a row of the ledger must stand by what the events say and what it alone knows (M8, N1, C7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.events import EffectDone, EffectFailed, EffectRepeated, EffectRequested
from services.delivery.domain import Effect
from services.delivery.reading import EffectEvent, Said
from services.delivery.rebuilding.domain import ReportRefused, as_it_must_be, differing, folded

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
EFFECT, STREAM = uuid4(), uuid4()
REQUESTED = EffectRequested(effect=EFFECT, effect_kind="email", robot="letter")
DONE = EffectDone(effect=EFFECT, effect_kind="email", attempts=2, provider="email", provider_id="id-2", matched=3)
FAILED = EffectFailed(effect=EFFECT, effect_kind="email", attempts=4, provider="email", reason="gave_up: busy")
REPEATED = EffectRepeated(effect=EFFECT, effect_kind="email")
REFUSED = ReportRefused(("M7.erased",), NOW + timedelta(hours=1))


def said(*events: EffectEvent) -> Effect:
    """The effect as these events leave it, a minute apart."""
    log = [
        Said(event, STREAM, 3 + n, "lead", "c", NOW + timedelta(minutes=n), None)
        for n, event in enumerate((REQUESTED, *events))
    ]
    return folded(log, ())[EFFECT]


def must(of: Effect | None, row: Effect | None, refused: ReportRefused | None = None) -> Effect | None:
    return as_it_must_be(of, row, refused, NOW + timedelta(days=1))


WORKING = {
    "state": "working",
    "attempts": 3,
    "last_reason": "busy",
    "in_doubt": True,
    "next_at": NOW + timedelta(hours=2),
}
ANSWERED = {"state": "answered", "attempts": 3, "outcome": "done", "provider_id": "id-9", "matched": 1}
REFUSING = {"state": "answered", "attempts": 3, "outcome": "failed", "last_reason": "no_such_address"}
PATIENT = {"state": "waiting", "attempts": 5, "opened_at": NOW + timedelta(hours=9), "next_at": NOW + timedelta(days=1)}


@pytest.mark.parametrize("knows", [{}, WORKING, ANSWERED, REFUSING, PATIENT])
def test_M8_what_only_the_ledger_knows_of_an_open_effect_stays(knows: dict[str, Any]) -> None:
    row = replace(said(), **knows)
    assert must(said(), row) == row


@pytest.mark.parametrize("knows", [WORKING, ANSWERED])
def test_M8_what_the_events_say_of_a_request_is_put_right_and_what_the_ledger_knows_stays(
    knows: dict[str, Any],
) -> None:
    row = replace(said(), **knows)
    spoiled = replace(
        row, provider="sms", correlation="x", robot=None, kind="deal", requested_at=NOW - timedelta(days=9)
    )
    assert must(said(), spoiled) == row
    assert sorted(differing(row, spoiled)) == ["correlation", "kind", "provider", "requested_at", "robot"]


def test_N1_an_open_effect_that_the_ledger_lost_is_told_in_doubt_and_not_tried() -> None:
    made = must(said(), None)
    assert made is not None
    assert (made.state, made.outcome, made.last_reason, made.in_doubt) == ("answered", "failed", "ledger_lost", True)
    assert must(said(), made) == made
    assert must(said(), None, REFUSED) == replace(
        said(), state="closed", last_reason="report_refused: M7.erased", closed_at=REFUSED.at
    )


@pytest.mark.parametrize(
    "spoiled",
    [{"stream": uuid4()}, {"version": 9}, {"round": 4}, {"repeated_version": 8}, {"round": 1, "repeated_version": 4}],
)
def test_N1_a_row_of_another_request_or_round_says_nothing_of_this_one(spoiled: dict[str, Any]) -> None:
    made = must(said(), replace(said(), state="waiting", **spoiled))
    assert made == must(said(), None)


def test_N1_a_repeat_that_the_ledger_lost_is_not_tried() -> None:
    row = said(FAILED)
    made = must(said(FAILED, REPEATED), row)
    assert made is not None
    assert (made.state, made.last_reason, made.round) == ("answered", "ledger_lost", 1)


@pytest.mark.parametrize("closing", [DONE, FAILED])
@pytest.mark.parametrize("knows", [None, {}, WORKING, PATIENT, REFUSING, {"state": "closed"}])
def test_N1_what_an_event_closed_is_closed_and_never_tried_again(closing: Any, knows: dict[str, Any] | None) -> None:
    row = None if knows is None else replace(said(), **knows)
    made = must(said(closing), row)
    assert made is not None
    assert (made.state, made.attempts) == ("done" if closing is DONE else "failed", closing.attempts)
    assert made.in_doubt == (row is not None and row.in_doubt)
    assert must(said(closing), made) == made


def test_C7_an_answer_that_came_after_the_refusal_is_kept() -> None:
    row = replace(said(FAILED), **ANSWERED, closed_at=None)
    assert must(said(FAILED), row) == row
    closed = replace(row, state="done", closed_at=NOW)
    assert must(said(FAILED), closed) == row, "no event says so: it is reported"


@pytest.mark.parametrize(
    ("has", "outcome"),
    [
        ({"state": "done", "outcome": "done", "provider_id": "id-9", "attempts": 2}, "done"),
        ({"state": "failed", "outcome": "failed", "last_reason": "no_such_address"}, "failed"),
        ({"state": "closed", "outcome": "done", "provider_id": "id-9"}, "done"),
    ],
)
def test_M8_what_the_ledger_closed_without_an_event_is_reported_once_more(has: dict[str, Any], outcome: str) -> None:
    row = replace(said(), **has, closed_at=NOW)
    assert must(said(), row) == replace(row, state="answered", closed_at=None)


def test_N1_what_was_closed_without_an_outcome_is_not_tried() -> None:
    made = must(said(), replace(said(), state="closed", attempts=1))
    assert made is not None
    assert (made.state, made.last_reason, made.in_doubt) == ("answered", "ledger_lost", True)


@pytest.mark.parametrize("knows", [{}, WORKING, ANSWERED, {"state": "done", "outcome": "done", "provider_id": "id-9"}])
def test_M7_a_report_that_was_refused_closes_and_what_is_known_stays(knows: dict[str, Any]) -> None:
    row = replace(said(), **knows)
    made = must(said(), row, REFUSED)
    assert made is not None
    assert (made.state, made.provider_id, made.attempts) == ("closed", row.provider_id, row.attempts)
    assert must(said(), made, REFUSED) == made


@pytest.mark.parametrize("knows", [{}, WORKING, ANSWERED, {"state": "done", "outcome": "done", "closed_at": NOW}])
def test_N1_what_nobody_requested_is_never_sent_and_what_is_known_of_it_stays(knows: dict[str, Any]) -> None:
    row = replace(said(), **knows)
    made = must(None, row)
    assert made is not None
    assert made.state == "closed"
    assert (made.last_reason or "").startswith("not_requested")
    assert (made.outcome, made.provider_id, made.attempts) == (row.outcome, row.provider_id, row.attempts)
    assert made.in_doubt == (row.in_doubt or row.state == "working")
    assert must(None, made) == made
    assert must(None, None) is None


def test_Q6_a_notice_keeps_the_way_that_it_has() -> None:
    request = EffectRequested(effect=EFFECT, effect_kind="notice", service="helen")
    log = [Said(request, STREAM, 3, "incident", "c", NOW, None)]
    by_mail = folded(log, {"helen"})[EFFECT]
    assert (by_mail.provider, folded(log, ())[EFFECT].provider) == ("email", "app")
    assert must(folded(log, ())[EFFECT], by_mail) == by_mail, "she had an address then"
    assert must(by_mail, replace(by_mail, provider="sms")) == by_mail


def test_M8_an_event_that_does_not_fit_is_passed_over() -> None:
    stranger: UUID = uuid4()
    log = [
        Said(REQUESTED, STREAM, 3, "lead", "c", NOW, None),
        Said(REQUESTED, STREAM, 4, "lead", "c", NOW, None),
        Said(DONE, stranger, 5, "lead", "c", NOW, None),
    ]
    assert folded(log, ()) == {EFFECT: said()}

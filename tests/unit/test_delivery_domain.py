"""The delivery service's pure domain: a machine over all that can happen to an effect, with an oracle; limits; back-off."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contracts.events import EffectDone, EffectFailed, EffectRepeated, EffectRequested
from services.delivery import domain
from services.delivery.domain import Bucket, Effect, NotOursError
from services.delivery.port import Done, Later, Outcome, Refused
from services.delivery.reading import EffectEvent, Said
from services.delivery.rebuilding.domain import as_it_must_be, folded
from services.delivery.reports import command_of

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
PATIENCE = timedelta(hours=72)
REASONS = st.text(max_size=600) | st.just("\ud800") | st.just("\0")
DONE = st.builds(Done, st.none() | st.text(max_size=300), st.none() | st.integers(-5, 2**70))
LATERS = st.builds(
    Later,
    REASONS.filter(lambda text: not text.startswith(domain.TOO_SMALL)),
    st.none() | st.floats(0, 1e12),
    st.booleans(),
    st.booleans(),
)
DRAWS = st.floats(0, 1)


def new(kind: str = "email", **more: object) -> Effect:
    event = EffectRequested(effect=uuid4(), effect_kind=kind, **more)  # type: ignore[arg-type]
    return domain.requested(event, uuid4(), "lead", 3, NOW, has_address=False, correlation="c")


def said_of(effect: Effect, event: EffectEvent, version: int, at: datetime) -> Said:
    """An event of this effect, as it is read."""
    return Said(event, effect.stream, version, effect.kind, effect.correlation, at, None)


class Life(RuleBasedStateMachine):
    """What a worker, a crash, the other side, the aggregate and a person do to an effect. The oracle counts what the other side
    did and knows whether anybody may believe it was done once."""

    @initialize(tells=st.booleans())
    def begin(self, tells: bool) -> None:
        self.effect, self.now, self.tells = new(), NOW, tells
        self.log = [said_of(self.effect, EffectRequested(effect=self.effect.effect, effect_kind="email"), 3, NOW)]
        self.sent_in_round = 0
        self.lost_answers = 0
        self.calls_in_round = 0
        self.opened_at = NOW
        self.reports: list[tuple[int, str]] = []

    @precondition(lambda self: self.effect.state in ("waiting", "working"))
    @rule()
    def take(self) -> None:
        crashed = self.effect.state == "working"
        if crashed and not self.tells:
            self.lost_answers += 1
        self.effect = domain.taken(self.effect, tells_repeats=self.tells)
        self.calls_in_round += 1

    @precondition(lambda self: self.effect.state == "working")
    @rule(outcome=st.one_of(DONE, st.builds(Refused, REASONS), LATERS), draw=DRAWS)
    def answer(self, outcome: Outcome, draw: float) -> None:
        self.lost_answers += isinstance(outcome, Later) and outcome.in_doubt
        gives_up = isinstance(outcome, Later) and self.now - self.opened_at >= PATIENCE
        self.effect = domain.after(self.effect, outcome, self.now, PATIENCE, draw)
        if isinstance(outcome, Done):
            assert (self.effect.state, self.effect.outcome) == ("answered", "done")
        elif isinstance(outcome, Refused) or gives_up:
            assert (self.effect.state, self.effect.outcome) == ("answered", "failed")
            assert (self.effect.last_reason or "").startswith("gave_up: ") or not gives_up
        else:
            assert self.effect.state == "waiting"
            assert self.now <= self.effect.next_at <= self.now + domain.LONGEST_AFTER

    @rule(hours=st.floats(0, 100))
    def wait(self, hours: float) -> None:
        self.now += timedelta(hours=hours)

    @precondition(lambda self: self.effect.state == "answered")
    @rule()
    def record(self) -> None:
        command = command_of(self.effect)
        report = command.body
        assert command.id == self.effect.report
        self.reports.append((self.effect.round, report.outcome))  # type: ignore[union-attr]
        shared = {"effect": self.effect.effect, "effect_kind": "email", "doubtful": report.doubtful}  # type: ignore[union-attr]
        event: EffectDone | EffectFailed
        if report.outcome == "done":  # type: ignore[union-attr]
            said = {"provider_id": report.provider_id, "matched": report.matched}  # type: ignore[union-attr]
            event = EffectDone(attempts=report.attempts, **said, **shared)  # type: ignore[union-attr]
        else:
            event = EffectFailed(attempts=report.attempts, reason=report.reason, **shared)  # type: ignore[union-attr]
        self.effect = domain.closed(self.effect, event, self.now)
        self.log.append(said_of(self.effect, event, 9, self.now))

    @precondition(lambda self: self.effect.state in ("waiting", "working"))
    @rule(outcome=st.one_of(st.none(), DONE, st.builds(Refused, REASONS), LATERS), draw=DRAWS)
    def client_refuses(self, outcome: Outcome | None, draw: float) -> None:
        """C7: an event closes it; the call that was under way, if any, ends after that, or its worker dies (None)."""
        before, event = (
            self.effect,
            EffectFailed(effect=self.effect.effect, effect_kind="email", attempts=0, reason="contact_refused"),
        )
        self.effect = domain.closed(before, event, self.now)
        self.log.append(said_of(before, event, 9, self.now))
        assert self.effect.state == "failed"
        if before.state == "waiting":
            self.calls_in_round = 0
            return
        assert self.effect.in_doubt
        if outcome is None:
            self.lost_answers += 1
            self.calls_in_round = 0
            return
        self.lost_answers += isinstance(outcome, Later) and outcome.in_doubt
        after = domain.after(before, outcome, self.now, PATIENCE, draw)
        self.effect = domain.after_closed(self.effect, after)
        assert self.effect.state == ("answered" if isinstance(outcome, Done) else "failed")
        if not isinstance(outcome, Done):
            self.calls_in_round = 0

    @precondition(lambda self: self.effect.state in ("done", "failed"))
    @rule()
    def repeat(self) -> None:
        before = self.effect.report
        event = EffectRepeated(effect=self.effect.effect, effect_kind="email")
        self.effect = domain.repeated(self.effect, event, 9, self.now)
        self.log.append(said_of(self.effect, event, 9, self.now))
        assert self.effect.report != before
        self.opened_at, self.calls_in_round = self.now, 0

    @precondition(lambda self: self.effect.state in domain.OPEN)
    @rule()
    def cannot_be_repeated(self) -> None:
        with pytest.raises(NotOursError):
            domain.repeated(self.effect, EffectRepeated(effect=self.effect.effect, effect_kind="email"), 9, self.now)

    @precondition(lambda self: self.effect.state not in ("waiting", "working"))
    @rule()
    def cannot_be_taken(self) -> None:
        with pytest.raises(NotOursError):
            domain.taken(self.effect, tells_repeats=self.tells)

    @invariant()
    def one_report_a_round(self) -> None:
        rounds = [number for number, _ in self.reports]
        assert len(rounds) == len(set(rounds))

    @invariant()
    def doubt_is_what_was_lost(self) -> None:
        assert self.effect.in_doubt == (self.lost_answers > 0)

    @invariant()
    def attempts_are_calls(self) -> None:
        assert self.effect.attempts == self.calls_in_round

    @invariant()
    def a_rebuild_leaves_what_is_right_as_it_is(self) -> None:
        said = folded(self.log, ())[self.effect.effect]
        assert as_it_must_be(said, self.effect, None, self.now) == self.effect

    @invariant()
    def a_rebuild_without_the_row_has_nothing_sent(self) -> None:
        said = folded(self.log, ())[self.effect.effect]
        made = as_it_must_be(said, None, None, self.now)
        assert made is not None
        assert made.state not in ("waiting", "working")
        assert said.state == "waiting" or made == said
        assert as_it_must_be(said, made, None, self.now) == made

    @invariant()
    def words_can_be_stored(self) -> None:
        reason = self.effect.last_reason
        assert reason is None or (0 < len(reason) <= 500 and "\0" not in reason)


TestN1WhateverHappensToAnEffect = Life.TestCase


@given(st.integers(1, 60), DRAWS)
def test_R3_back_off_is_jittered_from_five_seconds_to_a_quarter_of_an_hour(attempts: int, draw: float) -> None:
    wait = domain.back_off(attempts, draw).total_seconds()
    most = min(900.0, 5.0 * 2 ** (attempts - 1))
    assert wait == pytest.approx(draw * most, abs=1e-5)


@given(after=st.floats(0, 86_000), draw=DRAWS)
def test_R3_a_pause_that_the_other_side_asks_for_is_kept(after: float, draw: float) -> None:
    effect = domain.taken(new(), tells_repeats=True)
    effect = domain.after(effect, Later("busy", after=after), NOW, PATIENCE, draw)
    assert effect.next_at >= NOW + timedelta(seconds=after)


def test_R4_waiting_for_a_longer_list_counts_for_nothing_and_is_never_given_up() -> None:
    effect = domain.taken(new("audience", service="vk", audience="warm", action="add"), tells_repeats=True)
    late = NOW + timedelta(days=30)
    effect = domain.after(effect, Later("audience_too_small: 3 of 25", after=3600.0), late, PATIENCE, 0.5)
    assert (effect.state, effect.attempts, effect.next_at) == ("waiting", 0, late + timedelta(hours=1))


@given(
    per_minute=st.integers(1, 600),
    most=st.integers(1, 50),
    asks=st.lists(st.tuples(st.floats(0, 30), st.integers(1, 60)), min_size=1, max_size=80),
)
def test_R3_never_more_in_any_minute_than_the_limit(per_minute: int, most: int, asks: list[tuple[float, int]]) -> None:
    burst, bucket, now = domain.burst_of(per_minute, most), None, 1_000.0
    sent: list[float] = []
    for pause, wanted in asks:
        now += pause
        granted, bucket, wait = domain.draw_tokens(bucket, per_minute, burst, wanted, now)
        assert 0 <= granted <= min(wanted, burst)
        assert (wait > 0) == (granted == 0)
        sent += [now] * granted
        if wait:
            now += wait
            granted, bucket, _ = domain.draw_tokens(bucket, per_minute, burst, 1, now + 1e-6)
            assert granted == 1, "as long as it said, and no longer"
            sent.append(now + 1e-6)
    for begin in sent:
        assert sum(begin <= at < begin + 59.999 for at in sent) <= per_minute


def test_R3_a_clock_that_goes_back_gives_nothing_and_takes_nothing() -> None:
    _, bucket, _ = domain.draw_tokens(Bucket(1.0, 1_000.0), 60, 1, 1, 1_000.0)
    granted, bucket, wait = domain.draw_tokens(bucket, 60, 1, 1, 1_000.0 - 86_400)
    assert (granted, wait) == (0, 1.0)
    assert domain.draw_tokens(bucket, 60, 1, 1, 1_001.0 - 86_400)[0] == 1


@given(failures=st.integers(0, 40), draw=DRAWS, after=st.none() | st.floats(0, 86_000))
def test_R3_the_trouble_of_a_provider_pauses_it_as_long_as_it_asks(
    failures: int, draw: float, after: float | None
) -> None:
    whole = Later("no_connection", after=after, whole_provider=True)
    held = domain.Pause(None, None, failures)
    pause = domain.pause_after(held, [(NOW, Done()), (NOW, whole)], NOW, draw)
    assert pause is not None
    assert pause.until is not None
    assert (pause.reason, pause.failures) == ("no_connection", failures + 1)
    assert pause.until >= NOW + timedelta(seconds=after or 0)
    assert domain.pause_after(held, [(NOW, Later("mailbox_full"))], NOW, draw) == domain.CLEAR
    assert domain.pause_after(held, [], NOW, draw) is None


def test_R3_calls_side_by_side_are_one_failure_and_what_was_done_before_ends_no_pause() -> None:
    began = NOW - timedelta(seconds=2)
    busy = Later("webhook_busy: 429", after=60.0, whole_provider=True)
    pause = domain.pause_after(domain.CLEAR, [(began, busy)], NOW, 0.5)
    assert pause is not None
    assert pause == domain.Pause(NOW + timedelta(seconds=60), "webhook_busy: 429", 1)
    assert domain.pause_after(pause, [(began, Done())], NOW, 0.5) is None, "it began before it was asked to wait"
    assert domain.pause_after(pause, [(began, busy)], NOW, 0.5) is None, "one overload, told by two calls"
    longer = domain.pause_after(pause, [(began, Later("busy", after=90.0, whole_provider=True))], NOW, 0.5)
    assert longer == domain.Pause(NOW + timedelta(seconds=90), "webhook_busy: 429", 1)
    after = NOW + timedelta(seconds=61)
    assert domain.pause_after(pause, [(after, Done())], after, 0.5) == domain.CLEAR
    again = domain.pause_after(pause, [(after, busy)], after, 0.5)
    assert again is not None
    assert again.failures == 2


def test_R3_the_way_follows_from_the_request() -> None:
    ways = {kind: new(kind, service="crm").provider for kind in ("email", "sms", "webhook", "notice")}
    assert ways == {"email": "email", "sms": "sms", "webhook": "webhook:crm", "notice": "app"}
    event = EffectRequested(effect=uuid4(), effect_kind="notice", service="helen")
    assert domain.requested(event, uuid4(), "lead", 1, NOW, has_address=True, correlation="c").provider == "email"
    assert new("audience", service="vk", audience="a", action="add").provider == "audiences.vk"


def test_M7_a_refused_report_closes_what_is_open_and_nothing_else() -> None:
    effect = domain.taken(new(), tells_repeats=True)
    assert domain.unreportable(effect, ["M7.erased"], NOW).state == "closed"
    done = replace(effect, state="done", outcome="done")
    assert domain.unreportable(done, ["M7.erased"], NOW) is done

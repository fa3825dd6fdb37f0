"""Notices of incident journals as the delivery service takes them (Q6, R3)."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from contracts import events as e
from contracts.meta import Actor, Meta
from services.delivery import domain
from services.delivery.making import Making, Shown, Unsendable
from services.delivery.notices import NOTICES, as_effect
from services.delivery.port import Letter
from services.delivery.reading import of_effects

NOW = datetime(2026, 11, 16, 9, tzinfo=UTC)
MAKING = Making({"anna": "anna@firm.example"}, "leads.example", lambda lead: None)
EFFECT, JOURNAL = uuid4(), uuid4()


def _asked(to: str) -> e.EffectRequested:
    asked = as_effect(e.NoticeRequested(effect=EFFECT, to=to, about="incident", subject="Пропущен срок", text="Лид …"))
    assert isinstance(asked, e.EffectRequested)
    return asked


def _meta(kind: str) -> Meta:
    return Meta(
        stream=JOURNAL,
        version=2,
        kind=kind,  # type: ignore[arg-type]
        type="x",
        happened_at=NOW,
        recorded_at=NOW,
        actor=Actor(id="incident-journal", kind="system"),
        command=uuid4(),
        correlation="c",
    )


def _row(to: str) -> domain.Effect:
    has = to in MAKING.staff
    return domain.requested(_asked(to), JOURNAL, "incident", 2, NOW, has_address=has, correlation="c")


def test_Q6_each_event_of_a_notice_is_one_of_its_effect() -> None:
    assert all(of_effects(cls.TOPIC) for cls in NOTICES)
    done = as_effect(e.NoticeDone(effect=EFFECT, attempts=2, provider="email", provider_id="q-1", doubtful=True))
    assert isinstance(done, e.EffectDone)
    assert (done.attempts, done.provider_id, done.doubtful, done.matched) == (2, "q-1", True, None)
    failed = as_effect(e.NoticeFailed(effect=EFFECT, attempts=3, reason="gave_up: 450"))
    assert isinstance(failed, e.EffectFailed)
    assert (failed.reason, failed.attempts) == ("gave_up: 450", 3)
    again = as_effect(e.NoticeRepeated(effect=EFFECT, to="anna"))
    assert isinstance(again, e.EffectRepeated)
    recorded = domain.closed(_row("anna"), failed, NOW)
    assert (recorded.state, domain.repeated(recorded, again, 9, NOW).state) == ("failed", "waiting")
    other = e.LeadSeen()
    assert as_effect(other) is other


def test_Q6_a_notice_of_a_journal_is_a_letter_to_whom_it_is_for_and_no_conversation_of_a_client() -> None:
    row = _row("anna")
    assert (row.provider, row.effect_kind, row.kind) == ("email", "notice", "incident")
    letter = MAKING.order(row, _asked("anna"), None, _meta("incident"))
    assert isinstance(letter, Letter)
    assert (letter.to, letter.subject, letter.text, letter.thread, letter.unsubscribe) == (
        "anna@firm.example",
        "Пропущен срок",
        "Лид …",
        None,
        None,
    )


def test_Q6_a_journals_notice_to_somebody_without_an_address_fails_at_once_and_a_robots_is_shown() -> None:
    row = _row("vera")
    assert row.provider == "app"
    order = MAKING.order(row, _asked("vera"), None, _meta("incident"))
    assert isinstance(order, Unsendable)
    assert order.reason.startswith("no_address")
    taken = domain.taken(row, tells_repeats=True)
    assert (domain.without_trying(taken, order.reason).outcome, taken.in_doubt) == ("failed", False)
    assert isinstance(MAKING.order(row, _asked("vera"), None, _meta("lead")), Shown)

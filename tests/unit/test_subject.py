"""Texts that leads and deals share: the one is a lead, the other a deal, in both languages, by one mechanism (D1)."""

from __future__ import annotations

import re
import string
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from contracts import events as e
from contracts.commands import COMMAND_BODIES, Command, Refusal, Report
from contracts.events.deal import OF_DEALS, OF_LEADS_ALONE
from contracts.meta import Actor
from services.calendars.calendar import ROUND_THE_CLOCK
from services.leads.domain.adopting import ADOPTION_RULES
from services.leads.domain.decide import Surroundings, decide
from services.leads.domain.journal.words import OWN_DEADLINES, Saying
from services.leads.domain.robots import outward
from services.leads.domain.rules import RULES
from services.leads.domain.state import LeadState, with_
from services.subject import spoken
from services.web.shapes import EventOut
from services.web.telling import Telling
from services.web.texts import TEXTS, Words
from tests.unit.test_deals import THEN, TRIAL, lead, opened

LEADS = re.compile(r"\b(?:лид(?:а|у|ом|е|ы|ов|ам|ами|ах)?|lead|leads(?! to))\b", re.IGNORECASE)
SELLER = Actor(id="anna", kind="person", role="seller")
OF_LEADS = {
    *("N16.not_merged", "D1.not_withdrawn", "D1.on_the_lead", "C3.one_open_lead", "C3.one_open_lead_there"),
    *("M3.takes_leads",),
}
"""Rules about leads alone, or about a deal and its lead."""
SAID_IN_HISTORIES = tuple(
    f"{begin}."
    for begin in ("because", "cancelled", "skipped", "refused", "did", "begins", "dropped", "cause", "review_dropped")
)
NEVER_OF_DEALS = {"cancelled.merged", "dropped.merged", "review_dropped.merged", "event.captured_by_hand"}
"""A deal is neither merged nor entered by hand."""


def test_D1_a_text_says_both_where_they_differ() -> None:
    text = "⟨Лид закрыт|Сделка закрыта⟩. Верните ⟨его|её⟩ в работу: {stage}"
    assert spoken(text, of_deal=False) == "Лид закрыт. Верните его в работу: {stage}"
    assert spoken(text, of_deal=True) == "Сделка закрыта. Верните её в работу: {stage}"
    for plain in ("Лид закрыт", "⟨a⟩", "a | b", "⟨a|b|c⟩", ""):
        assert spoken(plain, of_deal=True) == plain


def _texts() -> dict[str, tuple[str, str]]:
    rules = {rule.id: (rule.ru, rule.en) for rule in (*RULES, *ADOPTION_RULES)}
    return {**TEXTS, **rules, **{f"own.{name}": said for name, said in OWN_DEADLINES.items()}}


def test_D1_no_mark_is_left_open_and_both_say_the_same_values() -> None:
    for key, pair in _texts().items():
        for text in pair:
            both = [spoken(text, of_deal=of_deal) for of_deal in (False, True)]
            assert not set("⟨⟩") & set("".join(both)), key
            values = [sorted(str(name) for _, name, _, _ in string.Formatter().parse(said) if name) for said in both]
            assert values[0] == values[1], key


def test_D1_where_one_language_tells_them_apart_so_does_the_other() -> None:
    for key, (ru, en) in _texts().items():
        if LEADS.search(spoken(en, of_deal=True)) is None and "⟨" in en:
            assert "⟨" in ru or LEADS.search(ru) is None, key


def test_D1_a_deals_history_speaks_of_no_lead() -> None:
    alone = {cls.TOPIC for cls in OF_LEADS_ALONE}
    told = {cls.TOPIC for cls in OF_DEALS} - alone
    for key, pair in TEXTS.items():
        of_event = key.startswith("event.leadline.lead.") and any(
            key == f"event.{topic}" or key.startswith(f"event.{topic}.") for topic in told
        )
        if (of_event or key.startswith((*SAID_IN_HISTORIES, "event.stage_"))) and key not in NEVER_OF_DEALS:
            for text in pair:
                assert LEADS.search(spoken(text, of_deal=True)) is None, key


@pytest.mark.parametrize(
    "rule", [rule for rule in (*RULES, *ADOPTION_RULES) if rule.id not in OF_LEADS], ids=lambda r: r.id
)
def test_D1_a_rule_that_holds_for_deals_speaks_of_deals(rule: Any) -> None:
    for text in (rule.ru, rule.en):
        assert LEADS.search(spoken(text, of_deal=True)) is None


def _all_refused(state: LeadState) -> list[Refusal]:
    """What every command that can be given is refused with."""
    bodies: dict[str, dict[str, Any]] = {
        "see": {}, "accept": {}, "move": {"to": TRIAL.stages[-1].id}, "reopen": {}, "undo": {},
        "reject": {"status": TRIAL.stages[0].id, "reason": "x"},
        "pause": {"until": "2020-01-01", "reason": "x", "status": TRIAL.stages[0].id},
        "record": {"fields": {"nothing": "x"}}, "answer": {"answer": "consent"},
        "withdraw": {"fact": "seen"}, "attach": {"blob": uuid4(), "label": "x"}, "hold": {"kind": "call", "activity": uuid4()},
        "complete": {"activity": uuid4(), "result": "x"}, "replan": {"activity": uuid4(), "due_at": THEN + timedelta(days=9)},
        "review": {"verdict": "confirm"}, "assign": {"to": "nobody"},
    }  # fmt: skip
    found = []
    for name, body in bodies.items():
        for version, happened in ((None, None), (99, THEN - timedelta(days=400))):
            try:
                made = COMMAND_BODIES[name].model_validate({"type": name, **body})
            except ValueError:
                continue
            command = Command(
                id=uuid4(), lead=state.lead, actor=SELLER, body=made, expected_version=version, happened_at=happened
            )
            answer = decide(state, command, TRIAL, THEN, Surroundings(("anna",)))
            if isinstance(answer, Refusal):
                found.append(answer)
    return found


STATES: dict[str, dict[str, Any]] = {
    "open": {},
    "closed": {"kind": "lost"},
    "won": {"kind": "won"},
    "erased": {"erased": True},
    "entered later": {"entered_at": THEN + timedelta(hours=1)},
    "answered": {"answer": "consent"},
}


@pytest.mark.parametrize("stands", STATES)
def test_D1_a_refused_command_on_a_deal_speaks_of_the_deal_and_on_a_lead_of_the_lead(stands: str) -> None:
    deal = with_(opened(), entered_at=THEN, root_at=THEN)
    refused = _all_refused(with_(deal, **STATES[stands]))
    assert len(refused) >= 10
    for refusal in refused:
        assert LEADS.search(f"{refusal.ru} {refusal.en}") is None, refusal
        assert not set("⟨⟩") & set(refusal.ru + refusal.en)
    of_lead = _all_refused(with_(deal, deal_of=None, **STATES[stands]))
    assert {refusal.rules for refusal in of_lead} == {refusal.rules for refusal in refused}
    assert (
        "сделк" not in " ".join(refusal.ru for refusal in of_lead if "S2.answer_decides" not in refusal.rules).lower()
    )


def test_D1_a_closed_deal_is_told_in_both_languages() -> None:
    closed = with_(opened(), entered_at=THEN, kind="lost")
    told = {refusal.ru: refusal.en for refusal in _all_refused(closed) if refusal.rules == ("S3.open_work",)}
    assert told == {
        "Сделка закрыта. Верните её в работу командой «возобновить».": "The deal is closed. Bring it back with the command "
        "reopen first."
    }


def test_D1_an_effect_that_is_not_there_is_not_there_of_the_deal() -> None:
    body = Report(effect=uuid4(), outcome="failed", attempts=1, reason="x")
    answers = [outward.report(state, body, uuid4(), "ru") for state in (lead(), opened())]
    assert [getattr(answer, "ru", "") for answer in answers] == [
        "У этого лида такого действия нет.",
        "У этой сделки такого действия нет.",
    ]


def _told(type_: str, **data: Any) -> str:
    made = {
        "type": type_, "version": 2, "happened_at": THEN, "recorded_at": THEN, "actor": Actor(id="x", kind="system"),
        "event_id": "x", "command": uuid4(), "correlation": "x", "data": data, "erased": [],
    }  # fmt: skip
    known = {name: value for name, value in made.items() if name in EventOut.model_fields}
    return Telling(Words("ru"), ZoneInfo("Europe/Moscow")).tell(EventOut.model_construct(**known), TRIAL).sentence


@pytest.mark.parametrize(
    ("kind", "data", "of_lead", "of_deal"),
    [
        (
            "stage_entered",
            {"stage": "booked", "from_stage": "booked", "cause": "auto"},
            "Всё нужное есть, лид перешёл сам",
            "Всё нужное есть, сделка перешла сама",
        ),
        ("robot_cancelled", {"robot": "x", "by": "left_stage"}, "лид ушёл со стадии", "сделка ушла со стадии"),
        ("robot_ran", {"robot": "x", "did": "reject"}, "лид забракован", "сделка забракована"),
        ("pooled", {}, "Сейчас взять лид некому: он в пуле", "Сейчас взять сделку некому: она в пуле"),
    ],
)
def test_D1_an_event_of_a_deal_is_told_of_the_deal(kind: str, data: dict[str, Any], of_lead: str, of_deal: str) -> None:
    assert of_lead in _told(f"leadline.lead.{kind}", **data)
    assert of_deal in _told(f"leadline.deal.{kind}", **data)


def test_Q6_a_notice_of_a_missed_deadline_says_whose_it_is() -> None:
    saying = Saying("ru", "https://crm.example.org", ROUND_THE_CLOCK)
    for of_deal, subject, line in (
        (False, "Лид без ответственного", "Лид:"),
        (True, "Сделка без ответственного", "Сделка:"),
    ):
        text = saying.title("pool", None, of_deal=of_deal)
        recorded = e.IncidentRecorded(
            incident=uuid4(), incident_kind="pool", employee="helen", lead=UUID(int=1), of_deal=of_deal, pipeline="x@1",
            stage="new", rule="pool", because="x", due_at=datetime(2026, 3, 2, tzinfo=UTC), missed_s=0,
            cause="nobody_responsible", counts=False, text=text,
        )  # fmt: skip
        told = saying.incident(recorded, 3, 14)
        assert told[0].startswith(
            f"{subject}: {'Сделка ждёт, и взять её' if of_deal else 'Лид ждёт, и взять его'} некому"
        )
        assert f"\n{line} https://crm.example.org/leads/" in told[1]

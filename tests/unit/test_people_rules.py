"""Rules about the person behind a lead: what they allow, what their words propose, whether their data may go (C1, C7, C8)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts import commands as c
from contracts import events as e
from contracts.recorded import Recorded
from services.leads.domain.contact import ContactState
from services.leads.domain.merging_rules import MERGE_RULES, UNMERGE_RULES
from services.leads.domain.people import Person, may_delete, permit
from services.leads.domain.permissions import CHANNELS, Permission, may_contact
from services.leads.domain.refusal_words import LEXICON, proposals
from services.leads.domain.state import with_
from tests.unit.given_lead import CONTACT, LEAD, THEN, captured, entered, given, meta

DAY = date(2026, 3, 2)


def said(
    allowed: bool, how: str = "call", *, after: int = 0, until: date | None = None, channel: Any = "phone"
) -> Permission:
    at = datetime(2026, 3, 1, 9, tzinfo=UTC) + timedelta(hours=after)
    return Permission(channel, allowed, how, at, "anna", until)


def test_C7_who_said_nothing_may_be_contacted() -> None:
    assert may_contact((), "phone", DAY).allowed
    assert may_contact((), "phone", DAY).proof is None


def test_C7_refusal_holds_on_its_channel_only_and_names_its_proof() -> None:
    refusal = said(False)
    answer = may_contact((refusal,), "phone", DAY)
    assert (answer.allowed, answer.proof) == (False, refusal)
    assert may_contact((refusal,), "email", DAY).allowed


def test_C7_later_form_does_not_lift_a_refusal_and_a_call_does() -> None:
    refusal = said(False)
    assert not may_contact((refusal, said(True, "form", after=1)), "phone", DAY).allowed
    assert may_contact((refusal, said(True, "call", after=1)), "phone", DAY).allowed


def test_C7_refusal_for_a_time_holds_until_its_day() -> None:
    refusal = said(False, until=date(2026, 4, 1))
    assert not may_contact((refusal,), "phone", date(2026, 3, 31)).allowed
    assert may_contact((refusal,), "phone", date(2026, 4, 1)).allowed


def test_C7_form_makes_no_refusal_shorter_and_may_refuse() -> None:
    for_good = said(False)
    assert not may_contact((for_good, said(False, "form", after=1, until=DAY)), "phone", date(2027, 1, 1)).allowed
    assert not may_contact((said(True), said(False, "form", after=1)), "phone", DAY).allowed
    over = said(False, until=date(2026, 3, 1))
    assert may_contact((over, said(True, "form", after=48)), "phone", DAY).allowed


def test_C7_order_of_recording_does_not_matter_but_of_saying() -> None:
    late, early = said(False, after=5), said(True, after=1)
    assert not may_contact((late, early), "phone", DAY).allowed


def test_C7_all_is_every_channel_and_a_repeat_records_nothing() -> None:
    state, person = given(*captured()).state, Person((ContactState(CONTACT, 1),))
    body = c.Permit(channel="all", allowed=False, how="call", words="не звоните")
    events = permit(state, body, person)
    assert [event.channel for _, event in events if isinstance(event, e.PermissionRecorded)] == list(CHANNELS)
    known = tuple(Permission(channel, False, "call", THEN, "anna", words="не звоните") for channel in CHANNELS)
    assert permit(state, body, Person((ContactState(CONTACT, 2, permissions=known),))) == ()


@pytest.mark.parametrize("words", [words for words, _ in LEXICON])
def test_C7_every_word_of_the_lexicon_proposes_and_obeys_nothing(words: str) -> None:
    history = [
        Recorded(meta(data, n), data) for n, data in enumerate(captured(comment=f"Здравствуйте! {words.upper()}…"), 1)
    ]
    assert proposals(history, ()) == (), "a lead entered by hand has no message that proves anything"
    joined = e.InboundJoined(
        inbound_id=UUID(int=5), channel="form", source="site", received_at=THEN, comment=f"И {words.upper()}, спасибо"
    )
    [proposal] = proposals([*history, Recorded(meta(joined, 3), joined)], ())
    assert proposal.inbound_id == UUID(int=5)
    decided = [Permission(channel, False, "form", THEN, "anna") for channel in CHANNELS]
    assert proposals([Recorded(meta(joined, 3), joined)], decided) == ()


@pytest.mark.parametrize("text", ["Позвоните мне завтра", "Please call me", "Жду звонка, пишите на почту", ""])
def test_C7_plain_wishes_propose_nothing(text: str) -> None:
    joined = e.InboundJoined(inbound_id=UUID(int=5), channel="form", source="site", received_at=THEN, comment=text)
    assert proposals([Recorded(meta(joined, 3), joined)], ()) == ()


def test_C1_bad_data_goes_only_when_nothing_of_the_person_lives() -> None:
    lead = given(*captured()).state
    lost = with_(given(*captured(), entered("price")).state, lead=UUID(int=9))
    living = with_(lead, lead=UUID(int=8))
    assert may_delete(LEAD, [lead, lost]) is None
    assert may_delete(LEAD, [lead, with_(living, merged_into=LEAD)]) is None
    refusal = may_delete(LEAD, [lead, living])
    assert refusal is not None
    assert refusal.rules == ("C1.only_lead_of_person",)
    assert may_delete(LEAD, [lead, with_(living, kind="postponed")]) is not None
    for kept in ("contact", "ads"):
        assert may_delete(LEAD, [lead, with_(lost, outcome=kept)]) is not None, "lost, and the contact is kept"


def test_N16_rules_of_merging_have_words_in_both_languages_and_say_why() -> None:
    for rules in (MERGE_RULES, UNMERGE_RULES):
        assert len({rule.id for rule in rules}) == len(rules)
        for rule in rules:
            assert all((rule.ru, rule.en, rule.why))

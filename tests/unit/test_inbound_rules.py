"""What becomes of calls, messages, visits and letters, given/when/then (C3, C9, S4, K5)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts import events as e
from services.leads.domain.identities import names_differ
from services.leads.domain.inbound_rules import INBOUND_RULES
from tests.unit.given_arrival import ANNA, MARIA, THEN, World, call, letter, outcome, personal, types
from tests.unit.given_lead import entered

REJECTED = entered("price", 2, cause="rejected", direction="out")


# --- forms ---------------------------------------------------------------------------------------------------------


def test_C3_ordered_call_is_an_activity_at_once() -> None:
    world = World()
    found = world.arrives("form", "site", name="Анна", phone=ANNA, kind="callback")
    assert (outcome(found), types(found.ruled)) == (("accepted", None), ["activity_planned"])
    planned = found.ruled[0]
    assert isinstance(planned, e.ActivityPlanned)
    assert (planned.activity_kind, planned.reason) == ("call", "callback_ordered")
    again = world.arrives("form", "site", name="Анна", phone=ANNA, kind="callback")
    assert (outcome(again), again.ruled) == (("joined", None), []), "one call is owed, however often it was ordered"


def test_C3_plain_form_plans_nothing() -> None:
    assert not World().arrives("form", "site", phone=ANNA).ruled


def test_K5_form_nobody_can_be_reached_by_waits() -> None:
    assert outcome(World().arrives("form", name="Анна")) == ("quarantined", "no_contact")
    assert outcome(World().arrives("form", name="Анна", visitor_id="v-1")) == ("quarantined", "no_contact")
    assert outcome(World().arrives("form", phone="завтра")) == ("quarantined", "unreadable_contact")


# --- calls ---------------------------------------------------------------------------------------------------------


def test_C3_call_of_an_unknown_number_is_a_new_lead_with_the_call_as_a_fact() -> None:
    world = World()
    found = world.arrives("call", **call(answered=True, recording_url="https://pbx.example.org/1.mp3", agent="Борис"))
    assert outcome(found) == ("accepted", None)
    assert types(found.lead_events) == ["captured", "stage_entered", "call_recorded"]
    assert types(found.contact_events) == ["made", "identity_added", "identity_confirmed"]
    recorded = found.lead_events[2]
    assert isinstance(recorded, e.CallRecorded)
    assert (recorded.number, recorded.line, recorded.recording) == (
        ANNA,
        "+74951112233",
        "https://pbx.example.org/1.mp3",
    )


def test_C3_call_of_a_known_person_joins_their_open_lead() -> None:
    world = World()
    first = world.arrives("form", "site", name="Анна", phone="8 916 123-45-67")
    found = world.arrives("call", **call(answered=True))
    assert (outcome(found), found.lead) == (("joined", None), first.lead)
    assert types(found.lead_events) == ["call_recorded"]


def test_S4_any_number_of_calls_fits_in_one_stage() -> None:
    world = World()
    first = world.arrives("form", "site", phone=ANNA)
    for n in range(5):
        assert world.arrives("call", **call(call_id=f"c{n}", answered=True)).lead == first.lead
    assert first.lead is not None
    state = world.leads[first.lead]
    assert (state.stage, len(state.calls)) == ("new", 5)


def test_C3_call_after_the_lead_was_closed_is_a_new_lead_of_the_same_person() -> None:
    world = World()
    first = world.arrives("call", **call())
    world.happens(first.lead, REJECTED)
    found = world.arrives("call", **call(call_id="c2"))
    assert (outcome(found), found.contact, found.contact_is_new) == (("accepted", None), first.contact, False)


def test_C3_our_call_is_recorded_and_never_makes_a_lead() -> None:
    world = World()
    assert outcome(world.arrives("call", **call(direction="out"))) == ("no_lead", "outbound_to_unknown")
    lead = world.arrives("form", "site", phone=ANNA).lead
    found = world.arrives("call", **call(call_id="c2", direction="out"))
    assert (outcome(found), found.lead, types(found.lead_events)) == (("joined", None), lead, ["call_recorded"])
    recorded = found.lead_events[0]
    assert isinstance(recorded, e.CallRecorded)
    assert (recorded.number, recorded.line) == (ANNA, "+74951112233"), (
        "the client's number is `to` of a call that went out"
    )
    world.happens(lead, REJECTED)
    assert outcome(world.arrives("call", **call(call_id="c3", direction="out"))) == ("no_lead", "outbound_without_lead")


def test_C3_our_call_to_an_unknown_number_is_run_again_once_the_person_is_known() -> None:
    world = World()
    before = world.arrives("call", **call(direction="out"))
    assert before.outcome == "no_lead"
    lead = world.arrives("form", "site", phone=ANNA).lead
    again = world.arrives("call", again=UUID(int=1001), **call(direction="out"))
    assert (outcome(again), again.lead) == (("joined", None), lead)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("", ("no_lead", "hidden_number")),
        ("Anonymous", ("no_lead", "hidden_number")),
        ("101", ("no_lead", "internal_number")),
        ("*1234", ("no_lead", "internal_number")),
        ("sip:anna", ("quarantined", "unreadable_contact")),
        ("+7916", ("quarantined", "unreadable_contact")),
    ],
)
def test_C3_number_that_finds_nobody_is_kept_with_a_reason(number: str, expected: tuple[str, str]) -> None:
    assert outcome(World().arrives("call", **call(number))) == expected


def test_C2_missed_call_is_called_back_once_however_often_the_client_tries() -> None:
    world = World()
    first = world.arrives("call", **call(ended_at=THEN))
    planned = first.ruled[0]
    assert isinstance(planned, e.ActivityPlanned)
    assert (planned.activity_kind, planned.reason, planned.inbound_id) == ("call", "missed_call", UUID(int=1001))
    assert not world.arrives("call", **call(call_id="c2")).ruled
    assert not world.arrives("call", **call(call_id="c3", direction="out")).ruled, "nobody answered our call either"
    done = world.arrives("call", **call(call_id="c4", direction="out", answered=True)).ruled
    assert types(done) == ["activity_done"]
    assert isinstance(done[0], e.ActivityDone)
    assert done[0].activity == planned.activity
    assert types(world.arrives("call", **call(call_id="c5")).ruled) == ["activity_planned"], "a new miss is a new debt"


def test_C3_further_reports_of_a_call_add_to_it_and_double_nothing() -> None:
    world = World()
    rings = world.arrives("call", **call())
    taken = world.arrives("call", **call(answered=True, agent="Борис"))
    assert (outcome(taken), taken.lead, types(taken.lead_events)) == (
        ("joined", "further_report"),
        rings.lead,
        ["call_updated"],
    )
    assert types(taken.ruled) == ["activity_done"], "it rang and was taken: nothing is owed"
    ended = world.arrives("call", **call(answered=True, ended_at=THEN + timedelta(minutes=3)))
    heard = world.arrives("call", **call(answered=True, recording_url="https://pbx.example.org/1.mp3"))
    assert types(ended.lead_events) == types(heard.lead_events) == ["call_updated"]
    whole = heard.lead_events[0]
    assert isinstance(whole, e.CallUpdated)
    assert (whole.agent, whole.ended_at, whole.recording) == (
        "Борис",
        THEN + timedelta(minutes=3),
        "https://pbx.example.org/1.mp3",
    ), "the last report says all that is known"
    repeat = world.arrives("call", **call(answered=True))
    assert (outcome(repeat), repeat.lead_events, repeat.ruled) == (("joined", "same_call"), [], [])
    late = world.arrives("call", **call())
    assert (outcome(late), late.lead_events, late.ruled) == (("joined", "same_call"), [], []), (
        "an old report undoes nothing"
    )


def test_C3_recording_that_comes_after_the_lead_was_closed_still_stands_on_it() -> None:
    world = World()
    lead = world.arrives("call", **call(answered=True)).lead
    world.happens(lead, REJECTED)
    found = world.arrives("call", **call(answered=True, recording_url="https://pbx.example.org/1.mp3"))
    assert (outcome(found), found.lead, types(found.lead_events)) == (
        ("joined", "further_report"),
        lead,
        ["call_updated"],
    )


def test_C3_further_report_of_a_call_that_made_no_lead_counts_as_the_same() -> None:
    world = World()
    world.arrives("call", **call("anonymous"))
    assert outcome(world.arrives("call", **call("anonymous", answered=True))) == ("no_lead", "same_call")


def test_C3_same_call_id_of_another_telephone_system_is_another_call() -> None:
    world = World()
    world.arrives("call", "pbx", **call())
    assert types(world.arrives("call", "branch", **call()).lead_events) == ["call_recorded"]


@pytest.mark.parametrize("direction", ["in", "out"])
def test_C9_answered_call_confirms_the_phone_once(direction: str) -> None:
    world = World()
    world.arrives("form", "site", phone=ANNA)
    assert world.state_of("phone", ANNA) == "unconfirmed"
    missed = world.arrives("call", **call(call_id="c0", direction=direction))
    assert (missed.contact_events, world.state_of("phone", ANNA)) == ([], "unconfirmed")
    found = world.arrives("call", **call(direction=direction, answered=True))
    confirmed = found.contact_events[0]
    assert isinstance(confirmed, e.IdentityConfirmed)
    assert (confirmed.proof, confirmed.value, confirmed.inbound_id) == ("answered_call", ANNA, UUID(int=1003))
    assert world.state_of("phone", ANNA) == "confirmed"
    assert not world.arrives("call", **call(call_id="c2", answered=True)).contact_events


def test_C9_call_answered_in_a_later_report_confirms_too() -> None:
    world = World()
    world.arrives("call", **call())
    world.arrives("call", **call(answered=True))
    assert world.state_of("phone", ANNA) == "confirmed"


def test_C3_number_of_two_people_joins_neither_and_its_calls_are_one_lead() -> None:
    world = World()
    anna = world.arrives("form", "site", name="Анна", phone=ANNA)
    maria = world.arrives("form", "site", name="Мария", phone=ANNA)
    assert types(maria.lead_events)[-1] == "duplicate_suspected"
    first = world.arrives("call", **call())
    assert (outcome(first), first.contact in (anna.contact, maria.contact)) == (("accepted", None), False)
    assert types(first.lead_events)[-1] == "duplicate_suspected"
    second = world.arrives("call", **call(call_id="c2", answered=True))
    assert (outcome(second), second.lead, types(second.lead_events)) == (
        ("joined", None),
        first.lead,
        ["call_recorded"],
    )
    assert "identity_confirmed" not in types(second.contact_events), "nobody knows whose phone was answered"
    world.happens(first.lead, REJECTED)
    third = world.arrives("call", **call(call_id="c3"))
    assert (outcome(third), third.lead != first.lead) == (("accepted", None), True)
    assert world.arrives("call", **call(call_id="c4")).lead == third.lead


# --- messages ------------------------------------------------------------------------------------------------------

CHAT = {"channel": "telegram", "sender_id": "777", "text": "Здравствуйте"}


def test_C3_messages_of_one_account_are_one_person_whatever_name_it_shows() -> None:
    world = World()
    first = world.arrives("message", "bot", **CHAT, name="Анна")
    assert types(first.lead_events) == ["captured", "stage_entered"]
    captured = first.lead_events[0]
    assert isinstance(captured, e.LeadCaptured)
    assert (captured.source, captured.comment) == ("telegram", "Здравствуйте")
    found = world.arrives("message", "bot", **{**CHAT, "text": "Вы тут?"}, name="Солнышко")
    assert (outcome(found), found.lead, types(found.lead_events)) == (("joined", None), first.lead, ["inbound_joined"])


def test_C3_sender_id_counts_within_its_channel_and_account() -> None:
    world = World()
    first = world.arrives("message", "bot", **CHAT)
    assert world.arrives("message", "other bot", **CHAT).lead != first.lead
    assert world.arrives("message", "bot", **{**CHAT, "channel": "vk"}).lead != first.lead


def test_N15_chat_without_phone_then_phone_then_call_are_one_lead() -> None:
    world = World()
    first = world.arrives("message", "bot", **CHAT)
    assert world.arrives("message", "bot", **CHAT, phone="8 916 123-45-67").lead == first.lead
    assert world.arrives("call", **call()).lead == first.lead


# --- visits --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("identity", [ANNA, "8 (916) 123-45-67", "Anna@Example.org", "visitor-42"])
def test_C3_visit_of_a_known_person_is_a_fact_of_their_open_lead(identity: str) -> None:
    world = World()
    lead = world.arrives("form", "site", phone=ANNA, email="anna@example.org", visitor_id="visitor-42").lead
    found = world.arrives("visit", "site", identity=identity, page="https://example.com/prices", at=THEN)
    assert (outcome(found), found.lead, types(found.lead_events)) == (("joined", None), lead, ["visit_recorded"])
    assert personal(found.lead_events[0], "page") == "https://example.com/prices"


@pytest.mark.parametrize("identity", [ANNA, "nobody@example.org", "visitor-42", "12345", "1234567890.1700000000"])
def test_C3_visit_of_nobody_known_is_never_a_lead(identity: str) -> None:
    world = World()
    found = world.arrives("visit", "site", identity=identity, place="шоурум", at=THEN)
    assert (outcome(found), found.claims, world.contacts) == (("no_lead", "unknown_visitor"), [], {})


def test_C3_visit_without_an_open_lead_is_kept_with_a_reason() -> None:
    world = World()
    world.happens(world.arrives("form", "site", phone=ANNA).lead, REJECTED)
    found = world.arrives("visit", "site", identity=ANNA, place="шоурум", at=THEN)
    assert outcome(found) == ("no_lead", "visitor_without_lead")


def test_C3_two_people_at_one_browser_are_not_joined_by_it() -> None:
    world = World()
    first = world.arrives("form", "site", name="Анна", phone=ANNA, visitor_id="home-pc")
    second = world.arrives("form", "site", name="Мария", phone=MARIA, visitor_id="home-pc")
    assert (outcome(second), second.contact != first.contact) == (("accepted", None), True)
    assert types(second.lead_events) == ["captured", "stage_entered"], "nobody is suspected for using one computer"


# --- letters -------------------------------------------------------------------------------------------------------


def test_C3_letter_of_a_stranger_is_a_new_lead_with_its_text() -> None:
    world = World()
    found = world.arrives("mail", "sales", **letter(sender="Anna@Example.org", sender_name="Анна"))
    assert outcome(found) == ("accepted", None)
    assert types(found.lead_events) == ["captured", "stage_entered", "letter_received"]
    received = found.lead_events[2]
    assert isinstance(received, e.LetterReceived)
    assert (received.email, received.subject, received.text) == ("anna@example.org", "Столешница", "Добрый день!")
    assert personal(found.lead_events[0], "comment") is None, "the text stands once"


def test_C3_letter_of_a_known_person_joins() -> None:
    world = World()
    first = world.arrives("form", "site", name="Анна", email="anna@example.org")
    found = world.arrives("mail", "sales", **letter(sender_name="Anna Smirnova"))
    assert (outcome(found), found.lead, types(found.lead_events)) == (("joined", None), first.lead, ["letter_received"])


def test_C3_letter_to_two_of_our_addresses_is_one() -> None:
    world = World()
    first = world.arrives("mail", "sales", **letter())
    copy = world.arrives("mail", "office", **letter())
    assert (outcome(copy), copy.lead, copy.lead_events) == (("joined", "same_letter"), first.lead, [])
    other = world.arrives("mail", "office", **letter("boris@example.net"))
    assert outcome(other) == ("accepted", None), "an id that somebody else uses too hides no letter of his"


@pytest.mark.parametrize("named", [{"in_reply_to": "m1@example.org"}, {"references": ["m1@example.org", "x@y.z"]}])
def test_C3_letter_in_a_conversation_joins_its_lead_from_another_address(named: dict[str, Any]) -> None:
    world = World()
    first = world.arrives("mail", "sales", **letter(sender_name="Анна Смирнова"))
    found = world.arrives(
        "mail", "sales", **letter("anna@home.example", message_id="m2@h", sender_name="Анна", **named)
    )
    assert (outcome(found), found.lead) == (("joined", None), first.lead)
    assert types(found.contact_events) == ["identity_added"], "noted as a further address of theirs"


def test_C3_somebody_of_another_name_in_a_conversation_is_kept_apart_for_a_person_to_decide() -> None:
    world = World()
    first = world.arrives("mail", "sales", **letter(sender_name="Анна"))
    found = world.arrives(
        "mail", "sales", **letter("boris@e.org", message_id="m2@e", sender_name="Борис", in_reply_to="m1@example.org")
    )
    assert (outcome(found), found.contact != first.contact) == (("accepted", None), True)
    suspected = found.lead_events[-1]
    assert isinstance(suspected, e.DuplicateSuspected)
    assert (suspected.other_contact, suspected.other_lead) == (first.contact, first.lead)


def test_C3_token_in_our_address_leads_to_its_lead() -> None:
    world = World()
    first = world.arrives("form", "site", name="Анна", phone=ANNA)
    found = world.arrives("mail", "sales", **letter(sender_name="Анна", thread=str(first.lead).upper()))
    assert (outcome(found), found.lead) == (("joined", None), first.lead)
    assert types(found.contact_events) == ["identity_added", "identity_confirmed"]


def test_C3_answer_in_the_conversation_of_a_closed_lead_is_a_new_lead_of_the_same_person() -> None:
    world = World()
    first = world.arrives("mail", "sales", **letter())
    world.happens(first.lead, REJECTED)
    found = world.arrives("mail", "sales", **letter("anna@home.example", message_id="m2", in_reply_to="m1@example.org"))
    assert (outcome(found), found.contact) == (("accepted", None), first.contact)


def test_C9_reply_confirms_the_address_and_a_first_letter_does_not() -> None:
    world = World()
    world.arrives("mail", "sales", **letter())
    assert world.state_of("email", "anna@example.org") == "unconfirmed"
    world.arrives(
        "mail", "sales", **letter(message_id="m2@e", in_reply_to="m1@example.org", references=["m1@example.org"])
    )
    assert world.state_of("email", "anna@example.org") == "unconfirmed", "who answers themselves got nothing of ours"
    ours = {"in_reply_to": "ours@example.com", "references": ["m1@example.org", "ours@example.com"]}
    found = world.arrives("mail", "sales", **letter(message_id="m3@e", **ours))
    received = found.lead_events[0]
    assert isinstance(received, e.LetterReceived)
    assert (received.reply, world.state_of("email", "anna@example.org")) == (True, "confirmed")


def test_C9_bounce_for_good_proves_the_address_wrong_and_a_delay_nothing() -> None:
    world = World()
    lead = world.arrives("form", "site", email="anna@example.org").lead
    bounced = {"address": "Anna@example.org", "status": "4.2.2", "diagnostic": "full", "permanent": False}
    bounce = letter("mailer-daemon@example.org", message_id="b1@e", kind="bounce", bounced=[bounced])
    found = world.arrives("mail", "sales", **bounce)
    assert (outcome(found), found.lead, types(found.lead_events)) == (
        ("joined", None),
        lead,
        ["automatic_mail_received"],
    )
    assert world.state_of("email", "anna@example.org") == "unconfirmed"
    hard = {**bounced, "status": "5.1.1", "permanent": True}
    found = world.arrives("mail", "sales", **{**bounce, "message_id": "b2@e", "bounced": [hard]})
    wrong = found.other_contact_events[0][1]
    assert isinstance(wrong, e.IdentityWrong)
    assert (wrong.proof, wrong.status, world.state_of("email", "anna@example.org")) == ("bounce", "5.1.1", "wrong")
    assert "mailer-daemon@example.org" not in str(world.owners)


def test_C9_bounce_without_an_open_lead_still_proves() -> None:
    world = World()
    world.happens(world.arrives("form", "site", email="anna@example.org").lead, REJECTED)
    bounced = {"address": "anna@example.org", "status": "5.1.1", "permanent": True}
    found = world.arrives("mail", "sales", **letter("mailer-daemon@e.org", kind="bounce", bounced=[bounced]))
    assert (outcome(found), world.state_of("email", "anna@example.org")) == (("no_lead", "bounce"), "wrong")


def test_C9_a_bounce_of_an_address_that_is_somebody_elses_makes_no_duplicates_of_the_two() -> None:
    world = World()
    world.arrives("form", "site", email="anna@example.org")
    lead = world.arrives("form", "site", email="boris@example.org").lead
    forwarded = {"address": "anna@example.org", "status": "5.1.1", "permanent": True}
    bounce = letter(
        "mailer-daemon@example.org", message_id="b1@e", kind="bounce", thread=str(lead), bounced=[forwarded]
    )
    found = world.arrives("mail", "sales", **bounce)
    assert (found.lead, types(found.lead_events)) == (lead, ["automatic_mail_received"])


def test_C3_automatic_answer_is_recorded_and_proves_nothing() -> None:
    world = World()
    assert outcome(world.arrives("mail", "sales", **letter(kind="auto_reply"))) == ("no_lead", "auto_reply")
    lead = world.arrives("form", "site", email="anna@example.org").lead
    found = world.arrives("mail", "sales", **letter(kind="auto_reply", message_id="a2@e", thread=str(lead)))
    assert (outcome(found), found.lead, types(found.lead_events)) == (
        ("joined", None),
        lead,
        ["automatic_mail_received"],
    )
    assert world.state_of("email", "anna@example.org") == "unconfirmed"


def test_C3_bulk_mail_makes_no_lead_but_reaches_an_open_one() -> None:
    world = World()
    assert outcome(world.arrives("mail", "sales", **letter(list_id="news.example.org"))) == ("no_lead", "bulk_mail")
    lead = world.arrives("form", "site", email="anna@example.org").lead
    assert world.arrives("mail", "sales", **letter(message_id="m2@e", list_id="news.example.org")).lead == lead


def test_C3_a_sites_mailer_is_nobodys_identity() -> None:
    world = World()
    site = {"sender": "forms@builder.example", "sender_name": "Заявки с сайта"}
    first = world.arrives("mail", "sales", **letter(**site, reply_to="anna@example.org"))
    second = world.arrives("mail", "sales", **letter(**site, message_id="m2@e", reply_to="boris@example.net"))
    assert (outcome(second), second.contact != first.contact) == (("accepted", None), True)
    assert set(world.owners) == {b"email:anna@example.org", b"email:boris@example.net"}


# --- all -----------------------------------------------------------------------------------------------------------


def test_C3_names_in_two_alphabets_say_nothing() -> None:
    assert not names_differ("Анна", "Anna Smirnova")
    assert names_differ("Анна", "Мария")
    assert names_differ("Anna", "Maria")
    assert not names_differ("Анна", "Анна Смирнова")
    assert not names_differ("Анна", "123")


def test_K5_inbound_rules_have_ids_of_their_own_and_say_why() -> None:
    assert len({rule.id for rule in INBOUND_RULES}) == len(INBOUND_RULES)
    assert all(rule.ru and rule.en and rule.why for rule in INBOUND_RULES)

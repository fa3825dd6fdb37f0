"""The incident journal, sentence by sentence: what is recorded, what counts, what escalates, what is excused (Q6, Q9, C2, C4)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest

from contracts import events as e
from contracts import journal as j
from contracts.commands import Refusal
from contracts.journal import journal_of
from contracts.meta import Actor
from contracts.pipeline import Titles
from contracts.team import Member, Team
from services.leads.domain.journal.counting import Escalating, fullest, quarters
from services.leads.domain.journal.recording import JOURNALLED, NOBODY, is_one
from services.leads.domain.journal.rules import RULES
from tests.unit.given_calendar import at
from tests.unit.given_journal import ANNA, DAY, NOON, OLGA, OPS, PUBLIC, Desk, miss


def _types(events: Any) -> list[str]:
    assert not isinstance(events, Refusal), events
    return [event.TOPIC.rpartition(".")[2] for event in events]


def _rules(refusal: Any) -> tuple[str, ...]:
    assert isinstance(refusal, Refusal)
    return refusal.rules


# --- what is recorded, and the notice --------------------------------------------------------------------------------


def test_Q6_a_missed_deadline_is_recorded_with_all_that_the_journal_is_to_say() -> None:
    desk, lead = Desk(), uuid4()
    desk.missed(NOON, NOON + timedelta(hours=3), lead, turn=2)  # one hour of lunch lies between
    recorded, notice = desk.put
    assert isinstance(recorded, e.IncidentRecorded)
    said = recorded.model_dump(exclude={"incident", "begun_at", "term", "text"})
    assert said == {
        "incident_kind": "deadline",
        "employee": "anna",
        "lead": lead,
        "of_deal": False,
        "pipeline": "countertops",
        "stage": "in_work",
        "rule": "qualify",
        "because": f"{lead}-7",
        "due_at": NOON,
        "missed_s": 2 * 3600,
        "cause": "person",
        "counts": True,
        "turn": 2,
        "calendar": "sales@1",
    }
    assert isinstance(notice, e.NoticeRequested)
    assert (notice.to, notice.about, notice.incident) == ("anna", "incident", recorded.incident)


def test_Q6_the_notice_names_the_deadline_the_lead_by_its_link_the_instant_and_by_how_much_it_was_missed() -> None:
    desk, lead = Desk(), uuid4()
    desk.missed(NOON, NOON + timedelta(hours=3), lead)
    notice = desk.put[1]
    assert isinstance(notice, e.NoticeRequested)
    assert notice.subject == "Пропущен срок: qualify"
    for said in (f"{PUBLIC}/leads/{lead}", "16.11.2026 12:00", "2 ч", "3"):
        assert said in notice.text
    desk = Desk(language="en")
    desk.missed(NOON, NOON + timedelta(minutes=5), lead)
    assert isinstance(desk.put[1], e.NoticeRequested)
    assert desk.put[1].text == (
        f"qualify\nLead: {PUBLIC}/leads/{lead}\nDue: 16.11.2026 12:00\nLate by 5 min of working time\n"
        "It counts as a miss. Misses in 30 days until the manager is told: 3"
    )


def test_Q6_a_deadline_that_raises_no_incident_and_whatever_is_none_goes_to_no_journal() -> None:
    assert not is_one(miss(NOON, incident=None))
    failed: dict[str, Any] = {"effect": uuid4(), "attempts": 3}
    assert not is_one(e.EffectFailed(**failed, effect_kind="email", reason="contact_refused"))
    assert not is_one(e.EffectFailed(**failed, effect_kind="email", reason="erased: the person's data was erased"))
    assert not is_one(e.EffectFailed(**failed, effect_kind="notice", reason="gave_up"))
    assert is_one(e.EffectFailed(**failed, effect_kind="email", reason="gave_up: 450"))
    assert {event.TOPIC.split(".")[1] for event in JOURNALLED} == {"lead", "deal"}


def test_Q6_the_same_incident_is_recorded_once_also_across_the_end_of_a_quarter() -> None:
    desk = Desk(now=at("2026-12-31 12:00"))
    desk.missed(desk.now)
    recorded = next(event for _, event in desk.story if isinstance(event, e.IncidentRecorded))
    assert desk.record(recorded) == []
    desk.now = at("2027-01-11 12:00")
    assert desk.record(recorded) == []


@pytest.mark.parametrize(
    "cause", ["robot_failed", "delivery_failed", "assigned_late", "absent", "outside_hours", "left"]
)
def test_Q6_a_miss_for_another_cause_is_recorded_and_told_and_counts_not(cause: Any) -> None:
    desk = Desk()
    incident = desk.missed(NOON, cause=cause)
    assert isinstance(notice := desk.put[1], e.NoticeRequested)
    assert "не считается" in notice.text
    desk.told(incident)
    assert desk.put == [e.IncidentTold(incident=incident, via="app", strike=None, of=3, days=30)]
    assert not desk.incident(incident).is_strike


def test_Q6_a_lead_given_away_a_minute_before_due_is_a_late_hand_over_of_who_got_it_and_no_strike_of_anybody() -> None:
    desk = Desk()
    incident = desk.missed(NOON, responsible="boris", cause="assigned_late")
    book, known = desk.find(incident)
    assert (book.stream, known.recorded.employee) == (journal_of("boris", "2026-Q4"), "boris")
    assert not known.counts
    assert desk.of("anna", ["2026-Q4"]) == []


def test_C4_a_lead_of_nobody_is_an_incident_of_the_head_and_counts_for_nobody() -> None:
    desk = Desk()
    pooled = desk.missed(NOON, deadline="pool", responsible=None, cause="nobody_responsible")
    recorded = desk.incident(pooled).recorded
    assert (recorded.incident_kind, recorded.employee, recorded.counts) == ("pool", "olga", False)
    assert isinstance(notice := desk.put[1], e.NoticeRequested)
    assert notice.subject == "Лид без ответственного: Лид ждёт, и взять его некому"
    unassigned = desk.missed(NOON, responsible=None, cause="nobody_responsible")
    recorded = desk.incident(unassigned).recorded
    assert (recorded.incident_kind, recorded.employee, recorded.counts) == ("deadline", "olga", False)


def test_Q6_without_a_head_what_is_nobodys_stands_in_the_journal_of_nobody_and_no_mail_goes() -> None:
    desk = Desk(head=None)
    incident = desk.missed(NOON, responsible=None, cause="nobody_responsible")
    assert _types(desk.put) == ["recorded"]
    assert desk.find(incident)[0].stream == journal_of(NOBODY, "2026-Q4")


def test_C2_an_incident_of_a_robot_is_the_responsibles_and_counts_unless_they_are_away() -> None:
    desk = Desk()
    raised = e.IncidentRaised(
        incident=uuid4(), robot="no_attempt", visit=1, responsible="anna", stage="new", text="Ни одной попытки"
    )
    desk.happened(raised)
    recorded = desk.incident(raised.incident).recorded
    assert (recorded.incident_kind, recorded.employee, recorded.rule) == ("raised", "anna", "no_attempt")
    assert (recorded.text, recorded.cause, recorded.counts) == ("Ни одной попытки", "person", True)
    away = Desk()
    away.calendar = _calendar(absences={"anna": ((date(2026, 11, 16), date(2026, 11, 20)),)})
    away.happened(raised)
    assert (away.incident(raised.incident).recorded.cause, away.incident(raised.incident).counts) == ("absent", False)


def _calendar(**more: Any) -> Any:
    from dataclasses import replace

    from tests.unit.given_calendar import MOSCOW

    return replace(MOSCOW, number=2, **more)


def test_Q6_a_letter_that_was_given_up_is_an_incident_of_the_head_and_of_many_only_the_first_of_a_day_is_mailed() -> (
    None
):
    desk = Desk()
    failed = [
        e.EffectFailed(effect=uuid4(), effect_kind="email", attempts=9, provider="mail", reason="gave_up: 450")
        for _ in range(3)
    ]
    assert _types(desk.happened(failed[0])) == ["recorded", "notice_requested"]
    assert isinstance(recorded := desk.put[0], e.IncidentRecorded)
    assert (recorded.incident_kind, recorded.employee, recorded.counts) == ("dead_letter", "olga", False)
    assert (recorded.rule, recorded.cause, recorded.stage) == ("mail", "provider", "in_work")
    assert _types(desk.happened(failed[1])) == ["recorded"]
    desk.now += DAY
    assert _types(desk.happened(failed[2])) == ["recorded", "notice_requested"]


# --- told ------------------------------------------------------------------------------------------------------------


def test_Q6_a_miss_counts_once_the_mail_server_took_its_notice() -> None:
    desk = Desk()
    incident = desk.missed(NOON)
    assert not desk.incident(incident).is_strike
    desk.mailed(incident)
    done, told = desk.put
    assert isinstance(done, e.NoticeDone)
    assert told == e.IncidentTold(incident=incident, via="mail", strike=1, of=3, days=30)
    assert desk.incident(incident).is_strike


def test_Q6_a_miss_whose_notice_failed_is_journalled_and_counts_when_it_is_shown_to_the_person() -> None:
    desk = Desk()
    incident = desk.missed(NOON)
    assert _types(desk.mailed(incident, "failed")) == ["notice_failed"]
    assert desk.incident(incident).told is None
    assert _types(desk.told(incident)) == ["told"]
    assert desk.incident(incident).strike == 1


def test_Q6_a_failed_notice_is_repeated_and_counts_when_it_arrives_then() -> None:
    desk = Desk()
    incident = desk.missed(NOON)
    book, _ = desk.find(incident)
    effect = next(iter(book.notices))
    assert _rules(desk.repeat(effect)) == ("Q6.only_what_failed",)
    desk.report(effect, "failed")
    assert desk.repeat(effect) == [e.NoticeRepeated(effect=effect, to="anna")]
    assert _types(desk.report(effect)) == ["notice_done", "told"]


def test_Q6_told_twice_counts_once_by_whichever_way() -> None:
    desk = Desk()
    incident = desk.missed(NOON)
    desk.told(incident)
    assert desk.told(incident) == []
    assert _types(desk.mailed(incident)) == ["notice_done"]
    assert desk.mailed(incident) == []
    assert desk.count(e.IncidentTold) == 1


def test_Q6_only_the_employee_is_told_and_takes_note_in_their_own_name() -> None:
    desk = Desk()
    incident = desk.missed(NOON)
    for other in (OLGA, OPS, Actor(id="anna", kind="robot")):
        assert _rules(desk.told(incident, other)) == ("Q6.in_ones_own_name",)
        assert _rules(desk.acknowledge(incident, other)) == ("Q6.in_ones_own_name",)


def test_Q6_who_takes_note_was_told_by_that() -> None:
    desk = Desk()
    incident = desk.missed(NOON)
    assert _types(desk.acknowledge(incident, comment="была на выезде")) == ["told", "acknowledged"]
    assert _rules(desk.acknowledge(incident)) == ("Q6.acknowledged_once",)


# --- what counts, what escalates -------------------------------------------------------------------------------------


def test_Q6_the_third_miss_in_the_period_opens_an_escalation_and_the_manager_is_told() -> None:
    desk = Desk()
    incidents = [desk.missed(NOON + n * DAY) for n in range(3)]
    desk.told(incidents[0])
    desk.told(incidents[1])
    assert desk.count(e.EscalationOpened) == 0
    _, opened, notice = desk.told(incidents[2])  # type: ignore[misc]
    assert isinstance(opened, e.EscalationOpened)
    assert (opened.employee, opened.to, opened.strike, opened.days) == ("anna", "olga", 3, 30)
    assert opened.incidents == tuple(incidents)
    assert isinstance(notice, e.NoticeRequested)
    assert (notice.to, notice.about, notice.escalation) == ("olga", "escalation", opened.escalation)
    assert notice.text.count(f"{PUBLIC}/leads/") == 3


def test_Q6_each_later_miss_of_the_period_is_added_and_told_once() -> None:
    desk = Desk()
    incidents = [desk.missed(NOON + n * DAY) for n in range(5)]
    for incident in incidents:
        desk.told(incident)
        desk.told(incident)
        desk.mailed(incident)
    assert (desk.count(e.EscalationOpened), desk.count(e.EscalationExtended)) == (1, 2)
    (escalation,) = desk.escalations()
    assert escalation.incidents == tuple(incidents)
    notices = [event for _, event in desk.story if isinstance(event, e.NoticeRequested) and event.to == "olga"]
    assert len({notice.effect for notice in notices}) == len(notices) == 3
    assert [desk.incident(incident).strike for incident in incidents] == [1, 2, 3, 4, 5]


def test_Q6_misses_on_one_lead_and_on_several_count_alike() -> None:
    one, several, lead = Desk(), Desk(), uuid4()
    for n in range(3):
        one.told(one.missed(NOON + n * DAY, lead=lead))
        several.told(several.missed(NOON + n * DAY))
    assert [e.TOPIC for _, e in one.story] == [e.TOPIC for _, e in several.story]


def test_Q6_three_due_in_one_second_open_one_escalation() -> None:
    desk = Desk()
    incidents = [desk.missed(NOON) for _ in range(3)]
    for incident in reversed(incidents):
        desk.mailed(incident)
    assert sorted(desk.incident(incident).strike or 0 for incident in incidents) == [1, 2, 3]
    assert desk.count(e.EscalationOpened) == 1


def test_Q6_whatever_order_people_are_told_in_the_third_told_escalates() -> None:
    desk = Desk()
    first, second, third = (desk.missed(NOON + n * DAY) for n in range(3))
    for incident in (third, first, second):
        desk.told(incident)
    assert [desk.incident(incident).strike for incident in (third, first, second)] == [1, 2, 3]
    assert desk.count(e.EscalationOpened) == 1


def test_Q6_a_miss_of_which_the_person_was_not_told_is_no_step_to_an_escalation() -> None:
    desk = Desk()
    incidents = [desk.missed(NOON + n * DAY) for n in range(4)]
    desk.mailed(incidents[0], "failed")
    for incident in incidents[1:3]:
        desk.mailed(incident)
    assert desk.escalations() == []
    desk.mailed(incidents[3])
    assert desk.count(e.EscalationOpened) == 1


def test_Q6_misses_older_than_the_period_fall_out() -> None:
    desk = Desk()
    desk.told(desk.missed(NOON))
    desk.told(desk.missed(NOON + 20 * DAY))
    third = desk.missed(NOON + 31 * DAY)
    desk.told(third)
    assert (desk.incident(third).strike, desk.escalations()) == (2, [])


def test_Q6_a_miss_as_old_as_the_period_counts_still() -> None:
    desk = Desk()
    desk.told(desk.missed(NOON))
    second = desk.missed(NOON + 30 * DAY)
    desk.told(second)
    assert desk.incident(second).strike == 2
    assert fullest(NOON, [NOON - 30 * DAY - timedelta(microseconds=1)], 30) == (NOON, 0)


def test_Q6_the_end_of_a_quarter_ends_no_period() -> None:
    desk = Desk(now=at("2026-12-29 12:00"))
    incidents = [desk.missed(at(day)) for day in ("2026-12-29 12:00", "2026-12-30 12:00", "2027-01-11 12:00")]
    for incident in incidents:
        desk.told(incident)
    assert len(desk.books) == 2
    assert desk.incident(incidents[2]).strike == 3
    (escalation,) = desk.escalations()
    late = desk.missed(at("2027-01-12 12:00"))
    desk.told(late)
    assert desk.escalations()[0].incidents == (*escalation.incidents, late)


def test_Q6_a_miss_of_last_quarter_told_in_this_one_is_counted_where_it_stands() -> None:
    desk = Desk(now=at("2026-12-29 12:00"))
    old = desk.missed(desk.now)
    for day in ("2027-01-11 12:00", "2027-01-12 12:00"):
        desk.told(desk.missed(at(day)))
    desk.told(old)
    assert desk.incident(old).strike == 3
    where = next(stream for stream, event in desk.story if isinstance(event, e.EscalationOpened))
    assert where == journal_of("anna", "2026-Q4")


def test_Q6_the_journals_that_matter_reach_as_far_back_as_the_period() -> None:
    assert quarters(at("2026-11-16 12:00"), 30, at("2026-11-16 12:00")) == ["2026-Q3", "2026-Q4"]
    assert quarters(at("2026-02-16 12:00"), 365, at("2026-05-16 12:00"))[:2] == ["2024-Q1", "2024-Q2"]
    assert quarters(at("2026-02-16 12:00"), 365, at("2026-05-16 12:00"))[-1] == "2026-Q2"


def test_Q6_a_second_escalation_is_opened_only_after_the_period_of_the_first() -> None:
    desk = Desk()
    days = [0, 1, 2, 20, 21, 32, 33]
    for day in days:
        desk.told(desk.missed(NOON + day * DAY))
    first, second = desk.escalations()
    assert (len(first.incidents), len(second.incidents)) == (6, 4)  # four by then: not only the Nth opens
    assert second.due_at - first.due_at == 31 * DAY


def test_Q6_the_number_of_misses_and_days_are_the_teams() -> None:
    desk = Desk(rule=Escalating(2, 7, "olga"))
    desk.told(desk.missed(NOON))
    desk.told(desk.missed(NOON + 8 * DAY))
    assert desk.escalations() == []
    desk.told(desk.missed(NOON + 9 * DAY))
    assert [event.of for _, event in desk.story if isinstance(event, e.IncidentTold)] == [2, 2, 2]
    assert len(desk.escalations()) == 1


def test_Q6_without_a_manager_by_name_the_escalation_is_opened_and_nobody_is_written_to() -> None:
    desk = Desk(rule=Escalating(1, 30, None))
    assert _types(desk.told(desk.missed(NOON))) == ["told", "escalation_opened"]
    titles = Titles(ru="Отдел", en="Sales")
    team = Team(team="sales", titles=titles, head="olga", members=(Member(name="anna"), Member(name="olga")))
    assert (team.manager_of("anna"), team.manager_of("olga"), team.manager_of("stranger")) == ("olga", None, None)


# --- judged ----------------------------------------------------------------------------------------------------------


def _escalated(misses: int = 3) -> tuple[Desk, list[Any]]:
    desk = Desk()
    incidents = [desk.missed(NOON + n * DAY) for n in range(misses)]
    for incident in incidents:
        desk.told(incident)
    return desk, incidents


def test_Q6_an_excused_miss_counts_no_more_and_those_after_it_keep_their_numbers() -> None:
    desk, (first, second, third) = _escalated()
    assert desk.excuse(first) == [e.IncidentExcused(incident=first, reason="сбой телефонии")]
    assert [desk.incident(incident).strike for incident in (second, third)] == [2, 3]
    fourth = desk.missed(NOON + 3 * DAY)
    desk.told(fourth)
    assert desk.incident(fourth).strike == 3
    assert desk.count(e.EscalationOpened) == 1  # the one that runs goes on


def test_Q6_a_miss_excused_before_it_was_told_never_counts() -> None:
    desk = Desk()
    incident = desk.missed(NOON)
    desk.excuse(incident)
    desk.told(incident)
    assert desk.incident(incident).strike is None


def test_Q6_an_escalation_of_which_everything_is_excused_is_closed_and_the_next_three_open_another() -> None:
    desk, incidents = _escalated()
    desk.excuse(incidents[0])
    desk.excuse(incidents[1])
    assert _types(desk.excuse(incidents[2])) == ["excused", "escalation_closed"]
    assert desk.escalations()[0].closed == "nothing_left"
    for n in range(3, 6):
        desk.told(desk.missed(NOON + n * DAY))
    assert desk.count(e.EscalationOpened) == 2


def test_Q6_a_head_or_their_manager_excuses_and_nobody_their_own() -> None:
    desk, (first, second, third) = _escalated()
    assert _rules(desk.excuse(first, ANNA)) == ("Q6.by_the_head",)
    assert _rules(desk.excuse(first, Actor(id="olga", kind="robot"))) == ("Q6.by_the_head",)
    assert _types(desk.excuse(first, Actor(id="olga", kind="person", role="seller"))) == ["excused"]
    assert _types(desk.excuse(second, Actor(id="helen", kind="person", role="head"))) == ["excused"]
    assert _rules(desk.excuse(third, Actor(id="anna", kind="person", role="head"))) == ("Q6.not_ones_own",)
    assert _rules(desk.excuse(first)) == ("Q6.excused_once",)


def test_Q6_the_manager_closes_an_escalation_and_a_later_miss_of_its_period_opens_it_again() -> None:
    desk, _ = _escalated()
    (escalation,) = desk.escalations()
    assert _rules(desk.close(escalation.escalation, ANNA)) == ("Q6.by_the_head",)
    assert _types(desk.close(escalation.escalation)) == ["escalation_closed"]
    assert _rules(desk.close(escalation.escalation)) == ("Q6.open_escalation",)
    desk.told(desk.missed(NOON + 5 * DAY))
    assert desk.escalations()[0].closed is None
    assert desk.count(e.EscalationOpened) == 1


# --- what the incidents service sends --------------------------------------------------------------------------------


def test_Q6_a_silent_channel_is_an_incident_of_the_head_recorded_once() -> None:
    desk = Desk()
    body = j.Raise(
        incident=uuid4(), kind="silent_channel", employee="olga", rule="mail", due_at=NOON, text="Почта молчит"
    )
    assert _types(desk.opened(body, "olga")) == ["recorded", "notice_requested"]
    recorded = desk.incident(body.incident).recorded
    assert (recorded.cause, recorded.counts, recorded.employee) == ("channel", False, "olga")
    assert desk.opened(body, "olga") == []


def test_D6_a_digest_is_made_once_a_day_and_mailed_to_the_head() -> None:
    desk = Desk()
    body = j.MakeDigest(
        head="olga",
        team="sales",
        day=date(2026, 11, 16),
        people={"anna": 2, "boris": 1},
        subject="Просрочено",
        text="…",
    )
    made, notice = desk.opened(body, "olga")
    assert made == e.DigestMade(team="sales", day=date(2026, 11, 16), overdue=3, people={"anna": 2, "boris": 1})
    assert isinstance(notice, e.NoticeRequested)
    assert (notice.to, notice.about) == ("olga", "digest")
    assert desk.opened(body, "olga") == []
    assert _types(desk.report(notice.effect)) == ["notice_done"]
    (book,) = desk.books.values()
    assert (book.employee, book.quarter) == ("olga", "2026-Q4")


def test_Q11_a_review_of_a_card_is_asked_for_once_and_finished_once_by_the_head() -> None:
    from services.leads.domain.journal.judging import finish_review

    desk = Desk()
    body = j.AskCardReview(
        review=uuid4(),
        head="olga",
        pipeline="countertops",
        period_start=date(2026, 8, 1),
        period_end=date(2026, 10, 31),
    )
    assert _types(desk.opened(body, "olga")) == ["card_review_due", "notice_requested"]
    assert desk.opened(body, "olga") == []
    (book,) = desk.books.values()
    finish = j.FinishCardReview(review=body.review)
    assert _rules(finish_review(desk.look(book, ANNA), finish)) == ("Q6.by_the_head",)
    unknown = j.FinishCardReview(review=uuid4())
    assert _rules(finish_review(desk.look(book, OLGA), unknown)) == ("Q11.known_review",)
    decided = finish_review(desk.look(book, OLGA), finish)
    assert not isinstance(decided, Refusal)
    assert _types(desk.down(decided)) == ["card_review_done"]
    (book,) = desk.books.values()
    assert _rules(finish_review(desk.look(book, OLGA), finish)) == ("Q11.open_review",)


def test_K2_every_rule_of_the_journal_has_words_in_both_languages_and_one_id() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.ru.endswith(".")
        assert rule.en.endswith(".")

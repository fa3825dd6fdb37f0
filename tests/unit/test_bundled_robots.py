"""The robots of the bundled pipelines, on the domain as the aggregate service has it: what the seeds ask for, by feature id.

The same stories stand in words in `contracts/pipelines/scenarios`; here the events themselves are looked at, in Moscow's time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid5

import pytest

from contracts import events as e
from contracts.pipeline import Pipeline, PlanActivity
from services.leads.scenarios.machines import fired
from services.leads.scenarios.people import People
from services.pipelines import bundled
from services.pipelines.language import read_pipeline
from services.pipelines.linting.robots import about
from tests.unit.given_pipeline import LEAD
from tests.unit.given_robots import Robots


def pipeline(name: str, *replaced: tuple[str, str]) -> Pipeline:
    """A bundled pipeline; with pieces of its text replaced."""
    file = bundled.pipeline_file(name)
    assert file is not None
    text = file.read_text(encoding="utf-8")
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new)
    return read_pipeline(text, file.name)


ENGLISH, SERVICES, QUALIFICATION = pipeline("english"), pipeline("services"), pipeline("qualification")


def unanswered(story: Robots, count: int) -> Robots:
    """So many calls of ours that the client did not answer, a minute apart."""
    for _ in range(count):
        story.now += timedelta(minutes=1)
        call = uuid5(LEAD, f"call {story.now}")
        story.arrives(
            e.CallRecorded(
                inbound_id=call, call_id=str(call), call_direction="out", answered=False, started_at=story.now
            )
        )
    return story


def texts(story: Robots, robot: str) -> list[str]:
    """What a robot planned, in words."""
    return [str(planned.text) for planned in story.of(e.ActivityPlanned, robot=robot)]


# --- C6: letter at once, the call within the hour that it promises --------------------------------------------------------


def test_C6_the_letter_goes_out_at_once_and_the_call_is_due_within_the_working_hour_that_it_promises() -> None:
    story = Robots(ENGLISH).until(seconds=0)
    (letter,) = story.of(e.EffectRequested)
    assert (letter.effect_kind, letter.robot, letter.email) == ("email", "thanks", "anna@example.org")
    assert story.ran() == ["thanks"], "the call hangs on the letter"
    story.report().until(seconds=0)
    (call,) = story.of(e.ActivityPlanned)
    assert (call.robot, call.activity_kind, call.text) == ("call", "call", "Перезвонить")
    assert call.due_at == story.now + timedelta(hours=1)


@pytest.mark.parametrize(
    ("period", "ru", "en", "due"),
    [
        ("{hours: 1, working: true}", "одного рабочего часа", "one working hour", datetime(2026, 3, 2, 10, tzinfo=UTC)),
        ("{hours: 2, working: true}", "двух рабочих часов", "two working hours", datetime(2026, 3, 2, 11, tzinfo=UTC)),
        ("{days: 1, working: true}", "одного рабочего дня", "one working day", datetime(2026, 3, 3, 9, tzinfo=UTC)),
        ("{minutes: 30}", "30 минут", "30 minutes", datetime(2026, 3, 2, 9, 30, tzinfo=UTC)),
    ],
)
def test_C6_one_setting_makes_both_the_promise_and_the_task(period: str, ru: str, en: str, due: datetime) -> None:
    given = pipeline("english", ("period: {hours: 1, working: true}", f"period: {period}"))
    story = Robots(given)
    armed = next(a for a in story.lead.automation.armed.values() if a.robot == "thanks")
    people = People(given)
    choose = lambda lead, without: people.choose(lead, story.now, without)  # noqa: E731
    written = fired(story.lead, armed, given, story.times, story.person, people.names, choose)
    (letter,) = (event for event in written if isinstance(event, e.EffectRequested))
    text = str(letter.text)
    assert f"Наш специалист перезвонит вам в течение {ru}, чтобы согласовать время и место занятия." in text
    assert "Спасибо, мы получили вашу заявку на бесплатное занятие." in text
    english = pipeline(
        "english",
        ("period: {hours: 1, working: true}", f"period: {period}"),
        ("{email: thanks}", "{email: thanks, language: en}"),
    )
    told = fired(story.lead, armed, english, story.times, story.person, people.names, choose)
    assert f"call you back within {en} to agree" in str(next(s.text for s in told if isinstance(s, e.EffectRequested)))
    story.until(seconds=0).report().until(seconds=0)
    assert story.of(e.ActivityPlanned)[0].due_at == due


def test_C6_C9_who_has_no_email_is_called_all_the_same() -> None:
    story = Robots(ENGLISH, email=None).until(seconds=0)
    assert story.why("thanks").reason == "no_address"  # type: ignore[attr-defined]
    assert story.ran() == ["call"]


def test_C6_the_call_task_is_closed_when_the_client_was_talked_to() -> None:
    story = Robots(ENGLISH).until(seconds=0).report().until(seconds=0)
    story.given("hold", kind="call")
    assert story.lead.stage == "arranging"
    assert [a.closed or a.done_at is not None for a in story.lead.activities.values()] == [True]


# --- C2: poor by itself only after attempts ------------------------------------------------------------------------------

MONTH = [(ENGLISH, "new"), (QUALIFICATION, "contacts")]


@pytest.mark.parametrize(("given", "stage"), MONTH, ids=["english", "qualification"])
def test_C2_after_a_month_with_three_unanswered_calls_it_is_poor_warned_of_a_week_before(
    given: Pipeline, stage: str
) -> None:
    story = unanswered(Robots(given), 3)
    story.until(datetime(2026, 3, 23, 8, 59, tzinfo=UTC))
    assert texts(story, "silent_soon") == []
    story.until(datetime(2026, 3, 23, 9, 0, tzinfo=UTC))
    assert len(texts(story, "silent_soon")) == 1, "a warning"
    story.until(datetime(2026, 4, 1, 23, tzinfo=UTC))
    assert story.lead.stage == stage, "a calendar month, not thirty days"
    story.until(datetime(2026, 4, 2, 9, 0, tzinfo=UTC))
    assert (story.lead.stage, story.lead.outcome) == ("poor", "ads")
    (rejected,) = story.of(e.LeadRejected)
    assert rejected.reason == "unreachable"
    assert texts(story, "not_called") == []


@pytest.mark.parametrize("attempts", [0, 1, 2])
@pytest.mark.parametrize(("given", "stage"), MONTH, ids=["english", "qualification"])
def test_C2_without_three_attempts_it_is_never_poor_and_the_head_hears_of_it(
    given: Pipeline, stage: str, attempts: int
) -> None:
    story = unanswered(Robots(given), attempts).until(days=60)
    assert story.lead.stage == stage
    skipped = story.why("silent")
    assert isinstance(skipped, e.RobotSkipped)
    assert (skipped.clause, skipped.values) == ("lead.attempts >= 3", {"lead.attempts": str(attempts)})
    (told,) = story.of(e.ActivityPlanned, robot="not_called")
    assert told.assignee == "helen"


@pytest.mark.parametrize("attempts", [0, 2, 3])
def test_C2_Q6_no_attempt_is_an_incident_of_the_responsible(attempts: int) -> None:
    story = unanswered(Robots(QUALIFICATION), attempts).until(days=60)
    raised = [(event.responsible, event.robot, event.stage) for event in story.of(e.IncidentRaised)]
    assert raised == ([("anna", "no_attempt", "contacts")] if attempts < 3 else [])


def test_C2_Q5_poor_by_the_limit_waits_for_the_head_as_automatic() -> None:
    by_limit, by_calls = unanswered(Robots(QUALIFICATION), 3).until(days=60), unanswered(Robots(QUALIFICATION), 5)
    for story in (by_limit, by_calls):
        assert [(opened.status, opened.automatic) for opened in story.of(e.ReviewOpened)] == [("poor", True)]


@pytest.mark.parametrize(("given", "stage"), MONTH, ids=["english", "qualification"])
def test_C2_five_unanswered_calls_end_it_at_once(given: Pipeline, stage: str) -> None:
    story = unanswered(Robots(given), 4)
    assert story.lead.stage == stage
    unanswered(story, 1)
    assert story.lead.stage == "poor"
    assert [fired_.trigger for fired_ in story.of(e.TriggerFired)] == ["five_calls"]
    assert not story.lead.automation.waits(1, "silent"), "nothing of the stage left waits on"


# --- P5, P6, P7, P9: what is due later ------------------------------------------------------------------------------------


def put_off(**known: str) -> Robots:
    """A company that is put off until the end of the year."""
    story = Robots(SERVICES, company="Ромашка", **known)
    return story.given("pause", status="postponed", until="2027-01-31", reason="—", reason_id="no_need")


def test_P5_who_is_put_off_is_invited_informed_and_greeted_each_once_for_a_person() -> None:
    story = put_off().given("record", fields={"sells": "окна"})
    story.until(datetime(2027, 1, 20, tzinfo=UTC)).report()
    assert story.ran() == ["invite", "send_useful", "greet_new_year"]
    assert [sent.marketing for sent in story.of(e.EffectRequested)] == [True, True, True]
    assert story.of(e.RobotRan, robot="greet_new_year")[0].due_at == datetime(2026, 12, 29, 6, tzinfo=UTC)
    story.given("reopen", reason="—").given(
        "pause", status="postponed", until="2028-01-31", reason="—", reason_id="no_need"
    )
    story.until(datetime(2028, 1, 20, tzinfo=UTC))
    assert len(story.ran()) == 3, "once for the person, on whichever stay"
    assert {skipped.reason for skipped in story.of(e.RobotSkipped)} == {"once"}
    assert len(story.of(e.RobotSkipped)) == 3


def test_P5_useful_information_is_sent_only_where_business_or_market_is_known() -> None:
    story = put_off().until(days=40)
    assert "send_useful" not in story.ran()
    assert story.why("send_useful").reason == "condition"  # type: ignore[attr-defined]


@pytest.mark.parametrize("channel", ["email", "ads"])
def test_P5_C7_who_refused_letters_or_advertising_gets_none(channel: str) -> None:
    story = put_off().given("record", fields={"sells": "окна"}).refuse(channel)
    story.until(datetime(2027, 1, 20, tzinfo=UTC))
    assert story.of(e.EffectRequested) == []
    assert {skipped.channel for skipped in story.of(e.RobotSkipped)} == {channel}
    assert len(story.of(e.RobotSkipped)) == 3


def test_P6_a_year_after_a_refusal_a_call_is_planned_and_not_for_who_asked_not_to_be_contacted() -> None:
    for reason, planned in (
        ("chose_another", 1),
        ("not_interested", 1),
        ("no_contact_wanted", 0),
        ("not_our_client", 0),
    ):
        story = Robots(SERVICES).given("reject", status="closed", reason=reason)
        story.until(datetime(2027, 3, 1, 23, tzinfo=UTC))
        assert texts(story, "after_a_year") == []
        story.until(datetime(2027, 3, 3, tzinfo=UTC))
        assert len(texts(story, "after_a_year")) == planned, reason


def won() -> Robots:
    """A client whose project was won."""
    story = Robots(SERVICES)
    story.arrives(e.LeadConverted(from_stage="closing"))
    story.arrives(
        e.StageEntered(
            stage="won", kind="won", visit=2, from_stage="object", from_visit=1, cause="converted", direction="forward"
        )
    )
    return story


def test_P7_a_won_client_is_called_again_and_again() -> None:
    story = won().until(datetime(2027, 3, 5, tzinfo=UTC))
    calls = [planned.due_at for planned in story.of(e.ActivityPlanned, robot="keep_in_touch")]
    assert len(calls) == 4, "after a month, then every three"
    ran = [event.due_at.date().isoformat() for event in story.of(e.RobotRan, robot="keep_in_touch")]
    assert ran == ["2026-04-02", "2026-07-02", "2026-10-02", "2027-01-04"], (
        "a month that ends on a day off, on the next morning"
    )


def test_P7_the_opinion_is_asked_during_and_recommendations_only_after_the_realisation() -> None:
    story = won().until(days=60)
    assert len(texts(story, "ask_opinion")) == 1
    assert texts(story, "ask_recommendations") == []
    story.given("establish", fact="realised").until(days=8)
    assert len(texts(story, "ask_recommendations")) == 1
    story.given("establish", fact="recommendations_asked").until(days=30)
    assert len(texts(story, "ask_recommendations")) == 1
    answered = won().given("establish", fact="opinion", value="pleased").until(days=60)
    assert texts(answered, "ask_opinion") == []


def test_P9_a_meeting_held_asks_for_its_result_within_one_working_day() -> None:
    story = Robots(SERVICES).given("plan", kind="meeting", due_at="2026-03-02T12:00:00Z")
    meeting = next(iter(story.lead.activities))
    story.given("complete", activity=str(meeting), result="встретились")
    (owed,) = [planned for planned in story.of(e.ActivityPlanned) if planned.deadline == "meeting_result"]
    assert owed.due_at == datetime(2026, 3, 3, 9, tzinfo=UTC)
    story.until(days=2)
    assert [missed.deadline for missed in story.of(e.DeadlineMissed)] == ["meeting_result"], "nobody recorded it"


# --- N3, S5: what holds of all of them ------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", bundled.pipeline_files(), ids=lambda file: file.name)
def test_N3_no_bundled_pipeline_leads_in_a_circle_and_S5_each_robot_is_in_time(file) -> None:  # type: ignore[no-untyped-def]
    given = read_pipeline(file.read_text(encoding="utf-8"), file.name)
    story = unanswered(Robots(given), 3).until(days=800)
    assert story.stopped is None
    for stage in given.stages:
        for robot in stage.robots:
            assert (
                stage.limit is None or robot.start.delay is None or about(robot.start.delay) <= about(stage.limit.after)
            )


def test_Q8_each_next_step_of_the_card_is_a_planned_key_action_with_an_instant_and_never_a_stage() -> None:
    countertops = pipeline("countertops")
    steps = {option.id for option in countertops.fields_by_id["next_step"].options}
    planned: dict[str, PlanActivity] = {}
    for stage in countertops.stages:
        for robot in stage.robots:
            named = [step for step in steps if robot.when == f"card.next_step == '{step}'"]
            if named:
                assert isinstance(robot.do, PlanActivity), "an activity, no move"
                planned[named[0]] = robot.do
    assert (
        planned.keys() == steps == {"offer_step", "estimate", "measuring_step", "project_step", "showroom", "samples"}
    )
    assert all(do.key and do.due is not None for do in planned.values())
    assert not steps & countertops.by_id.keys()

"""A deal beside its lead: when it is opened, withdrawn, restored, what it shows, which rules hold (C6, D1, N12, decision 7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given as over
from hypothesis import strategies as st

from contracts import events as e
from contracts.commands import COMMAND_BODIES, Command, Refusal
from contracts.events import EVENT_TYPES
from contracts.events.deal import AS_OF_LEADS, OF_DEALS, OF_LEADS_ALONE, of_deal
from contracts.meta import Actor, Meta
from contracts.pipeline import Pipeline
from services.leads.domain.deals import Turn, deal_of, turns, with_lead
from services.leads.domain.decide import Surroundings, automatic_move, decide
from services.leads.domain.rules import check
from services.leads.domain.state import LeadState, evolve_lead, with_
from services.pipelines import bundled
from services.pipelines.language import PipelineError, read_pipeline

LEAD, DEAL, CONTACT, COMMAND = UUID(int=1), UUID(int=4), UUID(int=2), UUID(int=3)
THEN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SELLER = Actor(id="anna", kind="person", role="seller")


def bundled_pipeline(name: str) -> Pipeline:
    file = bundled.pipeline_file(name)
    assert file is not None
    return read_pipeline(file.read_text(encoding="utf-8"), file.name)


ENGLISH, TRIAL = bundled_pipeline("english"), bundled_pipeline("trial_lesson")


def folded(events: list[e.Event], state: LeadState | None = None, *, stream: UUID = DEAL) -> LeadState:
    for event in events:
        meta = Meta(
            stream=stream,
            version=state.version + 1 if state else 1,
            kind=event.KIND,
            type=event.TOPIC,
            happened_at=THEN,
            recorded_at=THEN,
            actor=SELLER,
            command=COMMAND,
            correlation="x",
            pipeline="trial_lesson@1",
            person=CONTACT,
        )
        state = evolve_lead(state, meta, event)
    assert state is not None
    return state


def opened() -> LeadState:
    """A deal on stage one."""
    deal = e.DealOpened(lead=LEAD, contact=CONTACT, pipeline="trial_lesson", number=1, source="site", channel="form")
    entered = e.StageEntered(stage="booked", kind="open", visit=1, cause="captured", direction="in")
    return folded([deal, of_deal(entered)])


def lead(**known: Any) -> LeadState:
    captured = e.LeadCaptured(
        pipeline="english", contact=CONTACT, channel="form", source="site", received_at=THEN, **known
    )
    return folded([captured], stream=LEAD)


def entered(stage: str, **more: Any) -> e.StageEntered:
    kind = ENGLISH.by_id[stage].kind
    given = {"stage": stage, "kind": kind, "visit": 3, "cause": "auto", "direction": "forward", **more}
    return e.StageEntered(**given)


# --- when ------------------------------------------------------------------------------------------------------------


def test_C6_the_english_schools_won_stage_opens_a_deal_in_the_trial_lesson() -> None:
    assert turns(entered("deal", from_stage="arranging"), ENGLISH) == (Turn("open", "trial_lesson"),)


@pytest.mark.parametrize("stage", ["new", "arranging", "poor", "postponed"])
def test_C6_no_other_stage_does(stage: str) -> None:
    assert turns(entered(stage), ENGLISH) == ()


@pytest.mark.parametrize("more", [{"cause": "adopted"}, {"cause": "unmerged"}, {"basis": "import"}])
def test_C6_what_did_not_happen_now_opens_none(more: dict[str, Any]) -> None:
    assert turns(entered("deal", **more), ENGLISH) == ()


def test_N12_undoing_the_win_withdraws_and_undoing_its_undoing_restores() -> None:
    undone = entered("arranging", cause="undone", undoes=3, from_stage="deal", direction="return")
    assert turns(undone, ENGLISH) == (Turn("withdraw", "trial_lesson"),)
    back = entered("deal", cause="undone", undoes=4, from_stage="poor", direction="forward")
    assert turns(back, ENGLISH) == (Turn("restore", "trial_lesson"),)
    elsewhere = entered("new", cause="undone", undoes=2, from_stage="arranging", direction="back")
    assert turns(elsewhere, ENGLISH) == ()


def test_C6_a_lead_has_one_deal_in_a_pipeline() -> None:
    assert deal_of(LEAD, "trial_lesson") == deal_of(LEAD, "trial_lesson")
    assert len({deal_of(one, name) for one in (LEAD, DEAL) for name in ("trial_lesson", "course")}) == 4


# --- what it shows ---------------------------------------------------------------------------------------------------

texts = st.one_of(st.none(), st.sampled_from(["", "Анна", "Аня"]))
cards = st.dictionaries(st.sampled_from(["level", "purpose", "lesson_time"]), st.sampled_from(["", "а", "б"]))


@over(st.dictionaries(st.sampled_from(["name", "company", "phone", "email"]), texts), cards, cards)
def test_C6_the_deals_own_word_goes_before_the_leads(own: dict[str, Any], of_deal_: Any, of_lead: Any) -> None:
    said = {k: v for k, v in own.items() if v is not None}
    deal = opened()
    if said or of_deal_:
        values = {**said, **of_deal_}
        deal = folded([of_deal(e.CardRecorded(names=tuple(sorted(values)), values=values))], deal)
    source = folded(
        [e.CardRecorded(names=tuple(sorted(of_lead)), values=of_lead)],
        lead(name="Анна Смирнова", phone="+79161234567"),
        stream=LEAD,
    )
    shown = with_lead(deal, source)
    for name in ("name", "company", "phone", "email"):
        expected = said[name] if name in said else getattr(source, name)
        assert getattr(shown, name) == (expected or None)
    assert shown.card == {k: v for k, v in {**source.card, **of_deal_}.items() if v}
    assert (shown.lead, shown.version, shown.stage) == (deal.lead, deal.version, deal.stage)


def test_M7_a_deal_is_erased_when_its_lead_is() -> None:
    gone = lead(name="Анна")
    assert not with_lead(opened(), gone).erased
    assert with_lead(opened(), with_(gone, erased=True, name=None)).erased


# --- one engine ------------------------------------------------------------------------------------------------------


def test_D1_every_event_of_a_deal_folds_as_the_leads() -> None:
    assert set(AS_OF_LEADS.values()) == {of.TOPIC for of in OF_DEALS}
    for of, deal in OF_DEALS.items():
        assert issubclass(deal, of)
        assert deal.KIND == "deal"
        assert of.TOPIC.replace(".lead.", ".deal.") == deal.TOPIC
        assert (deal.PERSONAL, deal.class_version) == (of.PERSONAL, of.class_version)
        assert set(deal.model_fields) == set(of.model_fields)


def test_D1_of_every_event_of_a_lead_it_is_said_whether_it_happens_to_deals() -> None:
    of_leads = {cls for cls in EVENT_TYPES.values() if cls.KIND == "lead"}
    assert of_leads == {*OF_DEALS, *OF_LEADS_ALONE}
    assert not OF_LEADS_ALONE & OF_DEALS.keys()


def test_D1_an_event_becomes_the_deals_with_all_it_says_and_one_of_leads_alone_does_not() -> None:
    recorded = e.CardRecorded(names=("name",), values={"name": "Аня"})
    made = of_deal(recorded)
    assert made.TOPIC == "leadline.deal.card_recorded"
    assert dict(made) == dict(recorded)
    assert of_deal(made) is made
    with pytest.raises(KeyError):
        of_deal(e.LeadMerged(into=LEAD, into_contact=CONTACT))


def test_C6_the_lesson_is_over_once_it_is_recorded_whether_the_pupil_came() -> None:
    deal = opened()
    waits = check(deal, "held", TRIAL)
    assert waits.refusal is not None
    assert [lack.id for lack in waits.refusal.missing] == ["attended"]
    for value in ("yes", "no"):
        just = of_deal(e.FactEstablished(fact="attended", value=value))
        after = folded([just], deal)
        assert check(after, "held", TRIAL).allowed
        (moved,) = automatic_move(after, (just,), TRIAL)
        assert isinstance(moved, e.StageEntered)
        assert (moved.stage, moved.cause) == ("held", "auto")


def decided(state: LeadState, name: str, **body: Any) -> tuple[e.Event, ...] | Refusal:
    command = Command(id=COMMAND, lead=state.lead, actor=SELLER, body=COMMAND_BODIES[name](**body))
    return decide(state, command, TRIAL, THEN + timedelta(hours=1), Surroundings(("anna",), activity=UUID(int=9)))


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("establish", {"fact": "attended", "value": "yes"}),
        ("see", {}),
        ("undo", {"reason": "а"}),
        ("plan", {"kind": "call"}),
    ],
)
def test_N12_nothing_is_done_with_a_withdrawn_deal(name: str, body: dict[str, Any]) -> None:
    deal = folded([e.DealWithdrawn(undone_visit=3)], opened())
    assert not deal.is_open
    answer = decided(deal, name, **body)
    assert isinstance(answer, Refusal)
    assert "D1.not_withdrawn" in answer.rules
    assert not check(deal, "bought", TRIAL).allowed
    back = folded([e.DealRestored(lead_visit=4)], deal)
    assert (back.stage, back.is_open, back.withdrawn) == ("booked", True, False)


# --- the language ----------------------------------------------------------------------------------------------------

TEXT = """
pipeline: shop
titles: {{ru: "Лавка", en: "Shop"}}
conversion_point: sold
stages:
  - {{id: fresh, titles: {{ru: "Новая", en: "New"}}, kind: open{open}}}
  - {{id: sold, titles: {{ru: "Продано", en: "Sold"}}, kind: won{won}}}
"""


def test_C6_a_won_stage_may_name_a_pipeline_of_deals_and_no_other_stage_may() -> None:
    deal = ", deal: {pipeline: delivery}"
    read = read_pipeline(TEXT.format(open="", won=deal))
    assert read.by_id["sold"].deal is not None
    assert read.by_id["sold"].deal.pipeline == "delivery"
    with pytest.raises(PipelineError, match="deal goes with won stages"):
        read_pipeline(TEXT.format(open=deal, won=""))
    with pytest.raises(PipelineError, match="another pipeline"):
        read_pipeline(TEXT.format(open="", won=", deal: {pipeline: shop}"))

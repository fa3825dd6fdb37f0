"""Who gets a lead by itself, and why: rules, working hours, absences, quotas, fairness (C4, N19)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import events as e
from contracts.meta import Meta
from contracts.pipeline import Assignment, AssignmentRule, Pipeline, Titles
from contracts.recorded import Recorded
from contracts.team import Member, Quota, Team
from services.calendars.calendar import Calendar, Hours
from services.leads.domain.assigning.deciding import Decision, give
from services.leads.domain.assigning.turns import ROUND, Circle, next_of
from services.leads.domain.assigning.workforce import Workforce, workforce_of
from services.leads.domain.state import LeadState
from services.ops.why_assigned import REASONS
from services.ops.why_assigned import assigned as why_assigned
from services.pipelines.bundled import pipeline_files
from services.pipelines.language import read_pipeline

MONDAY = datetime(2026, 11, 30, 9, tzinfo=UTC)
"""Noon in Moscow."""
CLASSIC = next(
    read_pipeline(file.read_text(encoding="utf-8"), file.name)
    for file in pipeline_files()
    if file.name == "classic.yaml"
)
TITLES = Titles(ru="Правило", en="Rule")
DAY = timedelta(days=1)


def lead(**known: Any) -> LeadState:
    """A new lead."""
    made = LeadState(UUID(int=1), 1, "classic", 1, UUID(int=2), MONDAY, stage="new")
    return replace(made, **known)


def team(*members: Member | str, **more: Any) -> Team:
    """A team."""
    made = tuple(Member(name=member) if isinstance(member, str) else member for member in members)
    return Team(team=more.pop("team", "sales"), titles=TITLES, members=made, **more)


def calendar(**absences: tuple[date, date]) -> Calendar:
    """Nine to six in Moscow, Monday to Friday."""
    week = ((Hours(time(9), time(18)),),) * 5 + ((), ())
    return Calendar("sales", 1, ZoneInfo("Europe/Moscow"), week, {}, {who: (away,) for who, away in absences.items()})


def force(*teams: Team, now: datetime = MONDAY, **more: Any) -> Workforce:
    """Teams with their calendar."""
    more.setdefault("calendars", {"sales": calendar()})
    return Workforce(now, {one.team: (one, 3) for one in teams}, **more)


def by(assignment: Assignment | None = None, **more: Any) -> Pipeline:
    """The pipeline with this assignment."""
    return CLASSIC.model_copy(update={"assignment": assignment if assignment is not None else Assignment(**more)})


def rule(name: str, **more: Any) -> AssignmentRule:
    """A rule."""
    return AssignmentRule(id=name, titles=TITLES, **more)


def given_in_turn(people: Workforce, pipeline: Pipeline, count: int) -> list[Decision]:
    """So many leads, one after the other."""
    found = []
    for _ in range(count):
        decision = give(lead(), pipeline, people)
        assert decision.circle is not None
        people = replace(people, circles={**people.circles, decision.name: decision.circle})
        found.append(decision)
    return found


def who(decisions: Sequence[Decision]) -> list[str | None]:
    """To whom."""
    return [decision.to for decision in decisions]


def test_C4_without_a_word_on_assignment_the_default_team_takes_leads_in_turn() -> None:
    decisions = given_in_turn(workforce_of(("anna", "boris"), MONDAY), CLASSIC, 5)
    assert who(decisions) == ["anna", "boris", "anna", "boris", "anna"]
    assert decisions[2].assigned(None) == e.LeadAssigned(
        to="anna",
        reason="in_turn",
        candidates=("anna", "boris"),
        turn=2,
        team="sales@1",
        loads={"anna": 1, "boris": 1},
    )
    assert give(lead(), CLASSIC, workforce_of((), MONDAY)).nobody_at_all


@pytest.mark.parametrize(
    ("member", "why"),
    [
        (Member(name="vera", left=date(2026, 11, 30)), "left"),
        (Member(name="vera", left=date(2026, 12, 1)), None),
        (Member(name="vera", since=date(2026, 12, 1)), "not_yet"),
        (Member(name="vera", since=date(2026, 11, 30)), None),
        (Member(name="vera", takes=False), "takes_none"),
        (Member(name="vera", quota=Quota(open=4)), "quota_open"),
        (Member(name="vera", quota=Quota(open=5)), None),
        (Member(name="vera", quota=Quota(day=2)), "quota_day"),
        (Member(name="vera", quota=Quota(day=3)), None),
    ],
)
def test_N19_whoever_may_not_have_it_is_told_with_the_reason(member: Member, why: str | None) -> None:
    people = force(
        team(member, "boris"),
        loads={"vera": 4, "boris": 9},
        days={("vera", date(2026, 11, 30)): 2, ("vera", date(2026, 11, 29)): 9},
    )
    decision = give(lead(), by(), people)
    assert decision.excluded == ({"vera": why} if why else {})
    assert decision.to == ("boris" if why else "vera")


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"skills": ("stone", "export")}, "skills"),
        ({"languages": ("en",)}, "languages"),
        ({"directions": ("north",)}, "directions"),
        ({"people": ("vera",)}, "people"),
    ],
)
def test_C4_a_rule_asks_for_skills_languages_directions_and_people(asked: dict[str, Any], why: str) -> None:
    vera = Member(name="vera", skills=("stone", "export"), languages=("ru", "en"), directions=("north", "south"))
    people = force(team(Member(name="anna", skills=("stone",), languages=("ru",)), vera))
    decision = give(lead(), by(rules=(rule("special", **asked),)), people)
    assert (decision.to, decision.rule, decision.excluded) == ("vera", "special", {"anna": why})


def test_C4_the_first_rule_that_holds_for_the_lead_counts_and_none_leaves_it_to_the_team() -> None:
    rules = (
        rule("export", when="has(card.language) && card.language == 'en'", languages=("en",)),
        rule("north", when="lead.source == 'north'", team="north"),
        rule("wide", when="lead.source == 'north' || lead.channel == 'mail'", people=("boris",)),
    )
    people = force(team(Member(name="anna", languages=("en",)), "boris"), team("nadia", team="north"))
    assigned = by(rules=rules)
    assert give(lead(card={"language": "en"}, source="north"), assigned, people).to == "anna"
    north = give(lead(source="north"), assigned, people)
    assert (north.to, north.rule, north.version) == ("nadia", "north", "north@3")
    assert give(lead(channel="mail"), assigned, people).to == "boris"
    other = give(lead(source="site"), assigned, people)
    assert (other.rule, other.candidates) == (None, ("anna", "boris"))


def test_C4_a_team_that_nobody_published_has_nobody_and_the_lead_waits_in_the_pool() -> None:
    decision = give(lead(), by(rules=(rule("lost", team="nowhere"),)), force(team("anna")))
    assert decision.to is None
    assert decision.pooled(None) == e.LeadPooled(team="nowhere@0", rule="lost")


def test_C4_nobody_may_have_it_and_the_pool_says_why_by_person() -> None:
    away = {"sales": calendar(anna=(date(2026, 11, 30), date(2026, 12, 4)))}
    decision = give(lead(), by(), force(team("anna", Member(name="boris", left=date(2026, 1, 1))), calendars=away))
    assert decision.pooled("boris") == e.LeadPooled(
        team="sales@3", previous="boris", excluded={"anna": "absent", "boris": "left"}
    )


def test_C4_an_absence_lasts_from_its_first_day_to_its_last_on_the_teams_clock() -> None:
    away = {"sales": calendar(anna=(date(2026, 11, 30), date(2026, 12, 1)))}
    midnight = datetime(2026, 11, 29, 21, tzinfo=UTC)  # 00:00 in Moscow
    told = [
        give(lead(), by(), force(team("anna", "boris"), now=at, calendars=away)).excluded
        for at in (
            midnight - timedelta(seconds=1),
            midnight,
            midnight + 2 * DAY - timedelta(seconds=1),
            midnight + 2 * DAY,
        )
    ]
    assert told == [{}, {"anna": "absent"}, {"anna": "absent"}, {}]


def test_C4_in_working_hours_only_those_who_work_now_and_at_night_everybody() -> None:
    early = Calendar("early", 1, ZoneInfo("Europe/Moscow"), ((Hours(time(6), time(9)),),) * 7)
    rules = (rule("early", when="lead.source == 'early'", team="early"),)
    people = force(
        team("anna"), team("nadia", team="early", calendar="early"), calendars={"sales": calendar(), "early": early}
    )
    at_night = replace(people, now=datetime(2026, 11, 30, 20, tzinfo=UTC))
    assert give(lead(), by(in_hours=True), at_night).to == "anna", (
        "nobody works: it waits for the morning with somebody"
    )
    assert give(lead(source="early"), by(in_hours=True, rules=rules), people).to == "nadia"


def test_C4_least_loaded_goes_by_open_leads_and_weight_then_in_turn() -> None:
    people = force(team("anna", Member(name="boris", weight=2), "vera"), loads={"anna": 3, "boris": 6, "vera": 4})
    decision = give(lead(), by(by="least_loaded"), people)
    assert (decision.to, decision.reason, decision.turn) == ("anna", "least_loaded", None)
    assert decision.loads == {"anna": 3, "boris": 6, "vera": 4}, "six of twice the weight are three"
    assert decision.circle is not None
    again = give(lead(), by(by="least_loaded"), replace(people, circles={"sales": decision.circle}))
    assert again.to == "boris", "of equals whoever had one longest ago"


def test_C4_a_known_clients_lead_goes_to_the_last_owner_who_may_have_it() -> None:
    people = force(team("anna", Member(name="boris", skills=("stone",)), Member(name="vera", left=date(2026, 1, 1))))
    sticky = give(lead(), by(), people, owner="boris")
    assert (sticky.to, sticky.reason, sticky.turn, sticky.circle) == ("boris", "owner", None, None), "it is no turn"
    assert give(lead(), by(), people, owner="vera").to == "anna", "she left"
    assert give(lead(), by(), people, owner="igor").to == "anna", "he is not of the team"
    assert give(lead(), by(sticky=False), people, owner="boris").to == "anna"
    stone = by(rules=(rule("stone", skills=("stone",)),))
    assert give(lead(), stone, people, owner="anna").to == "boris", "by the rule she may not have it"


def test_C4_whoever_found_the_client_works_on_it_where_they_take_leads() -> None:
    away = {"sales": calendar(anna=(date(2026, 11, 30), date(2026, 12, 4)))}
    people = force(team("anna", "boris", Member(name="olga", takes=False)), calendars=away)
    decision = give(lead(), by(), people)
    found = decision.found_by("anna")
    assert found == e.LeadAssigned(to="anna", reason="by_hand", candidates=("boris",), team="sales@3"), "away or not"
    assert decision.found_by("olga") is None
    assert decision.found_by("igor") is None


def test_C4_taken_from_somebody_it_goes_to_another_and_their_turn_is_not_lost() -> None:
    people = force(team("anna", "boris"))
    for _ in range(2):
        taken = give(lead(), by(), people, without="anna")
        assert (taken.to, taken.excluded) == ("boris", {"anna": "replaced"})
        assert taken.circle is not None
        people = replace(people, circles={"sales": taken.circle})
    assert who(given_in_turn(people, by(), 4)) == ["anna", "anna", "boris", "anna"], "boris had two already"


def test_C4_in_turn_by_weight() -> None:
    people = force(team(Member(name="anna", weight=2), "boris", Member(name="vera", weight=3)))
    had = who(given_in_turn(people, by(), 60))
    assert [had.count(name) for name in ("anna", "boris", "vera")] == [20, 10, 30]
    for begin in range(0, 60, 6):
        assert sorted(had[begin : begin + 6]) == ["anna", "anna", "boris", "vera", "vera", "vera"], "spread evenly"


def test_C4_whoever_comes_back_gets_no_burst_and_starts_from_the_least_of_those_present() -> None:
    away = force(
        team("anna", "boris", "vera"), calendars={"sales": calendar(vera=(date(2026, 11, 30), date(2026, 12, 4)))}
    )
    decisions = given_in_turn(away, by(), 100)
    assert who(decisions).count("vera") == 0
    assert decisions[-1].circle is not None
    back = replace(away, now=MONDAY + 7 * DAY, circles={"sales": decisions[-1].circle})
    assert sorted(map(str, who(given_in_turn(back, by(), 3)))) == ["anna", "boris", "vera"]
    assert who(given_in_turn(back, by(), 30)).count("vera") == 10


def test_C4_a_rule_has_a_circle_of_its_own() -> None:
    assigned = by(rules=(rule("mail", when="lead.channel == 'mail'"),))
    people = force(team("anna", "boris"))
    first = give(lead(channel="mail"), assigned, people)
    assert (first.name, first.to) == ("sales/classic/mail", "anna")
    assert first.circle is not None
    people = replace(people, circles={first.name: first.circle})
    assert give(lead(), assigned, people).to == "anna"
    assert give(lead(channel="mail"), assigned, people).to == "boris"


def test_N19_every_reason_has_words_in_both_languages() -> None:
    assert set(REASONS) == set(get_args(e.LeadAssigned.model_fields["reason"].annotation))
    meta = Meta.model_validate(
        {
            "stream": UUID(int=1),
            "version": 1,
            "kind": "lead",
            "type": e.LeadAssigned.TOPIC,
            "happened_at": MONDAY,
            "recorded_at": MONDAY,
            "actor": {"id": "rotation", "kind": "system"},
            "command": UUID(int=3),
            "correlation": "x",
        }
    )
    people = force(team("anna", Member(name="boris", quota=Quota(open=1)), "vera"), loads={"boris": 1, "anna": 2})
    decision = give(lead(), by(by="least_loaded"), people)
    pooled = give(lead(), by(), force(team(Member(name="anna", left=date(2026, 1, 1))))).pooled(None)
    told = why_assigned([Recorded(meta, decision.assigned(None)), Recorded(meta, pooled)])
    assert [(one["to"], one["en"]) for one in told] == [
        (
            "vera",
            "has the fewest open leads; open leads: anna 2, vera 0; could not: boris (has as many open leads as they may); "
            "team sales@3",
        ),
        (None, "nobody may have it, it waits in the pool; could not: anna (left); team sales@3"),
    ]
    assert told[1]["ru"] == "взять некому, ждёт в пуле; не могли: anna (ушёл); команда sales@3"


# --- fairness --------------------------------------------------------------------------------------------------------------

PEOPLE = tuple(f"p{n:02}" for n in range(20))


def apart(
    had: Sequence[str | None], present: Sequence[frozenset[str]], weights: Mapping[str, int]
) -> dict[tuple[str, str], float]:
    """The most by which each two people differ in any stretch of leads that both could have had, all of it; shares by weight.

    The oracle: it counts, and knows nothing of circles. In a stretch the difference of what they had so far goes up and down; the
    widest way between two of its values is the most by which a part of the stretch differs."""
    run: dict[tuple[str, str], tuple[float, float, float]] = {}
    most: dict[tuple[str, str], float] = {}
    before: frozenset[str] = frozenset()
    for to, there in zip(had, present, strict=True):
        for pair in [pair for pair in run if before != there and not there.issuperset(pair)]:
            del run[pair]
        before = there
        for other in there - {to} if to is not None else ():
            assert to is not None
            pair, step = ((to, other), 1) if to < other else ((other, to), -1)
            now, low, high = run.get(pair, (0.0, 0.0, 0.0))
            now += step / weights[to]
            low, high = min(low, now), max(high, now)
            run[pair], most[pair] = (now, low, high), max(most.get(pair, 0.0), high - low)
    return most


@settings(max_examples=2, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(PEOPLE), st.integers(0, 180), st.integers(0, 40)), max_size=60),
    st.integers(0, 2**32),
)
def test_C4_of_10_000_leads_and_20_people_with_absences_two_differ_by_at_most_one(
    absences: list[tuple[str, int, int]], seed: int
) -> None:
    first = date(2026, 11, 1)
    away: dict[str, list[tuple[date, date]]] = {}
    for name, begin, days in absences:
        away.setdefault(name, []).append((first + begin * DAY, first + (begin + days) * DAY))
    of_team = replace(calendar(), absences={name: tuple(sorted(spans)) for name, spans in away.items()})
    people = force(team(*PEOPLE), calendars={"sales": of_team})
    moments = sorted(Random(seed).uniform(0, 180 * 86_400) for _ in range(10_000))  # noqa: S311 - no secret
    had: list[str | None] = []
    present: list[frozenset[str]] = []
    arrived, pipeline = lead(), by()
    for moment in moments:
        people = replace(people, now=datetime(2026, 11, 1, 9, tzinfo=UTC) + timedelta(seconds=moment))
        day = (people.now + timedelta(hours=3)).date()
        there = frozenset(n for n in PEOPLE if not any(a <= day <= b for a, b in away.get(n, ())))
        decision = give(arrived, pipeline, people)
        present.append(there)
        had.append(decision.to)
        if not there:
            assert decision.to is None, "nobody is there"
            continue
        assert decision.to in there
        assert set(decision.candidates) == there
        assert decision.circle is not None
        people = replace(people, circles={"sales": decision.circle})
    differ = apart(had, present, dict.fromkeys(PEOPLE, 1))
    assert max(differ.values(), default=0) <= 1, differ


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 63), st.integers(1, 12)), min_size=1, max_size=30),
)
def test_C4_whatever_the_weights_and_absences_equals_get_the_same_and_shares_follow_the_weights(
    weights: list[int], stretches: list[tuple[int, int]]
) -> None:
    members = [Member(name=f"p{n}", weight=weight) for n, weight in enumerate(weights)]
    circle, had, present = Circle(), list[str | None](), list[frozenset[str]]()
    for mask in (mask for mask, leads in stretches for _ in range(leads)):
        there = [member for n, member in enumerate(members) if mask >> n & 1]
        present.append(frozenset(member.name for member in there))
        if not there:
            had.append(None)
            continue
        chosen = next_of(circle, there)
        circle = circle.after(chosen, [member.name for member in there])
        had.append(chosen.name)
    share = {member.name: member.weight for member in members}
    for (one, other), most in apart(had, present, share).items():
        assert most <= 1 / share[one] + (1 / share[other] if share[one] != share[other] else 0) + 1e-9
    assert {name: mark.had for name, mark in circle.marks.items()} == {
        member.name: had.count(member.name) for member in members if member.name in had
    }
    assert all(mark.reached <= circle.reached + ROUND // min(weights) for mark in circle.marks.values())

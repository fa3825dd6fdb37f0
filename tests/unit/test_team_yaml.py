"""Teams as people write them: what is read, what is refused with its place and the way out, the default of the settings (C4)."""

from __future__ import annotations

from datetime import date

import pytest

from contracts.pipeline.parts import Titles
from contracts.team import Escalation, Member, Quota, Team
from services.ops.teams.differences import differences
from services.ops.teams.telling import Say, summary
from services.settings import Colleague, Settings
from services.teams.publishing import default_text
from services.teams.team_file import TeamFileError, read_team

WHOLE = """\
team: sales
titles: {ru: "Продажи", en: "Sales"}
head: olga
calendar: sales
escalation: {misses: 2, days: 14}
digest: false
members:
  - {name: anna, skills: [stone], languages: [ru, en], directions: [north], quota: {open: 40, day: 10}, weight: 2}
  - {name: boris, manager: petr, since: 2026-12-01, left: 2027-01-15}
  - {name: olga, takes: false}
"""
SHORT = 'team: sales\ntitles: {ru: "Продажи", en: "Sales"}\n'


def test_C4_a_team_is_read_whole() -> None:
    team = read_team(WHOLE)
    assert team == Team(
        team="sales",
        titles=Titles(ru="Продажи", en="Sales"),
        head="olga",
        escalation=Escalation(misses=2, days=14),
        digest=False,
        members=(
            Member(
                name="anna",
                skills=("stone",),
                languages=("ru", "en"),
                directions=("north",),
                quota=Quota(open=40, day=10),
                weight=2,
            ),
            Member(name="boris", manager="petr", since=date(2026, 12, 1), left=date(2027, 1, 15)),
            Member(name="olga", takes=False),
        ),
    )
    assert (team.manager_of("anna"), team.manager_of("boris"), team.manager_of("olga")) == ("olga", "petr", None)


def test_C4_what_is_left_out_has_its_default() -> None:
    team = read_team(SHORT)
    assert (team.head, team.calendar, team.members, team.escalation) == (None, "sales", (), Escalation())


@pytest.mark.parametrize(
    ("more", "en", "ru"),
    [
        (
            "members: [{name: anna}, {name: anna}]",
            "team.yaml:3: members[1].name: anna stands twice; write all of them in one place",
            "anna есть дважды; запишите всё в одном месте",
        ),
        (
            "members:\n  - {name: anna, manager: anna}",
            "team.yaml:4: members[0].manager: anna is told of their own misses",
            "anna узнаёт о своих же пропусках",
        ),
        (
            "members:\n  - {name: anna, since: 2026-12-02, left: 2026-12-01}",
            "team.yaml:4: members[0].left: anna left before they came; put the later day here",
            "anna: ушёл раньше, чем пришёл",
        ),
        ("members: [{name: anna, weigth: 2}]", "did you mean weight", "может быть, weight"),
        ("members: [{quota: {day: 1}}]", "name: anna", "name: anna"),
        ("members: [{name: anna, weight: 0}]", "team.yaml:3: members[0].weight", "members[0].weight"),
        ("escalation: {misses: 0}", "team.yaml:3: escalation.misses", "escalation.misses"),
    ],
)
def test_C4_a_fault_names_its_place_and_the_way_out(more: str, en: str, ru: str) -> None:
    with pytest.raises(TeamFileError) as refused:
        read_team(SHORT + more)
    assert en in str(refused.value)
    assert ru in refused.value.ru


def test_C4_without_a_file_the_settings_make_the_team() -> None:
    settings = Settings(
        responsibles=["anna", "boris", "anna"],
        staff=[
            Colleague(name="boris", role="seller"),
            Colleague(name="vera", role="seller"),
            Colleague(name="olga", role="head"),
            Colleague(name="petr", role="head"),
        ],
    )
    team = read_team(default_text(settings))
    assert (team.team, team.head) == ("sales", "olga")
    assert [(m.name, m.weight, m.takes) for m in team.members] == [
        ("anna", 2, True),
        ("boris", 1, True),
        ("vera", 1, False),
        ("olga", 1, False),
        ("petr", 1, False),
    ]
    assert read_team(default_text(Settings(responsibles=[], staff=[]))).members == ()


def test_C4_a_new_version_says_what_it_changes() -> None:
    old = read_team(WHOLE)
    new = read_team(
        WHOLE.replace("head: olga", "head: petr")
        .replace("day: 10", "day: 5")
        .replace(", left: 2027-01-15", "")
        .replace("misses: 2", "misses: 3")
        .replace("  - {name: olga, takes: false}\n", "  - {name: vera}\n")
    )
    told = {(change.what, change.at): change for change in differences(old, new)}
    assert list(told) == [
        ("head", "petr"),
        ("escalation", "sales"),
        ("member_quota", "anna"),
        ("member_back", "boris"),
        ("member_added", "vera"),
        ("member_removed", "olga"),
    ]
    assert told[("head", "petr")].en == "head: was olga, now petr"
    assert told[("member_quota", "anna")].ru == "anna: открытых не больше 40, в день не больше 5"
    assert "leadline team handover boris" in differences(new, old)[3].en
    assert differences(old, old) == ()


def test_C4_a_team_is_shown_with_what_each_can_take() -> None:
    lines = summary(read_team(WHOLE), {"anna": 12}, Say("en"))
    assert (
        "    anna: weight 2; open ≤ 40; a day ≤ 10; skills: stone; languages: ru, en; directions: north; 12 open leads"
        in lines
    )
    assert "    boris: left on 2027-01-15; from 2026-12-01; petr is told of misses" in lines
    assert "    olga: is assigned none" in lines
    assert summary(read_team(SHORT), {}, Say("ru"))[-1] == "  сотрудников нет: лиды ждут в пуле"

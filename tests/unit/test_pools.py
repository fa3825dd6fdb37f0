"""C4: in whose pool the leads of a pipeline wait, and which of them a head looks after."""

from __future__ import annotations

from contracts.pipeline import Pipeline, Titles
from contracts.team import Team
from services.pipelines.language import read_pipeline
from services.web.pools import of_head, of_team, pools

STAGES = """
titles: {ru: "В", en: "P"}
conversion_point: deal
stages:
  - {id: new, titles: {ru: "Новый", en: "New"}, kind: open}
  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won}
"""
RULE = 'rules: [{{id: far, titles: {{ru: "Далеко", en: "Far"}}, when: "has(lead.phone)", team: {}}}]'


def pipeline(name: str, assignment: str = "") -> Pipeline:
    return read_pipeline(f"pipeline: {name}\n{assignment}\n{STAGES}")


def team(name: str, head: str | None = None) -> Team:
    return Team(team=name, titles=Titles(ru=name, en=name), head=head)


PIPELINES = {
    one.pipeline: one
    for one in (
        pipeline("plain"),
        pipeline("cold", "assignment: {team: north}"),
        pipeline("both", f"assignment: {{team: sales, {RULE.format('north')}}}"),
        pipeline("warm", "assignment: {team: south}"),
        pipeline("lost", "assignment: {team: west}"),
    )
}
TEAMS = {one.team: one for one in (team("sales", "helen"), team("north", "nora"), team("south"))}
POOLS = pools(PIPELINES, TEAMS)


def test_C4_each_teams_pool_has_the_leads_of_the_pipelines_that_name_it() -> None:
    assert of_team("north", POOLS) == ["cold", "both"]
    assert of_team("south", POOLS) == ["warm"]
    assert of_team("sales", POOLS) == ["plain", "both", "lost"], "also of a team that nobody published"
    assert of_team("west", POOLS) == []
    assert all(POOLS.values()), "none is out of sight"


def test_C4_a_head_looks_after_the_pools_of_their_teams_and_those_that_nobody_heads() -> None:
    assert of_head("helen", TEAMS, POOLS) == ["plain", "both", "warm", "lost"]
    assert of_head("nora", TEAMS, POOLS) == ["cold", "both", "warm"]
    assert of_head("olga", TEAMS, POOLS) == list(PIPELINES), "who heads no team sees all"
    assert of_head("nora", {"north": TEAMS["north"]}, pools(PIPELINES, {"north"})) == list(PIPELINES), (
        "without a default team its pool is everyone's"
    )

"""The pool of each team: open leads that nobody is responsible for, of the pipelines that give their leads to it (C4, N19).

Invariant: every such lead is in the pool of one team at least: where a pipeline names none that was ever published, in that of
the default team, so that none is out of sight.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from contracts.pipeline import Pipeline
from contracts.team import DEFAULT_TEAM, Team
from projections.board import store as board
from services.database import Database
from services.leads.domain.assigning.deciding import DEFAULT, teams_of


def pools(pipelines: Mapping[str, Pipeline], teams: Collection[str]) -> dict[str, frozenset[str]]:
    """By pipeline: in which teams' pools its leads wait. `teams`: those that were published."""
    found = {}
    for name, pipeline in pipelines.items():
        named = teams_of(pipeline.assignment or DEFAULT) & set(teams)
        found[name] = frozenset(named or {DEFAULT_TEAM})
    return found


def of_team(team: str, of: Mapping[str, frozenset[str]]) -> list[str]:
    """The pipelines whose leads wait in this team's pool."""
    return [pipeline for pipeline, named in of.items() if team in named]


def of_head(head: str, teams: Mapping[str, Team], of: Mapping[str, frozenset[str]]) -> list[str]:
    """The pipelines whose leads in the pool a head looks after: of the teams they head, and of those that nobody heads. Whoever
    heads none looks after all."""
    own = {name for name, team in teams.items() if team.head == head}
    if not own:
        return list(of)
    nobodys = {name for name, team in teams.items() if team.head is None} | {DEFAULT_TEAM} - teams.keys()
    return [pipeline for pipeline, named in of.items() if named & own or named <= nobodys]


async def pool_now(
    connection: Database, pipelines: Mapping[str, Pipeline], wanted: Collection[str], limit: int
) -> tuple[list[board.Card], str | None]:
    """Open leads of the `wanted` pipelines that nobody is responsible for, the longest waiting in their stage first; not None:
    there are more."""
    places = {
        (name, stage.id): 0 for name, known in pipelines.items() for stage in known.stages if stage.kind == "open"
    }
    chosen = board.Chosen(nobody=True, pipelines=sorted(wanted))
    cards, more = await board.nearest(connection, chosen, places, limit=limit)
    waiting = [card for card in cards if card.kind == "open" and card.merged_into is None and not card.withdrawn]
    return waiting, more if len(waiting) == len(cards) else None

"""Sentences about teams and whose a lead becomes by itself, as data (C4, N19, docs/howto/team.md)."""

from __future__ import annotations

from typing import Final

from services.leads.scenarios.phrase import Phrase

OF_TEAMS: Final = (
    Phrase(
        "team", "given", "в команде[ {team}][:][ {people*}]", "the team[ {team}] is[:][ {people*}]",
        ("в команде: anna; boris", "the team is: anna; boris"), "items",
    ),
    Phrase(
        "person_skills", "given", "у сотрудника {who} навыки: {ids*}", "{who} has the skills: {ids*}",
        ("у сотрудника «boris» навыки: stone; glass", "“boris” has the skills: stone; glass"),
    ),
    Phrase(
        "person_languages", "given", "у сотрудника {who} языки: {ids*}", "{who} speaks: {ids*}",
        ("у сотрудника «boris» языки: en", "“boris” speaks: en"),
    ),
    Phrase(
        "person_directions", "given", "у сотрудника {who} направления: {ids*}", "{who} has the directions: {ids*}",
        ("у сотрудника «boris» направления: repair", "“boris” has the directions: repair"),
    ),
    Phrase(
        "person_has", "given", "у сотрудника {who} открытых лидов: {count*}", "{who} has open leads: {count*}",
        ("у сотрудника «boris» открытых лидов: 3", "“boris” has open leads: 3"),
    ),
    Phrase(
        "person_at_most", "given", "у сотрудника {who} открытых лидов не больше: {count*}",
        "{who} takes open leads, at most: {count*}",
        ("у сотрудника «boris» открытых лидов не больше: 5", "“boris” takes open leads, at most: 5"),
    ),
    Phrase(
        "person_away", "given", "сотрудник {who} отсутствует", "{who} is away",
        ("сотрудник «boris» отсутствует", "“boris” is away"),
    ),
    Phrase(
        "person_takes_none", "given", "сотрудник {who} лидов не берёт", "{who} takes no leads",
        ("сотрудник «boris» лидов не берёт", "“boris” takes no leads"),
    ),
    Phrase(
        "person_had_last", "given", "последний лид достался сотруднику {who}", "the last lead went to {who}",
        ("последний лид достался сотруднику «anna»", "the last lead went to “anna”"),
    ),
)  # fmt: skip
"""Who works there."""

OF_RESPONSIBLE: Final = (
    Phrase(
        "responsible", "then", "ответственный[ —| теперь] {who}", "the responsible is[ now] {who}",
        ("ответственный «boris»", "the responsible is “boris”"),
    ),
    Phrase("in_pool", "then", "лид ждёт в пуле", "the lead waits in the pool", ("лид ждёт в пуле", "the lead waits in the pool")),
    Phrase(
        "by_rule", "then", "лид распределён по правилу {rule}", "the lead was given by the rule {rule}",
        ("лид распределён по правилу «Камень»", "the lead was given by the rule “Stone”"),
    ),
    Phrase(
        "not_given", "then", "сотруднику {who} лид не достался[,] причина: {why*}",
        "{who} did not get the lead[,] because: {why*}",
        (
            "сотруднику «anna» лид не достался, причина: отсутствует",
            "“anna” did not get the lead, because: is away",
        ),
    ),
)  # fmt: skip
"""Whose it became, and why not somebody else's."""

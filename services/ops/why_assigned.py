"""Whose the lead was, and why each time, for `leadline why`: from its events alone (C4, N19).

Pure. People are named as they sign in, which is no personal data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from contracts import events as e
from contracts.recorded import Recorded
from services.subject import spoken

REASONS: Final[Mapping[str, tuple[str, str]]] = {
    "in_turn": ("по очереди", "in turn"),
    "least_loaded": ("меньше всех открытых лидов", "has the fewest open leads"),
    "owner": ("вёл прошлый лид клиента", "had the client's last lead"),
    "by_hand": ("передан вручную", "given by hand"),
    "imported": ("из импорта", "imported"),
    "robot": ("передал робот", "given by a robot"),
    "as_the_lead": ("ведёт лид этой сделки", "has the lead of the deal"),
    "missed_running": (
        "прежний пропускал срок несколько раз подряд",
        "the one before missed a deadline again and again",
    ),
    "idle": ("прежний не касался ⟨лида|сделки⟩", "the one before did not touch it"),
    "from_pool": ("взят из пула", "taken from the pool"),
    "handed_over": ("передан от того, кто ушёл или отсутствует", "handed over from somebody who left or is away"),
}
EXCLUDED: Final[Mapping[str, tuple[str, str]]] = {
    "left": ("ушёл", "left"),
    "not_yet": ("ещё не в команде", "not there yet"),
    "takes_none": ("лидов не получает", "takes none"),
    "people": ("не назван в правиле", "not named by the rule"),
    "skills": ("нет навыка", "lacks a skill"),
    "languages": ("нет языка", "lacks a language"),
    "directions": ("не его направление", "not their direction"),
    "absent": ("отсутствует", "away"),
    "off_hours": ("не рабочее время", "off hours"),
    "quota_open": ("открытых лидов уже столько, сколько можно", "has as many open leads as they may"),
    "quota_day": ("на сегодня хватит", "had enough today"),
    "replaced": ("⟨лид|сделку⟩ забирают у него", "it is taken from them"),
}
LOADS: Final[Mapping[bool, tuple[str, str]]] = {
    True: ("открытых лидов", "open leads"),
    False: ("было по очереди", "had in turn"),
}


def assigned(history: Iterable[Recorded]) -> list[dict[str, Any]]:
    """Each time the lead got somebody responsible, or went to the pool: for programs, with the sentence in both languages."""
    found = []
    for recorded in history:
        data = recorded.data
        if isinstance(data, e.LeadAssigned | e.LeadPooled):
            known = data.model_dump(mode="json", exclude={"comment"})
            of_deal = recorded.meta.kind == "deal"
            told = {name: spoken(_sentence(data, n), of_deal=of_deal) for n, name in enumerate(("ru", "en"))}
            found.append({"at": recorded.meta.happened_at, "to": None, **known, **told})
    return found


def _sentence(data: e.LeadAssigned | e.LeadPooled, language: int) -> str:
    pooled = isinstance(data, e.LeadPooled)
    parts = [("взять некому, ждёт в пуле", "nobody may have it, it waits in the pool")[language]] if pooled else []
    if isinstance(data, e.LeadAssigned):
        parts.append(REASONS[data.reason][language])
    if data.rule is not None:
        parts.append(("правило", "rule")[language] + f" {data.rule}")
    if isinstance(data, e.LeadAssigned) and data.loads:
        had = ", ".join(f"{who} {count}" for who, count in data.loads.items())
        parts.append(f"{LOADS[data.reason == 'least_loaded'][language]}: {had}")
    elif isinstance(data, e.LeadAssigned) and data.candidates:
        parts.append(("могли", "could")[language] + f": {', '.join(data.candidates)}")
    if data.excluded:
        left_out = ", ".join(f"{who} ({EXCLUDED[why][language]})" for who, why in data.excluded.items())
        parts.append(("не могли", "could not")[language] + f": {left_out}")
    if data.team is not None:
        parts.append(("команда", "team")[language] + f" {data.team}")
    return "; ".join(parts)

"""What stands against putting a text in force after those before it: stage ids are for ever, nobody is left standing (N14, N26).

Pure. Invariants: everything is found at once; each objection says in words what harms and what to do. A renamed, added or
reordered stage is no objection; a dropped one is only while leads stand in it that can still move.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from contracts.pipeline import Pipeline
from services.pipelines.differences import KINDS

MAY_MOVE = ("open", "postponed", "lost")
"""Kinds of leads that may still go somewhere: a rejected one may be reopened. A won lead stays where it was won."""


@dataclass(frozen=True, slots=True)
class Objection:
    """A reason not to publish. `what`: a stable word for programs; `at`: the stage it is about."""

    what: str
    at: str
    ru: str
    en: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Where leads of a pipeline stand now: by stage and kind; `returning`: paused ones, by the stage they come back to."""

    leads: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    returning: Mapping[str, int] = field(default_factory=dict)


def objections(
    after: Pipeline,
    past: Sequence[tuple[int, Pipeline]],
    standing: Standing,
    mapping: Mapping[str, str],
    *,
    adopt: bool,
) -> tuple[Objection, ...]:
    """Everything that stands in the way. `past`: all versions before, the first first; `mapping`: stage of then → of now."""
    return (
        *_kinds(after, past),
        *_mapping(after, past, mapping, adopt),
        *_dropped(after, past, standing, mapping),
    )


def _kinds(after: Pipeline, past: Sequence[tuple[int, Pipeline]]) -> list[Objection]:
    found = []
    for stage in after.stages:
        other = next(((n, p.by_id[stage.id]) for n, p in past if stage.id in p.by_id and p.by_id[stage.id].kind != stage.kind), None)  # fmt: skip  # noqa: E501
        if other is not None:
            number, before = other
            was, now = KINDS[before.kind], KINDS[stage.kind]
            found.append(
                Objection(
                    "stage_kind",
                    stage.id,
                    f"Стадия {stage.id} в версии {number} была {was.ru} («{before.titles.ru}»), а теперь {now.ru}. Имя стадии "
                    "даётся навсегда: назовите новую стадию другим именем (id), старую оставьте или уберите.",
                    f"The stage {stage.id} was {was.en} in version {number} (“{before.titles.en}”) and is {now.en} now. A "
                    "stage's id is for ever: give the new stage another id, keep or drop the old one.",
                )
            )
    return found


def _mapping(
    after: Pipeline, past: Sequence[tuple[int, Pipeline]], mapping: Mapping[str, str], adopt: bool
) -> list[Objection]:
    found = []
    known = {stage.id: stage for _, pipeline in past for stage in pipeline.stages}
    if mapping and not adopt:
        found.append(
            Objection(
                "mapping_unused",
                "",
                "Сказано, куда идут лиды, но не сказано их переводить: добавьте --adopt-open (adopt_open).",
                "It is said where leads go, but not that they go: add --adopt-open (adopt_open).",
            )
        )
    for old, new in mapping.items():
        if old not in known:
            there = ", ".join(sorted(known)) or "—"
            found.append(
                Objection(
                    "mapping_from",
                    old,
                    f"Стадии {old} в прежних версиях нет. Есть: {there}.",
                    f"No version before has a stage {old}. There are: {there}.",
                )
            )
        elif new not in after.by_id:
            there = ", ".join(s.id for s in after.stages if s.kind == known[old].kind)
            found.append(
                Objection(
                    "mapping_to",
                    old,
                    f"Стадии {new} в новом тексте нет. Куда можно из {old}: {there}.",
                    f"The new text has no stage {new}. Where {old} may lead: {there}.",
                )
            )
        elif after.by_id[new].kind != known[old].kind:
            was, now = KINDS[known[old].kind], KINDS[after.by_id[new].kind]
            found.append(
                Objection(
                    "mapping_kind",
                    old,
                    f"{old} — {was.ru}, а {new} — {now.ru}. Публикация никого не выигрывает, не забраковывает и не "
                    "возобновляет: назовите стадию того же вида.",
                    f"{old} is {was.en}, {new} is {now.en}. Publishing wins, rejects and reopens nobody: name a stage of the "
                    "same kind.",
                )
            )
    return found


def _dropped(
    after: Pipeline, past: Sequence[tuple[int, Pipeline]], standing: Standing, mapping: Mapping[str, str]
) -> list[Objection]:
    known = {stage.id: stage for _, pipeline in past for stage in pipeline.stages}
    found = []
    for stage in sorted((standing.leads.keys() | standing.returning.keys()) - after.by_id.keys() - mapping.keys()):
        stand = sum(count for kind, count in standing.leads.get(stage, {}).items() if kind in MAY_MOVE)
        back = standing.returning.get(stage, 0)
        if not stand and not back:
            continue
        kind = known[stage].kind if stage in known else "open"
        title = known[stage].titles if stage in known else None
        there = ", ".join(s.id for s in after.stages if s.kind == kind) or "—"
        name_ru, name_en = (f"«{title.ru}» ({stage})", f"“{title.en}” ({stage})") if title else (stage, stage)
        who_ru = f"стоят лиды: {stand}" if stand else f"вернутся отложенные лиды: {back}"
        who_en = f"{stand} leads stand in it" if stand else f"{back} paused leads come back to it"
        found.append(
            Objection(
                "stage_in_use",
                stage,
                f"В новом тексте нет стадии {name_ru}, а в ней {who_ru}. Скажите, куда они идут: --map {stage}=СТАДИЯ "
                f"(можно: {there}) и --adopt-open.",
                f"The new text has no stage {name_en}, and {who_en}. Say where they go: --map {stage}=STAGE "
                f"(one of: {there}) and --adopt-open.",
            )
        )
    return found

"""The card: how much is asked for, and whether anybody can write it (Q2, Q11, S5). Pure."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.pipeline import FieldCriterion, Stage
from services.pipelines.linting.case import Case
from services.pipelines.linting.finding import Found, Path, Said


def not_editable(case: Case) -> Iterator[Found]:
    """A field that a stage asks for and nobody may write."""
    fields = case.pipeline.fields_by_id
    seen: set[tuple[str, str]] = set()
    for n, stage in enumerate(case.pipeline.stages):
        for path, field in _asked(n, stage):
            if fields[field].by or (stage.id, field) in seen:
                continue
            seen.add((stage.id, field))
            titles = fields[field].titles
            yield Found(
                path,
                Said(
                    f"«{stage.titles.ru}» требует поле «{titles.ru}», а заполнить его никому нельзя (by: [])",
                    f"“{stage.titles.en}” asks for the field “{titles.en}”, and nobody may write it (by: [])",
                ),
                (stage.id,),
            )


def _asked(n: int, stage: Stage) -> Iterator[tuple[Path, str]]:
    for m, asked in enumerate(stage.mandatory):
        yield ("stages", n, "mandatory", m), asked.field
    for m, asked in enumerate(stage.desirable):
        yield ("stages", n, "desirable", m), asked.field
    for m, criterion in enumerate(stage.exit):
        if isinstance(criterion, FieldCriterion):
            yield ("stages", n, "exit", m), criterion.field
    for k, move in enumerate(stage.moves or ()):
        for m, criterion in enumerate(move.needs):
            if isinstance(criterion, FieldCriterion):
                yield ("stages", n, "moves", k, "needs", m), criterion.field


def review_that_deletes(case: Case) -> Iterator[Found]:
    """A status that a head is to judge, and whose leads are deleted at once: there is nothing to judge then."""
    for n, stage in enumerate(case.pipeline.stages):
        if stage.review and stage.outcome == "bad_data":
            yield Found(
                ("stages", n, "review"),
                Said(
                    f"лиды в «{stage.titles.ru}» удаляются сразу, а проверять их должен руководитель",
                    f"leads in “{stage.titles.en}” are deleted at once, and a head is to judge them",
                ),
                (stage.id,),
            )


def mandatory_fields(case: Case) -> Iterator[Found]:
    """More mandatory fields on the way than a talk with a client bears."""
    asked: dict[str, int] = {}
    for n, stage in case.open_stages:
        for criterion in case.pipeline.exit_of[stage.id]:
            if isinstance(criterion, FieldCriterion):
                asked.setdefault(criterion.field, n)
    most = case.settings.mandatory
    if len(asked) > most:
        names = [case.pipeline.fields_by_id[field].titles for field in asked]
        beyond = list(asked.values())[most]
        yield Found(
            ("stages", beyond),
            Said(
                f"обязательных полей {len(asked)}, на «{case.pipeline.stages[beyond].titles.ru}» их становится больше "
                f"{most}: {', '.join(t.ru for t in names)}",
                f"{len(asked)} fields are mandatory; with “{case.pipeline.stages[beyond].titles.en}” they are more than "
                f"{most}: {', '.join(t.en for t in names)}",
            ),
        )

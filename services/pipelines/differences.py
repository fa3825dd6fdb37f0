"""What a new text of a pipeline changes, as data and in words (M3, N26).

Pure. Invariants: two pipelines differ in nothing exactly when there is no change to tell; every change names what it is about, in
Russian and English; the order is that of the text: the whole, the stages with their robots and deadlines, the
assignment, the card, the facts, the terms, the templates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from contracts.pipeline import (
    BUILT_IN_FACTS,
    CardField,
    ContactCriterion,
    Criterion,
    Fact,
    FactCriterion,
    FieldCriterion,
    Model,
    Pipeline,
    Stage,
    StageMove,
    Titles,
)
from services.pipelines.automation_differences import assignments, robots_and_triggers, templates, terms
from services.pipelines.change import HIM, WORDS, Change, how_changed, renamed, reordered

__all__ = ["Change", "differences"]


KINDS = {
    "open": Titles(ru="открытая", en="open"),
    "won": Titles(ru="выигранная", en="won"),
    "lost": Titles(ru="забракованная", en="lost"),
    "postponed": Titles(ru="отложенная", en="postponed"),
}
_OF_PIPELINE = {
    "conversion_point": ("точка конверсии", "conversion point"),
    "won_moves": ("переходы между выигранными стадиями", "moves among won stages"),
    "expected_findings": ("ожидаемые замечания проверки", "findings of the linter that are expected"),
}
_OF_STAGE = {
    "final": ("«завершена»", "“final”"),
    "outcomes": ("исходы, в которые из неё можно уйти", "outcomes it may be left to"),
    "by": ("кто может из неё перевести", "roles that may move a lead out of it"),
    "reopen": ("как из неё возвращаются", "how work goes on from it"),
    "outcome": ("что остаётся от лида", "what remains of the lead"),
    "deal": ("воронка сделки, которой становится лид", "pipeline of the deal that a lead becomes"),
    "limit": ("срок", "time limit"),
    "review": ("проверяет ли её лиды руководитель", "whether a head judges its leads"),
    "next_step": ("следующий шаг продавца", "the seller's next step"),
    "client": ("чего ждут от клиента", "what is expected of the client"),
    "steps": ("шаги в регламенте", "steps of the playbook"),
    "actions": ("действия в регламенте", "actions of the playbook"),
    "criteria": ("критерии в регламенте", "criteria of the playbook"),
}
_OF_FIELD = {
    "personal": ("персональные ли это данные", "whether it is personal data"),
    "type": ("тип", "type"),
    "group": ("группа", "group"),
    "unit": ("единица", "unit"),
    "least": ("наименьшее", "least"),
    "most": ("наибольшее", "most"),
    "currencies": ("валюты", "currencies"),
    "declined": ("можно ли «клиент отказался ответить»", "whether the client may decline to answer it"),
    "unknown": ("можно ли «пока неизвестно»", "whether it may be unknown"),
    "by": ("кто пишет", "roles that write it"),
    "hint": ("подсказка", "hint"),
}
_OF_FACT = {
    "holds": ("на сколько он действует", "for how long it holds"),
    "by": ("кто записывает", "roles that record it"),
    "proposes": ("какую стадию предлагает", "the stage it proposes"),
}


def differences(before: Pipeline | None, after: Pipeline) -> tuple[Change, ...]:
    """All changes from one text to the next; of a new pipeline (None) its stages, fields and facts."""
    return tuple(_differences(before, after))


def _differences(before: Pipeline | None, after: Pipeline) -> Iterator[Change]:
    if before is None:
        yield Change(
            "pipeline_added",
            after.pipeline,
            f"Новая воронка «{after.titles.ru}»",
            f"A new pipeline “{after.titles.en}”",
        )
        fields: Sequence[CardField] = ()
        facts: Sequence[Fact] = ()
    else:
        yield from renamed("pipeline", after.pipeline, "Воронка", "Pipeline", before.titles, after.titles)
        yield from _attributes("pipeline", after.pipeline, "Воронка", "Pipeline", before, after, _OF_PIPELINE)
        fields, facts = before.fields, before.facts
    yield from _stages(before, after)
    if before is not None:
        yield from assignments(before, after)
    yield from _parts("group", "Группа полей", "Group of fields", before.groups if before else (), after.groups, {})
    yield from _parts("field", "Поле", "Field", fields, after.fields, _OF_FIELD)
    yield from _parts("fact", "Факт", "Fact", facts, after.facts, _OF_FACT)
    yield from terms(before.terms if before else (), after.terms)
    yield from templates(before.templates if before else (), after.templates)


def _stages(text: Pipeline | None, after: Pipeline) -> Iterator[Change]:
    before = text.stages if text is not None else ()
    then, now = {s.id: s for s in before}, after.by_id
    for stage in after.stages:
        if stage.id not in then:
            kind = KINDS[stage.kind]
            yield Change(
                "stage_added",
                stage.id,
                f"Новая стадия «{stage.titles.ru}» ({stage.id}, {kind.ru})",
                f"New stage “{stage.titles.en}” ({stage.id}, {kind.en})",
            )
    for stage in before:
        if stage.id not in now:
            yield Change(
                "stage_removed",
                stage.id,
                f"Нет больше стадии «{stage.titles.ru}» ({stage.id})",
                f"No longer a stage: “{stage.titles.en}” ({stage.id})",
            )
    if [s for s in then if s in now] != [s for s in now if s in then]:
        order = [s.titles for s in after.stages if s.id in then]
        yield Change(
            "stages_reordered",
            after.pipeline,
            "Другой порядок стадий: " + ", ".join(f"«{titles.ru}»" for titles in order),
            "Another order of stages: " + ", ".join(f"“{titles.en}”" for titles in order),
        )
    for stage in after.stages:
        if stage.id in then:
            yield from _stage(then[stage.id], stage, after)
        yield from robots_and_triggers(then.get(stage.id), stage, text, after)


def _stage(before: Stage, after: Stage, pipeline: Pipeline) -> Iterator[Change]:
    yield from renamed("stage", after.id, "Стадия", "Stage", before.titles, after.titles)
    ru, en = f"Стадия «{after.titles.ru}»", f"Stage “{after.titles.en}”"
    if before.kind != after.kind:
        was, now = KINDS[before.kind], KINDS[after.kind]
        yield Change(
            "stage_kind",
            after.id,
            f"{ru}: была {was.ru}, стала {now.ru}",
            f"{en}: it was {was.en} and is {now.en}",
        )
    yield from _criteria("criterion", after.id, ru, en, before.exit, after.exit, pipeline)
    for name, said_ru, said_en in (
        ("mandatory", "обязательное поле", "mandatory field"),
        ("desirable", "желательное поле", "desirable field"),
    ):
        asked = {a.field: a for a in getattr(before, name)}
        asks = {a.field: a for a in getattr(after, name)}
        for field in (*asks, *(f for f in asked if f not in asks)):
            what = how_changed(asked.get(field), asks.get(field))
            if what is not None:
                word_ru, word_en = WORDS[what]
                title = pipeline.fields_by_id[field].titles if field in pipeline.fields_by_id else _plain(field)
                yield Change(
                    f"{name}_{what}",
                    f"{after.id}/{field}",
                    f"{ru}: {word_ru} {said_ru} «{title.ru}»",
                    f"{en}: {said_en} {word_en}: “{title.en}”",
                )
        yield from reordered(name, after.id, ru, en, list(asked), list(asks), f"({said_ru})", f"({said_en})")
    yield from _moves(before, after, ru, en, pipeline)
    yield from _parts(
        "reason",
        f"{ru}: причина",
        f"{en}: reason",
        before.reasons,
        after.reasons,
        {"outcome": ("исход", "outcome")},
        within=f"{after.id}/",
    )
    yield from _attributes("stage", after.id, ru, en, before, after, _OF_STAGE)


_CRITERIA = {"criterion": ("критерий выхода", "exit criterion"), "need": ("критерий перехода", "need")}


def _criteria(
    what: str, at: str, ru: str, en: str, before: Sequence[Criterion], after: Sequence[Criterion], pipeline: Pipeline
) -> Iterator[Change]:
    then, now = {_name(c): c for c in before}, {_name(c): c for c in after}
    for name in (*now, *(n for n in then if n not in now)):
        how = how_changed(then.get(name), now.get(name))
        if how is not None:
            titles = _criterion_titles(now.get(name) or then[name], pipeline)
            noun_ru, noun_en = _CRITERIA[what]
            yield Change(
                f"{what}_{how}",
                f"{at}/{name}",
                f"{ru}: {HIM[how]} {noun_ru} — {titles.ru}",
                f"{en}: {noun_en} {how}: {titles.en}",
            )
    twice = len(before) != len(then) or len(after) != len(now)
    if twice and tuple(before) != tuple(after) and then == now:
        yield Change(
            f"{what}_changed",
            at,
            f"{ru}: критерий назван другое число раз",
            f"{en}: a criterion stands another number of times",
        )
    yield from reordered(what, at, ru, en, list(then), list(now), "критериев", "of criteria")


def _name(criterion: Criterion) -> str:
    match criterion:
        case FactCriterion():
            return f"fact:{criterion.fact}" + (f"={'|'.join(criterion.value)}" if criterion.value else "")
        case FieldCriterion():
            return f"field:{criterion.field}"
        case ContactCriterion():
            return f"contact:{criterion.contact}"


def _criterion_titles(criterion: Criterion, pipeline: Pipeline) -> Titles:
    if criterion.titles is not None:
        return criterion.titles
    if isinstance(criterion, FactCriterion):
        fact = pipeline.facts_by_id.get(criterion.fact)
        return fact.titles if fact else BUILT_IN_FACTS.get(criterion.fact) or _plain(criterion.fact)
    if isinstance(criterion, FieldCriterion) and criterion.field in pipeline.fields_by_id:
        return pipeline.fields_by_id[criterion.field].titles
    return _plain(_name(criterion).partition(":")[2])


def _moves(before: Stage, after: Stage, ru: str, en: str, pipeline: Pipeline) -> Iterator[Change]:
    if (before.moves is None) != (after.moves is None):
        said_ru = "переходы теперь обычные" if after.moves is None else "переходы теперь названы"
        said_en = "its moves are the usual ones now" if after.moves is None else "its moves are stated now"
        yield Change("moves_stated", after.id, f"{ru}: {said_ru}", f"{en}: {said_en}")
    then: dict[str, StageMove] = {m.to: m for m in before.moves or ()}
    now: dict[str, StageMove] = {m.to: m for m in after.moves or ()}
    for to in (*now, *(t for t in then if t not in now)):
        how = how_changed(then.get(to), now.get(to))
        if how is None:
            continue
        titles = pipeline.by_id[to].titles if to in pipeline.by_id else _plain(to)
        yield Change(
            f"move_{how}",
            f"{after.id}/{to}",
            f"{ru}: переход в «{titles.ru}» {HIM[how]}",
            f"{en}: the move to “{titles.en}” is {how}",
        )
        if how == "changed":
            said_ru, said_en = f"{ru}: переход в «{titles.ru}»", f"{en}: the move to “{titles.en}”"
            yield from _criteria("need", f"{after.id}/{to}", said_ru, said_en, then[to].needs, now[to].needs, pipeline)
    yield from reordered("move", after.id, ru, en, list(then), list(now), "переходов", "of moves")


def _parts(
    what: str,
    ru: str,
    en: str,
    before: Sequence[Any],
    after: Sequence[Any],
    attributes: dict[str, tuple[str, str]],
    within: str = "",
) -> Iterator[Change]:
    """Parts with ids and titles: those that came, went, are called otherwise, or have other attributes or options."""
    then, now = {part.id: part for part in before}, {part.id: part for part in after}
    for part in (*after, *(p for p in before if p.id not in now)):
        how = how_changed(then.get(part.id), now.get(part.id))
        at, said_ru, said_en = f"{within}{part.id}", f"{ru} «{part.titles.ru}»", f"{en} “{part.titles.en}”"
        if how in ("added", "removed"):
            word_ru, word_en = WORDS[how]
            yield Change(f"{what}_{how}", at, f"{said_ru}: {word_ru}", f"{said_en}: {word_en}")
        elif how == "changed":
            was = then[part.id]
            yield from renamed(what, at, ru, en, was.titles, part.titles)
            yield from _attributes(what, at, said_ru, said_en, was, part, attributes)
            if hasattr(part, "options"):
                yield from _parts(
                    "option",
                    f"{said_ru}: вариант",
                    f"{said_en}: option",
                    was.options,
                    part.options,
                    {
                        "opens": ("куда открывает путь", "where it opens the way"),
                        "proposes": ("предлагает", "proposes"),
                    },
                    within=f"{at}/",
                )
    yield from reordered(what, within.rstrip("/") or what, ru, en, list(then), list(now), "", "")


def _attributes(
    what: str, at: str, ru: str, en: str, before: Model, after: Model, names: dict[str, tuple[str, str]]
) -> Iterator[Change]:
    for name, (said_ru, said_en) in names.items():
        was, now = getattr(before, name, None), getattr(after, name, None)
        if was == now:
            continue
        told = _shown(was), _shown(now)
        more_ru = f": было {told[0]}, стало {told[1]}" if None not in told else ""
        more_en = f": it was {told[0]} and is {told[1]}" if None not in told else ""
        yield Change(
            f"{what}_{name}",
            at,
            f"{ru}: изменено — {said_ru}{more_ru}",
            f"{en}: changed: {said_en}{more_en}",
        )


def _shown(value: Any) -> str | None:
    """A value short enough to be told."""
    if value is None or value == ():
        return "—"
    if isinstance(value, Titles):
        return f"{value.ru} / {value.en}"
    if isinstance(value, tuple) and all(isinstance(v, str) for v in value):
        return ", ".join(value)
    return str(value) if isinstance(value, str | bool | int) or hasattr(value, "as_tuple") else None


def _plain(name: str) -> Titles:
    return Titles(ru=name, en=name)

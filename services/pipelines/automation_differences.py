"""What a new text of a pipeline changes of its robots, triggers and templates, as data and in words (M3, N26).

Pure. Invariants as in `services.pipelines.differences`, which asks this for its part: where anything differs, something is told,
in both languages; a robot that went to another stage is told as moved, because what waits of it goes on waiting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeVar

from contracts.pipeline import Pipeline, Robot, Stage, Template, Titles, Trigger, Words
from services.pipelines.change import Change
from services.pipelines.robot_words import robot_words, trigger_words

ALWAYS: Final = Words(ru="всегда", en="always")
Part = TypeVar("Part", Robot, Trigger)
Said = Sequence[tuple[str, str, str, Words]]
"""What a part says: (its word, how that is called in Russian and English, the words)."""
_NAMED: Final = {"robot": ("робот", "robot"), "trigger": ("триггер", "trigger")}


def automation_differences(before: Pipeline | None, after: Pipeline) -> Iterator[Change]:
    """All changes of robots, triggers and templates from one text to the next; of a new pipeline (None) all that there are."""
    stages = before.stages if before is not None else ()
    yield from _parts(
        "robot",
        {robot.id: (stage, robot) for stage in stages for robot in stage.robots},
        {robot.id: (stage, robot) for stage in after.stages for robot in stage.robots},
        before or after,
        after,
    )
    yield from _parts(
        "trigger",
        {trigger.id: (stage, trigger) for stage in stages for trigger in stage.triggers},
        {trigger.id: (stage, trigger) for stage in after.stages for trigger in stage.triggers},
        before or after,
        after,
    )
    yield from _templates(before.templates if before is not None else (), after.templates)


def _parts(
    what: str,
    then: Mapping[str, tuple[Stage, Part]],
    now: Mapping[str, tuple[Stage, Part]],
    before: Pipeline,
    after: Pipeline,
) -> Iterator[Change]:
    named_ru, named_en = _NAMED[what]
    for name, (stage, part) in now.items():
        ru, en = _of(stage, named_ru, named_en, part.titles)
        at = f"{stage.id}/{name}"
        if name not in then:
            told = _in_words(part, after)
            yield Change(
                f"{what}_added",
                at,
                f"{ru}: добавлен — " + "; ".join(said.ru for *_, said in told if said != ALWAYS),
                f"{en}: added: " + "; ".join(said.en for *_, said in told if said != ALWAYS),
            )
            continue
        left, was = then[name]
        if left.id != stage.id:
            yield Change(
                f"{what}_moved",
                at,
                f"{ru}: раньше был на стадии «{left.titles.ru}»",
                f"{en}: it was of the stage “{left.titles.en}”",
            )
        if was != part:
            yield from _changed(what, at, ru, en, was, part, before, after)
    for name, (stage, part) in then.items():
        if name not in now:
            ru, en = _of(stage, named_ru, named_en, part.titles)
            yield Change(f"{what}_removed", f"{stage.id}/{name}", f"{ru}: убран", f"{en}: removed")
    yield from _reordered(what, then, now, after)


def _changed(
    what: str, at: str, ru: str, en: str, was: Part, part: Part, before: Pipeline, after: Pipeline
) -> Iterator[Change]:
    told = False
    if was.titles != part.titles:
        told = True
        yield Change(
            f"{what}_renamed",
            at,
            f"{ru}: раньше назывался «{was.titles.ru}»"
            + (f" ({was.titles.en})" if was.titles.ru == part.titles.ru else ""),
            f"{en}: it was called “{was.titles.en}”"
            + (f" ({was.titles.ru})" if was.titles.en == part.titles.en else ""),
        )
    for (word, said_ru, said_en, then), (*_, now) in zip(_in_words(was, before), _in_words(part, after), strict=True):
        if then != now:
            told = True
            yield Change(
                f"{what}_{word}",
                at,
                f"{ru}: {said_ru}: было — {then.ru}; стало — {now.ru}",
                f"{en}: {said_en}: it was {then.en}; it is {now.en}",
            )
    if not told:  # a difference that the words leave out, for example the end of a long text
        yield Change(f"{what}_changed", at, f"{ru}: изменён", f"{en}: changed")


def _in_words(part: Robot | Trigger, pipeline: Pipeline) -> Said:
    if isinstance(part, Robot):
        robot = robot_words(part, pipeline)
        more = Words(
            ru="; ".join(said.ru for said in robot.more) or "—", en="; ".join(said.en for said in robot.more) or "—"
        )
        return (
            ("start", "когда", "when", robot.start),
            ("when", "если", "if", robot.when or ALWAYS),
            ("action", "что делает", "what it does", robot.action),
            ("policy", "остальное", "the rest", more if robot.more else ALWAYS),
        )
    trigger = trigger_words(part, pipeline)
    return (
        ("on", "когда", "when", trigger.on),
        ("when", "если", "if", trigger.when or ALWAYS),
        ("from_stages", "откуда", "out of", trigger.out_of),
    )


def _reordered(
    what: str,
    then: Mapping[str, tuple[Stage, Part]],
    now: Mapping[str, tuple[Stage, Part]],
    after: Pipeline,
) -> Iterator[Change]:
    """Another order within a stage: triggers that one event answers are asked in it."""
    for stage in after.stages:
        was = [name for name, (left, _) in then.items() if left.id == stage.id]
        order = [name for name, (here, _) in now.items() if here.id == stage.id]
        both = set(was) & set(order)
        if [name for name in was if name in both] != [name for name in order if name in both]:
            ru, en = ("роботов", "robots") if what == "robot" else ("триггеров", "triggers")
            yield Change(
                f"{what}s_reordered",
                stage.id,
                f"Стадия «{stage.titles.ru}»: другой порядок {ru}: "
                + ", ".join(f"«{now[name][1].titles.ru}»" for name in order),
                f"Stage “{stage.titles.en}”: another order of {en}: "
                + ", ".join(f"“{now[name][1].titles.en}”" for name in order),
            )


def _of(stage: Stage, named_ru: str, named_en: str, titles: Titles) -> tuple[str, str]:
    return (
        f"Стадия «{stage.titles.ru}», {named_ru} «{titles.ru}»",
        f"Stage “{stage.titles.en}”, {named_en} “{titles.en}”",
    )


def _templates(before: Sequence[Template], after: Sequence[Template]) -> Iterator[Change]:
    then, now = {one.id: one for one in before}, {one.id: one for one in after}
    for name, template in now.items():
        ru, en = f"Шаблон «{template.titles.ru}»", f"Template “{template.titles.en}”"
        was = then.get(name)
        if was is None:
            yield Change("template_added", name, f"{ru}: добавлен", f"{en}: added")
        elif was != template:
            parts = list(_of_template(was, template))
            yield Change(
                "template_changed",
                name,
                f"{ru}: изменено — {', '.join(part for part, _ in parts)}",
                f"{en}: changed: {', '.join(part for _, part in parts)}",
            )
    for name, template in then.items():
        if name not in now:
            yield Change(
                "template_removed",
                name,
                f"Шаблон «{template.titles.ru}»: убран",
                f"Template “{template.titles.en}”: removed",
            )
    if [name for name in then if name in now] != [name for name in now if name in then]:
        yield Change(
            "templates_reordered",
            "templates",
            "Другой порядок шаблонов: " + ", ".join(f"«{one.titles.ru}»" for one in after),
            "Another order of templates: " + ", ".join(f"“{one.titles.en}”" for one in after),
        )


def _of_template(was: Template, now: Template) -> Iterator[tuple[str, str]]:
    if was.titles != now.titles:
        yield f"название (было «{was.titles.ru}»)", f"its title (it was “{was.titles.en}”)"
    if was.kind != now.kind:
        yield "вид", "its kind"
    if was.marketing != now.marketing:
        yield "рекламный ли он", "whether it advertises"
    if was.ru != now.ru:
        yield "текст по-русски", "its Russian text"
    if was.en != now.en:
        yield "текст по-английски", "its English text"

"""What a new text changes in robots, triggers, named periods and templates, in words (M3, N26, R1-R5). Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from contracts.pipeline import Deadline, Model, Pipeline, Robot, Stage, Template, Term, Titles, Trigger, Words
from services.pipelines.change import HIM, Change, how_changed, renamed, reordered
from services.pipelines.deadline_words import assignment_words, deadline_words, in_a_line
from services.pipelines.robot_words import period_words, robot_words, trigger_words

_ON_LEAVE: Final = {
    "cancel": Titles(ru="отменяется", en="it is cancelled"),
    "keep": Titles(ru="остаётся", en="it stays"),
    "run_now": Titles(ru="срабатывает сразу", en="it runs at once"),
}
_DID_NOT_RUN: Final = {
    "skip": Titles(ru="пропускается", en="it is skipped"),
    "run": Titles(ru="срабатывает всё равно", en="it runs all the same"),
}
_ONCE: Final = {
    "visit": Titles(ru="раз за пребывание на стадии", en="once in each stay in the stage"),
    "person": Titles(ru="раз для человека", en="once for a person"),
}
_YES_NO: Final = {True: Titles(ru="да", en="yes"), False: Titles(ru="нет", en="no")}
_LANGUAGES: Final = {"ru": Titles(ru="русский", en="Russian"), "en": Titles(ru="английский", en="English")}
Shown = Callable[[Any, Pipeline], Titles | Words]
"""How an attribute of a part is told; the pipeline is the one the part stands in."""


NONE: Final = Titles(ru="нет", en="none")


def _condition(part: Robot | Trigger, pipeline: Pipeline) -> Titles | Words:
    told = robot_words(part, pipeline) if isinstance(part, Robot) else trigger_words(part, pipeline)
    return told.when or NONE


def _reason(trigger: Trigger, pipeline: Pipeline) -> Titles:
    for stage in pipeline.stages:
        if trigger in stage.triggers and (reason := stage.reason(trigger.reason)) is not None:
            return reason.titles
    return NONE


_OF_ROBOT: Final[dict[str, tuple[str, str, Shown]]] = {
    "do": ("что делает", "what it does", lambda robot, at: robot_words(robot, at).action),
    "start": ("когда запускается", "when it starts", lambda robot, at: robot_words(robot, at).start),
    "when": ("условие", "its condition", _condition),
    "on_leave": ("если лид ушёл со стадии", "when the lead left the stage", lambda robot, _: _ON_LEAVE[robot.on_leave]),
    "retime": ("ждёт новой даты, если её изменили", "a changed date changes its time", lambda r, _: _YES_NO[r.retime]),
    "when_predecessor_did_not_run": (
        "если предыдущий не сработал",
        "when the one before did not run",
        lambda robot, _: _DID_NOT_RUN[robot.when_predecessor_did_not_run],
    ),
    "once": ("сколько раз", "how often", lambda robot, _: _ONCE[robot.once]),
}
_OF_TRIGGER: Final[dict[str, tuple[str, str, Shown]]] = {
    "on": ("чего ждёт", "what it waits for", lambda trigger, at: trigger_words(trigger, at).on),
    "type": ("чего ждёт", "what it waits for", lambda trigger, at: trigger_words(trigger, at).on),
    "from_stages": ("из каких стадий", "out of which stages", lambda trigger, at: trigger_words(trigger, at).out_of),
    "when": ("условие", "its condition", _condition),
    "reason": ("причина", "the reason", _reason),
}


_OF_DEADLINE: Final[dict[str, tuple[str, str, Shown]]] = {
    "start": ("с чего начинается", "what it begins with", lambda part, at: deadline_words(part, at).start),
    "within": ("сколько времени", "how long there is", lambda part, at: _joined(deadline_words(part, at).within)),
    "when": ("для каких лидов", "for which leads", lambda part, at: deadline_words(part, at).when or NONE),
    "done": ("что считается выполненным", "what counts as done", lambda p, at: _joined(deadline_words(p, at).done)),
    "results": ("результаты", "its results", lambda part, at: _joined(deadline_words(part, at).done)),
    "incident": ("что при пропуске", "what a miss is", lambda part, at: deadline_words(part, at).missed),
    "again": ("что при пропуске", "what a miss is", lambda part, at: deadline_words(part, at).missed),
    "repeat": ("что при пропуске", "what a miss is", lambda part, at: deadline_words(part, at).missed),
    "warn": ("напоминание", "its reminder", lambda part, at: _joined(deadline_words(part, at).more)),
    "task": ("задача", "its task", lambda part, at: _joined(deadline_words(part, at).more)),
    "kind": ("задача", "its task", lambda part, at: _joined(deadline_words(part, at).more)),
    "rests_on": (
        "от каких роботов зависит",
        "which robots it rests on",
        lambda p, at: _joined(deadline_words(p, at).more),
    ),
}


def _joined(lines: Sequence[Words]) -> Words | Titles:
    if not lines:
        return NONE
    return Words(ru="; ".join(line.ru for line in lines)[:1_000], en="; ".join(line.en for line in lines)[:1_000])


def assignments(then: Pipeline, now: Pipeline) -> Iterator[Change]:
    """C4: what changes in who becomes responsible by itself."""
    if then.assignment == now.assignment:
        return
    old, new = _assignment(then), _assignment(now)
    yield Change(
        "assignment",
        "assignment",
        f"Распределение лидов: было: {old.ru}; стало: {new.ru}",
        f"Assignment of leads: it was: {old.en}; it is: {new.en}",
    )


def _assignment(pipeline: Pipeline) -> Words | Titles:
    if pipeline.assignment is None:
        return Titles(ru="по очереди, команда по умолчанию", en="in turn, the default team")
    return _joined(assignment_words(pipeline.assignment, pipeline))


def robots_and_triggers(before: Stage | None, after: Stage, then: Pipeline | None, now: Pipeline) -> Iterator[Change]:
    """What changes in the robots and triggers of a stage. `before`: None for a new stage; `then`: the text it stood in."""
    ru, en = f"Стадия «{after.titles.ru}»", f"Stage “{after.titles.en}”"
    yield from _parts(
        "robot", ("робот", "robot"), (ru, en), _robots(before), after.robots, after.id, then, now, _OF_ROBOT
    )
    triggers = before.triggers if before is not None else ()
    yield from _parts(
        "trigger", ("триггер", "trigger"), (ru, en), triggers, after.triggers, after.id, then, now, _OF_TRIGGER
    )
    deadlines = before.deadlines if before is not None else ()
    yield from _parts(
        "deadline", ("срок", "deadline"), (ru, en), deadlines, after.deadlines, after.id, then, now, _OF_DEADLINE
    )


def _robots(stage: Stage | None) -> Sequence[Robot]:
    return stage.robots if stage is not None else ()


def _parts(
    what: str,
    noun: tuple[str, str],
    of: tuple[str, str],
    before: Sequence[Any],
    after: Sequence[Any],
    stage: str,
    then: Pipeline | None,
    now: Pipeline,
    attributes: dict[str, tuple[str, str, Shown]],
) -> Iterator[Change]:
    had, has = {part.id: part for part in before}, {part.id: part for part in after}
    for part in (*after, *(gone for gone in before if gone.id not in has)):
        how, at = how_changed(had.get(part.id), has.get(part.id)), f"{stage}/{part.id}"
        ru, en = f"{of[0]}: {noun[0]} «{part.titles.ru}»", f"{of[1]}: {noun[1]} “{part.titles.en}”"
        if how == "added":
            told = _whole(part, now)
            yield Change(f"{what}_added", at, f"{ru} {HIM[how]}: {told[0]}", f"{en} added: {told[1]}")
        elif how == "removed":
            yield Change(f"{what}_removed", at, f"{ru} {HIM[how]}", f"{en} removed")
        elif how == "changed" and then is not None:
            was = had[part.id]
            yield from renamed(what, at, f"{of[0]}: {noun[0]}", f"{of[1]}: {noun[1]}", was.titles, part.titles)
            yield from _attributes(what, at, (ru, en), was, part, then, now, attributes)
    yield from reordered(what, stage, *of, list(had), list(has), f"({noun[0]})", f"({noun[1]})")


def _whole(part: Robot | Trigger | Deadline, pipeline: Pipeline) -> tuple[str, str]:
    if isinstance(part, Deadline):
        line = in_a_line(part, pipeline)
        return line.ru, line.en
    if isinstance(part, Robot):
        told = robot_words(part, pipeline)
        return f"{told.start.ru} — {told.action.ru}", f"{told.start.en}: {told.action.en}"
    on = trigger_words(part, pipeline).on
    return on.ru, on.en


def _attributes(
    what: str,
    at: str,
    of: tuple[str, str],
    was: Model,
    now_is: Model,
    then: Pipeline,
    now: Pipeline,
    attributes: dict[str, tuple[str, str, Shown]],
) -> Iterator[Change]:
    for name, (ru, en, shown) in attributes.items():
        if getattr(was, name) == getattr(now_is, name):
            continue
        old, new = shown(was, then), shown(now_is, now)
        if old == new:  # what changed is not in the words: a text in the other language, a detail
            more_ru, more_en = "", ""
        else:
            more_ru, more_en = f"; было: {old.ru}; стало: {new.ru}", f"; it was: {old.en}; it is: {new.en}"
        yield Change(f"{what}_{name}", at, f"{of[0]}: изменено — {ru}{more_ru}", f"{of[1]}: changed: {en}{more_en}")


def terms(before: Sequence[Term], after: Sequence[Term]) -> Iterator[Change]:
    """What changes in the named periods."""
    had, has = {term.id: term for term in before}, {term.id: term for term in after}
    for term in (*after, *(gone for gone in before if gone.id not in has)):
        how, words = how_changed(had.get(term.id), has.get(term.id)), period_words(term.period)
        ru, en = f"Срок «{term.titles.ru}»", f"Term “{term.titles.en}”"
        if how in ("added", "removed"):
            yield Change(f"term_{how}", term.id, f"{ru} {HIM[how]}: {words.ru}", f"{en} {how}: {words.en}")
        elif how == "changed":
            was = had[term.id]
            yield from renamed("term", term.id, "Срок", "Term", was.titles, term.titles)
            if was.period != term.period:
                old = period_words(was.period)
                yield Change(
                    "term_period",
                    term.id,
                    f"{ru}: было {old.ru}, стало {words.ru}",
                    f"{en}: it was {old.en} and is {words.en}",
                )
    yield from reordered("term", "terms", "Сроки", "Terms", list(had), list(has), "", "")


def templates(before: Sequence[Template], after: Sequence[Template]) -> Iterator[Change]:
    """What changes in the templates."""
    had, has = {template.id: template for template in before}, {template.id: template for template in after}
    for template in (*after, *(gone for gone in before if gone.id not in has)):
        how = how_changed(had.get(template.id), has.get(template.id))
        ru, en = f"Шаблон «{template.titles.ru}»", f"Template “{template.titles.en}”"
        if how in ("added", "removed"):
            yield Change(f"template_{how}", template.id, f"{ru} {HIM[how]}", f"{en} {how}")
        elif how == "changed":
            was = had[template.id]
            yield from renamed("template", template.id, "Шаблон", "Template", was.titles, template.titles)
            yield from _texts(was, template, ru, en)
    yield from reordered("template", "templates", "Шаблоны", "Templates", list(had), list(has), "", "")


def _texts(was: Template, now: Template, ru: str, en: str) -> Iterator[Change]:
    for name, said_ru, said_en in (
        ("kind", "письмо или SMS", "whether it is a letter or a text message"),
        ("marketing", "реклама ли это", "whether it advertises"),
    ):
        if getattr(was, name) != getattr(now, name):
            yield Change(f"template_{name}", now.id, f"{ru}: изменено — {said_ru}", f"{en}: changed: {said_en}")
    for language, title in _LANGUAGES.items():
        old, new = getattr(was, language), getattr(now, language)
        for part, part_ru, part_en in (
            ("subject", "тема", "subject"),
            ("text", "текст", "text"),
            ("html", "HTML", "HTML"),
        ):
            if getattr(old, part) != getattr(new, part):
                yield Change(
                    f"template_{part}",
                    f"{now.id}/{language}",
                    f"{ru}: изменено — {part_ru} ({title.ru})",
                    f"{en}: changed: the {part_en} ({title.en})",
                )

"""What a new text changes in robots, triggers, named periods and templates, in words (M3, N26, R1-R5). Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from contracts.pipeline import Model, Pipeline, Robot, Stage, Template, Term, Titles, Trigger
from services.pipelines.automation_words import does, period_words, starts, waits_for
from services.pipelines.change import HIM, Change, how_changed, renamed, reordered

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
Shown = Callable[[Any, Pipeline], Titles]
"""How an attribute of a part is told; the pipeline is the one the part stands in."""


def _plain(text: str | None) -> Titles:
    return Titles.model_construct(ru=text or "нет", en=text or "none")


_OF_ROBOT: Final[dict[str, tuple[str, str, Shown]]] = {
    "do": ("что делает", "what it does", does),
    "start": ("когда запускается", "when it starts", starts),
    "when": ("условие", "its condition", lambda robot, _: _plain(robot.when)),
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
    "on": ("чего ждёт", "what it waits for", lambda trigger, _: waits_for(trigger)),
    "type": ("чего ждёт", "what it waits for", lambda trigger, _: waits_for(trigger)),
    "from_stages": ("с каких стадий", "out of which stages", lambda trigger, at: _stages(trigger, at)),
    "when": ("условие", "its condition", lambda trigger, _: _plain(trigger.when)),
    "reason": ("причина", "the reason", lambda trigger, _: _plain(trigger.reason)),
}


def _stages(trigger: Trigger, pipeline: Pipeline) -> Titles:
    if not trigger.from_stages:
        return Titles(ru="с любой открытой до неё", en="any open one before it")
    titles = [pipeline.by_id[name].titles for name in trigger.from_stages]
    return Titles.model_construct(ru=", ".join(t.ru for t in titles), en=", ".join(t.en for t in titles))


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
            yield Change(f"{what}_added", at, f"{ru} {HIM[how]}: {told.ru}", f"{en} added: {told.en}")
        elif how == "removed":
            yield Change(f"{what}_removed", at, f"{ru} {HIM[how]}", f"{en} removed")
        elif how == "changed" and then is not None:
            was = had[part.id]
            yield from renamed(what, at, f"{of[0]}: {noun[0]}", f"{of[1]}: {noun[1]}", was.titles, part.titles)
            yield from _attributes(what, at, (ru, en), was, part, then, now, attributes)
    yield from reordered(what, stage, *of, list(had), list(has), f"({noun[0]})", f"({noun[1]})")


def _whole(part: Robot | Trigger, pipeline: Pipeline) -> Titles:
    if isinstance(part, Robot):
        what, when = does(part, pipeline), starts(part, pipeline)
        return Titles.model_construct(ru=f"{what.ru}, {when.ru}", en=f"{what.en}, {when.en}")
    return waits_for(part)


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
            more_ru, more_en = f": было «{old.ru}», стало «{new.ru}»", f": it was “{old.en}” and is “{new.en}”"
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
                    f"{ru}: было «{old.ru}», стало «{words.ru}»",
                    f"{en}: it was “{old.en}” and is “{words.en}”",
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

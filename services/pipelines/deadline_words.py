"""Deadlines and assignment of a pipeline as people read them: by when, what counts as done, what a miss is (Q1-Q7, C4, U).

Pure. Invariants: everything a deadline's text says is said here, in Russian and English; ids are called by their titles, and by
themselves where the pipeline has none for them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from contracts.pipeline import (
    Assignment,
    ContactCriterion,
    Criterion,
    Deadline,
    DeadlineResult,
    FactCriterion,
    FieldCriterion,
    MoveTo,
    Pipeline,
    Titles,
    Within,
    Words,
)
from services.pipelines.condition_words import condition_words
from services.pipelines.robot_words import period_words, robot_titles

_KINDS: Final = {
    "call": ("звонок", "a call"),
    "meeting": ("встреча", "a meeting"),
    "letter": ("письмо", "a letter"),
    "task": ("задача", "a task"),
}
_CONTACT: Final = {
    "name": ("имя клиента", "the client's name"),
    "company": ("компания", "the company"),
    "phone": ("телефон", "the phone"),
    "email": ("e-mail", "the e-mail"),
    "reachable": ("телефон или e-mail", "a phone or an e-mail"),
}


@dataclass(frozen=True, slots=True)
class DeadlineWords:
    """A deadline: what it begins with, how long there is and for whom, for which leads (None: all), what counts as done, what
    becomes of a miss, and what else its text says."""

    id: str
    titles: Titles
    start: Words
    within: tuple[Words, ...]
    when: Words | None
    done: tuple[Words, ...]
    missed: Words
    more: tuple[Words, ...] = ()


def deadline_words(deadline: Deadline, pipeline: Pipeline) -> DeadlineWords:
    """A deadline of the pipeline."""
    return DeadlineWords(
        deadline.id,
        deadline.titles,
        _start(deadline, pipeline),
        tuple(within_words(within, pipeline) for within in deadline.within),
        condition_words(deadline.when, pipeline) if deadline.when is not None else None,
        tuple(_done(deadline, pipeline)),
        _missed(deadline),
        tuple(_more(deadline, pipeline)),
    )


def in_a_line(deadline: Deadline, pipeline: Pipeline) -> Words:
    """A deadline in one line: by when, and what counts as done."""
    told = deadline_words(deadline, pipeline)
    return Words(
        ru=f"{'; '.join(w.ru for w in told.within)} {told.start.ru} — {'; '.join(w.ru for w in told.done)}"[:1_000],
        en=f"{'; '.join(w.en for w in told.within)} {told.start.en}: {'; '.join(w.en for w in told.done)}"[:1_000],
    )


def within_words(within: Within, pipeline: Pipeline) -> Words:
    """One of a deadline's terms: «4 рабочих часа, если есть телефон»."""
    period = period_words(within.period)
    if within.titles is not None:
        return Words(ru=f"{period.ru} ({within.titles.ru})", en=f"{period.en} ({within.titles.en})")
    if within.when is None:
        return period
    when = condition_words(within.when, pipeline)
    return Words(ru=f"{period.ru}, если {when.ru}"[:1_000], en=f"{period.en} if {when.en}"[:1_000])


def _start(deadline: Deadline, pipeline: Pipeline) -> Words:
    start = deadline.start
    if start is None:
        return Words(ru="после входа в стадию", en="after the stage is entered")
    if start.fact is not None:
        fact = pipeline.facts_by_id.get(start.fact)
        titles = fact.titles if fact is not None else Titles(ru=start.fact, en=start.fact)
        return Words(ru=f"после записи «{titles.ru}»", en=f"after “{titles.en}” is recorded")
    if start.robot is not None:
        titles = robot_titles(start.robot, pipeline)
        return Words(ru=f"после робота «{titles.ru}»", en=f"after the robot “{titles.en}”")
    field = _field(start.date or "", pipeline)
    return Words(ru=f"с утра даты «{field.ru}»", en=f"from the morning of the date “{field.en}”")


def _done(deadline: Deadline, pipeline: Pipeline) -> Iterable[Words]:
    if deadline.done:
        named = [criterion_words(criterion, pipeline) for criterion in deadline.done]
        yield Words(
            ru=f"есть: {'; '.join(n.ru for n in named)}"[:1_000],
            en=f"there is: {'; '.join(n.en for n in named)}"[:1_000],
        )
    for result in deadline.results:
        yield result_words(result, pipeline)
    if not deadline.done and not deadline.results:
        yield Words(ru="задача отмечена выполненной", en="its task is ticked off")


def criterion_words(criterion: Criterion, pipeline: Pipeline) -> Words:
    """What counts as done, in words."""
    titles: Titles | None = criterion.titles
    if titles is None:
        match criterion:
            case FactCriterion():
                fact = pipeline.facts_by_id.get(criterion.fact)
                titles = fact.titles if fact is not None else Titles(ru=criterion.fact, en=criterion.fact)
            case FieldCriterion():
                titles = _field(criterion.field, pipeline)
            case ContactCriterion():
                ru, en = _CONTACT[criterion.contact]
                titles = Titles(ru=ru, en=en)
    return Words(ru=titles.ru, en=titles.en)


def result_words(result: DeadlineResult, pipeline: Pipeline) -> Words:
    """A result of a deadline: when it stands, what it needs, where it takes the lead."""
    when = condition_words(result.when, pipeline)
    ru, en = f"«{result.titles.ru}», если {when.ru}", f"“{result.titles.en}” if {when.en}"
    needs = [_field(asked.field, pipeline) for asked in result.needs]
    named_ru = [f"«{titles.ru}»" for titles in needs] + (["обязательные поля стадии"] if result.mandatory else [])
    named_en = [f"“{titles.en}”" for titles in needs] + (["the stage's mandatory fields"] if result.mandatory else [])
    if named_ru:
        ru, en = f"{ru}, и заполнены {', '.join(named_ru)}", f"{en}, and filled are {', '.join(named_en)}"
    if result.then is not None:
        to = result.then.move if isinstance(result.then, MoveTo) else result.then.reject
        stage = pipeline.by_id.get(to)
        titles = stage.titles if stage is not None else Titles(ru=to, en=to)
        ru, en = f"{ru}: система переводит в «{titles.ru}»", f"{en}: the system takes the lead to “{titles.en}”"
    return Words(ru=ru[:1_000], en=en[:1_000])


def _missed(deadline: Deadline) -> Words:
    ru = "инцидент ответственного" if deadline.incident else "видно как просроченное"
    en = "an incident of the responsible" if deadline.incident else "shown as overdue"
    if not deadline.again:
        return Words(ru=ru, en=en)
    if deadline.repeat is None:
        return Words(ru=f"{ru}, и срок начинается снова", en=f"{en}, and the term begins again")
    repeat = period_words(deadline.repeat)
    return Words(ru=f"{ru}, и снова через каждые {repeat.ru}", en=f"{en}, and again after every {repeat.en}")


def _more(deadline: Deadline, pipeline: Pipeline) -> Iterable[Words]:
    if deadline.task is not None:
        ru, en = _KINDS[deadline.kind]
        yield Words(ru=f"{ru}: {deadline.task.ru}"[:1_000], en=f"{en}: {deadline.task.en}"[:1_000])
    if deadline.warn is not None:
        warn = period_words(deadline.warn)
        yield Words(ru=f"напоминание за {warn.ru} до конца", en=f"a reminder {warn.en} before the end")
    if deadline.rests_on:
        named = [robot_titles(robot, pipeline) for robot in deadline.rests_on]
        yield Words(
            ru=f"не вина ответственного, если не сработал робот: {', '.join(f'«{t.ru}»' for t in named)}"[:1_000],
            en=f"not the responsible's, where a robot failed: {', '.join(f'“{t.en}”' for t in named)}"[:1_000],
        )


def assignment_words(assignment: Assignment, pipeline: Pipeline) -> tuple[Words, ...]:
    """C4: who becomes responsible by itself, line by line."""
    found = [
        Words(ru=f"команда {assignment.team}: по очереди", en=f"team {assignment.team}: in turn")
        if assignment.by == "in_turn"
        else Words(
            ru=f"команда {assignment.team}: у кого меньше открытых лидов",
            en=f"team {assignment.team}: whoever has the fewest open leads",
        )
    ]
    if assignment.sticky:
        found.append(
            Words(
                ru="лид известного клиента — прежнему ответственному",
                en="a known client's lead goes to whoever had the last one",
            )
        )
    if assignment.in_hours:
        found.append(
            Words(ru="только тем, у кого сейчас рабочее время", en="only to those whose working time it is now")
        )
    for rule in assignment.rules:
        when = condition_words(rule.when, pipeline) if rule.when is not None else None
        who = [*rule.people, *rule.skills, *rule.languages, *rule.directions, *([rule.team] if rule.team else [])]
        found.append(
            Words(
                ru=f"«{rule.titles.ru}»{f', если {when.ru}' if when else ''}: {', '.join(who) or 'вся команда'}"[
                    :1_000
                ],
                en=f"“{rule.titles.en}”{f' if {when.en}' if when else ''}: {', '.join(who) or 'all of the team'}"[
                    :1_000
                ],
            )
        )
    if assignment.idle is not None:
        period = period_words(assignment.idle.within)
        names = assignment.idle.stages or (pipeline.first.id,)
        stages = [pipeline.by_id[name].titles if name in pipeline.by_id else Titles(ru=name, en=name) for name in names]
        found.append(
            Words(
                ru=f"другому, если к лиду не прикасались {period.ru}: {', '.join(f'«{t.ru}»' for t in stages)}",
                en=f"to somebody else, untouched for {period.en}: {', '.join(f'“{t.en}”' for t in stages)}",
            )
        )
    if assignment.missed_running is not None:
        found.append(
            Words(
                ru=f"другому после пропуска срока подряд: {assignment.missed_running}",
                en=f"to somebody else after deadlines missed in a row: {assignment.missed_running}",
            )
        )
    pool = period_words(assignment.pool_within)
    found.append(
        Words(
            ru=f"без ответственного не дольше {pool.ru}, потом инцидент",
            en=f"without a responsible for no longer than {pool.en}, then an incident",
        )
    )
    return tuple(found)


def _field(field: str, pipeline: Pipeline) -> Titles:
    found = pipeline.fields_by_id.get(field)
    return found.titles if found is not None else Titles(ru=field, en=field)

"""Deadlines: terms against their own point, deadlines that nothing can meet, results that the rules refuse (Q3, Q4, Q7).
Pure.

What is told is what holds of every lead: a deadline that only some leads cannot meet is no finding.
"""

from __future__ import annotations

from collections.abc import Iterator

from contracts.pipeline import Deadline, DeadlineResult, FactCriterion, FieldCriterion, MoveTo, Period, RejectAs, Stage
from services.pipelines.conditions import holds
from services.pipelines.linting.case import Case
from services.pipelines.linting.criteria import never_of
from services.pipelines.linting.finding import Found, Path, Said
from services.pipelines.linting.robots import about
from services.pipelines.robot_words import period_words

PHONE = {"phone": "+79001234567"}
EMAIL = {"email": "client@example.org"}
"""What is known of two leads: of one a phone, of the other an e-mail alone."""


def mail_not_longer(case: Case) -> Iterator[Found]:
    """Q3: whoever can only be written to has no more time than whoever can be called."""
    for path, stage, deadline in _deadlines(case):
        phone, email = _term(deadline, PHONE), _term(deadline, EMAIL)
        if phone == email or about(deadline.within[email].period) > about(deadline.within[phone].period):
            continue
        told = period_words(deadline.within[email].period), period_words(deadline.within[phone].period)
        yield Found(
            (*path, "within", email),
            Said(
                f"срок «{deadline.titles.ru}»: только e-mail — {told[0].ru}, телефон — {told[1].ru}; письмом дольше",
                f"deadline “{deadline.titles.en}”: e-mail alone has {told[0].en}, a phone {told[1].en}; letters take longer",
            ),
            (stage.id,),
        )


def _term(deadline: Deadline, lead: dict[str, str]) -> int:
    """Which of its terms a lead has of whom only this is known."""
    values = {"card": {}, "lead": lead, "facts": {}}
    return next(n for n, within in enumerate(deadline.within) if within.when is None or holds(within.when, values))


def beyond_limit(case: Case) -> Iterator[Found]:
    """A deadline that ends when the stage's time limit is over already."""
    for path, stage, deadline in _deadlines(case):
        if stage.limit is None or (deadline.start is not None and deadline.start.date is not None):
            continue
        for n, within in enumerate(deadline.within):
            if about(within.period) > about(stage.limit.after):
                ours, limit = period_words(within.period), period_words(stage.limit.after)
                yield Found(
                    (*path, "within", n),
                    Said(
                        f"срок «{deadline.titles.ru}» — {ours.ru}, а срок всей стадии «{stage.titles.ru}» — {limit.ru}",
                        f"the deadline “{deadline.titles.en}” is {ours.en}, the limit of “{stage.titles.en}” {limit.en}",
                    ),
                    (stage.id,),
                )


def never_met(case: Case) -> Iterator[Found]:
    """A deadline that no lead can ever meet: each turn of it would be a miss."""
    for path, stage, deadline in _deadlines(case):
        for n, criterion in enumerate(deadline.done):
            why = never_of(case, criterion) if isinstance(criterion, FactCriterion) else None
            if why is not None:
                said = Said(f"срок «{deadline.titles.ru}»: {why.ru}", f"deadline “{deadline.titles.en}”: {why.en}")
                yield Found((*path, "done", n), said, (stage.id,))
        if deadline.results and all(case.conditions.get(result.when) is False for result in deadline.results):
            yield Found(
                (*path, "results"),
                Said(
                    f"срок «{deadline.titles.ru}»: ни один результат невозможен, каждый круг будет пропуском",
                    f"deadline “{deadline.titles.en}”: none of its results can stand: each turn would be a miss",
                ),
                (stage.id,),
            )


def result_not_allowed(case: Case) -> Iterator[Found]:
    """A result that takes the lead where the pipeline's own moves never let it go."""
    for path, stage, _, result in _results(case):
        to = target_of(result)
        if to is None or stage.kind not in ("open", "won") or to in case.ways.possible[stage.id]:
            continue
        target = case.pipeline.by_id[to].titles
        yield Found(
            (*path, "then"),
            Said(
                f"результат «{result.titles.ru}» переводит в «{target.ru}», а из «{stage.titles.ru}» туда перехода нет",
                f"the result “{result.titles.en}” takes leads to “{target.en}”, and “{stage.titles.en}” has no move there",
            ),
            (stage.id, to),
        )


def result_lacks(case: Case) -> Iterator[Found]:
    """A result that moves or rejects the lead without asking for what that needs."""
    for path, stage, _, result in _results(case):
        needed = {asked.field for asked in result.needs}
        if isinstance(result.then, RejectAs) and result.then.reason_field not in (None, *needed):
            field = case.pipeline.fields_by_id[result.then.reason_field or ""].titles
            yield Found(
                (*path, "needs"),
                Said(
                    f"результат «{result.titles.ru}» забраковывает с причиной из «{field.ru}», а заполнить её не требует",
                    f"the result “{result.titles.en}” rejects for the reason in “{field.en}” and does not ask for it",
                ),
                (stage.id,),
            )
        if isinstance(result.then, MoveTo) and not result.mandatory and _forward(case, stage, result.then.move):
            lacks = [
                case.pipeline.fields_by_id[criterion.field].titles
                for criterion in case.pipeline.exit_of[stage.id]
                if isinstance(criterion, FieldCriterion) and criterion.field not in needed
            ]
            if lacks:
                yield Found(
                    (*path, "then"),
                    Said(
                        f"результат «{result.titles.ru}» переводит дальше, а поля стадии заполнить не требует: "
                        f"{', '.join(t.ru for t in lacks)}",
                        f"the result “{result.titles.en}” moves leads on and does not ask for fields of the stage: "
                        f"{', '.join(t.en for t in lacks)}",
                    ),
                    (stage.id,),
                )


def _forward(case: Case, stage: Stage, to: str) -> bool:
    return any(way.forward and way.asked for way in case.ways.out[stage.id] if way.to == to)


def late_warning(case: Case) -> Iterator[Found]:
    """A reminder that would come before the deadline begins: it never comes."""
    for path, stage, deadline in _deadlines(case):
        if deadline.warn is None:
            continue
        periods: list[Period] = [within.period for within in deadline.within]
        periods += [deadline.repeat] if deadline.repeat is not None else []
        shortest = min(periods, key=about)
        if about(deadline.warn) >= about(shortest):
            warn, term = period_words(deadline.warn), period_words(shortest)
            yield Found(
                (*path, "warn"),
                Said(
                    f"срок «{deadline.titles.ru}»: напоминание за {warn.ru} до конца, а весь срок — {term.ru}",
                    f"deadline “{deadline.titles.en}”: a reminder {warn.en} before the end of a term of {term.en}",
                ),
                (stage.id,),
            )


def target_of(result: DeadlineResult) -> str | None:
    """Where a result takes the lead; None: it leaves it where it is."""
    match result.then:
        case MoveTo(move=to) | RejectAs(reject=to):
            return to
    return None


def _deadlines(case: Case) -> Iterator[tuple[Path, Stage, Deadline]]:
    for n, stage in enumerate(case.pipeline.stages):
        for m, deadline in enumerate(stage.deadlines):
            yield ("stages", n, "deadlines", m), stage, deadline


def _results(case: Case) -> Iterator[tuple[Path, Stage, Deadline, DeadlineResult]]:
    for path, stage, deadline in _deadlines(case):
        for n, result in enumerate(deadline.results):
            yield (*path, "results", n), stage, deadline, result

"""The scale as a whole: how many stages, in which order, which of them are one and the same (S5). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from services.pipelines.linting.case import Case
from services.pipelines.linting.finding import Found, Said
from services.pipelines.linting.titles import Reading
from services.pipelines.linting.ways import implied

FAR_BACK = 20
"""By how much the usual place of a stage must lie before that of an earlier one to say that the order is wrong."""


def stage_count(case: Case) -> Iterator[Found]:
    """More stages than a person takes in at a glance."""
    kinds = [stage.kind for stage in case.pipeline.stages]
    lost = kinds.count("lost")
    count = len(kinds) - lost + (lost > 0)
    if count > case.settings.stages:
        yield Found(
            ("stages",),
            Said(
                f"стадий {count} (открытые, выигранные и отложенные, все статусы забраковки вместе — одна); "
                f"удобно — до {case.settings.stages}",
                f"there are {count} stages (open, won and postponed, all reject statuses together as one); "
                f"up to {case.settings.stages} are easy to use",
            ),
        )


def order(case: Case) -> Iterator[Found]:
    """A stage that usually comes long before one that stands before it; an open stage after a won one."""
    won = None
    furthest: tuple[int, str, str] | None = None
    for n, stage in enumerate(case.pipeline.stages):
        if stage.kind == "won":
            won = won or stage
        if stage.kind != "open":
            continue
        if won is not None:
            yield Found(
                ("stages", n),
                Said(
                    f"«{stage.titles.ru}» открыта, а стоит после выигранной «{won.titles.ru}»",
                    f"“{stage.titles.en}” is open and stands after the won stage “{won.titles.en}”",
                ),
                (stage.id, won.id),
            )
        place = _usual_place(case, stage.id)
        if place is None:
            continue
        if furthest is not None and furthest[0] - place >= FAR_BACK:
            before = case.pipeline.by_id[furthest[1]].titles
            yield Found(
                ("stages", n),
                Said(
                    f"«{stage.titles.ru}» стоит после «{before.ru}», а бывает раньше неё",
                    f"“{stage.titles.en}” stands after “{before.en}”, and usually comes before it",
                ),
                (stage.id, furthest[1]),
            )
        elif furthest is None or place > furthest[0]:
            furthest = (place, stage.id, stage.titles.en)


def _usual_place(case: Case, stage: str) -> int | None:
    """Where such a stage usually stands, as far as both titles that say it agree."""
    places = {reading.rank for reading in case.readings[stage].values() if reading.rank is not None}
    return places.pop() if len(places) == 1 else None


def overlap_titles(case: Case) -> Iterator[Found]:
    """Two open stages whose titles mean the same."""
    for (_, one), (n, other) in combinations(case.open_stages, 2):
        languages = [
            language
            for language in ("ru", "en")
            if same_meaning(case.readings[one.id][language], case.readings[other.id][language])
        ]
        if languages:
            yield Found(
                ("stages", n, "titles", languages[0]),
                Said(
                    f"«{other.titles.ru}» и «{one.titles.ru}» значат одно и то же",
                    f"“{other.titles.en}” and “{one.titles.en}” mean the same",
                ),
                (other.id, one.id),
            )


def same_meaning(one: Reading, other: Reading) -> bool:
    """Whether two titles say the same: the same concepts, and the same words besides.

    What is being done and what was done with the same thing follow one another: «Подписание договора», «Договор подписан».
    """
    if not one.meaning or one.meaning != other.meaning or one.negated != other.negated:
        return False
    return {one.form, other.form} != {"done", "expected"}


def prepared_and_sent(case: Case) -> Iterator[Found]:
    """A stage where something is ready, and one where it is sent: between them lie minutes."""
    for (_, one), (n, other) in combinations(case.open_stages, 2):
        for language in ("ru", "en"):
            first, second = case.readings[one.id][language], case.readings[other.id][language]
            if not is_pair(first, second):
                continue
            yield Found(
                ("stages", n, "titles", language),
                Said(
                    f"«{one.titles.ru}» и «{other.titles.ru}» — одно и то же, сначала готово, потом отправлено: "
                    "между ними минуты",
                    f"“{one.titles.en}” and “{other.titles.en}” are one thing, ready and then sent: "
                    "minutes lie between them",
                ),
                (one.id, other.id),
            )
            break


def is_pair(first: Reading, second: Reading) -> bool:
    """Whether one says that a thing is ready and the other that the same thing is sent, so that one of them takes minutes.

    «Подготовка КП» takes days and after «КП отправлено» one waits for the answer: these two are no such pair.
    """
    if "prepare" not in first.deeds or "send" not in second.deeds or not first.things & second.things:
        return False
    return first.form == "done" or second.form in ("expected", "action")


def overlap_criteria(case: Case) -> Iterator[Found]:
    """An open stage whose exit criteria all hold already when a lead comes to it."""
    for n, stage in case.open_stages:
        forward = [way for way in case.ways.out[stage.id] if way.forward and not way.auto]
        settled = case.ways.settled[stage.id]
        if not forward or not all(way.asked and all(implied(c, settled) for c in way.asked) for way in forward):
            continue
        others = [
            other.id
            for _, other in case.open_stages
            if other.id != stage.id
            and any(implied(c, way.asked) for way in case.ways.out[other.id] for c in forward[0].asked)
        ]
        names = [case.pipeline.by_id[other].titles for other in others]
        yield Found(
            ("stages", n, "exit") if stage.exit else ("stages", n),
            Said(
                f"всё, что нужно для выхода из «{stage.titles.ru}», уже потребовано раньше "
                f"({', '.join(f'«{t.ru}»' for t in names)})",
                f"all that is needed to leave “{stage.titles.en}” was asked for before "
                f"({', '.join(f'“{t.en}”' for t in names)})",
            ),
            (stage.id, *others),
        )

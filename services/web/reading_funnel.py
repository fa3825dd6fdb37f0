"""What a funnel's question means, and its answer put together (spec I, M9, C5, M1).

Invariants: figures of one pipeline only, because each has its own conversion point; all numbers of an answer are of one moment; a
link given with a number lists exactly what that number counts, as long as nothing happened in between; a report is closed
once its period and the days of grace are over, and what became known later stands beside it, never instead of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from contracts.pipeline import Pipeline
from projections.funnel.behind import store as lists
from projections.funnel.behind.store import Which
from projections.funnel.late import store as late
from projections.funnel.numbers import store as numbers
from projections.funnel.numbers.asked import Asked, By, Step, View
from services.database import Database
from services.pipelines import registry
from services.web.door import place_in_list
from services.web.moments import moment
from services.web.problems import ProblemError
from services.web.shapes_funnel import (
    BehindList,
    BehindOut,
    Closing,
    FunnelOut,
    LateList,
    LateOut,
    Link,
    counts_of,
    differences_of,
    group_out,
)

LARGEST_GROUPS = 50
"""Groups shown by themselves, those with most leads received first; the rest is in the total only."""

_Groups = dict[str, tuple[dict[str, int], dict[str, numbers.StageNumbers]]]


@dataclass(frozen=True, slots=True)
class Question:
    """A funnel's question as it stands in an address. Texts are days or moments, empty where nothing is said."""

    view: View = "cohort"
    by: By | None = None
    start: str | None = None
    end: str | None = None
    as_of: str | None = None
    until: str | None = None
    responsible: str | None = None

    @property
    def address(self) -> dict[str, str]:
        """As the parameters of a link, those that are said."""
        said = {
            "from": self.start, "to": self.end, "as_of": self.as_of, "until": self.until, "responsible": self.responsible,
        }  # fmt: skip
        return {**{name: text for name, text in said.items() if text}, "view": self.view}


Linked = Callable[[str | None, Question], Link]
"""(group, question) -> the links of its numbers."""


async def asked_of(connection: Database, pipeline: Pipeline, number: int, question: Question, zone: ZoneInfo) -> Asked:
    """What is asked for. Raises ProblemError (422) for a period or moment that is none."""
    first, last = moment("from", question.start, zone), moment("to", question.end, zone, end_of_day=True)
    if first is not None and last is not None and first >= last:
        raise ProblemError(422, "period", "query.to: the period ends before it begins")
    return Asked(
        pipeline.pipeline,
        await steps_of(connection, pipeline, number),
        question.view,
        first,
        last,
        moment("as_of", question.as_of, zone, local=True),
        moment("until", question.until, zone, end_of_day=True, local=True),
        question.responsible or None,
    )


async def steps_of(connection: Database, pipeline: Pipeline, number: int) -> tuple[Step, ...]:
    """The stages of every version there has been; version 0, for visits that name none, is the one in force."""
    versions = {0: pipeline, number: pipeline}
    for earlier in range(1, number):
        versions[earlier] = await registry.version(connection, pipeline.pipeline, earlier)
    return tuple(
        Step(version, stage.id, of.place(stage.id), stage.id == of.conversion_point)
        for version, of in sorted(versions.items())
        for stage in of.stages
    )


async def funnel_of(
    connection: Database,
    pipeline: Pipeline,
    number: int,
    asked: Asked,
    question: Question,
    now: datetime,
    grace: timedelta,
    place: str,
) -> FunnelOut:
    """The whole funnel. `place`: the address of the lists behind the numbers, of the late events too."""
    by = question.by

    def linked(group: str | None, asking: Question) -> Link:
        def link(name: str, stage: str | None = None, **which: str) -> str:
            extra = {"number": name, **({"stage": stage} if stage is not None else {}), **which}
            if group is not None and by is not None:
                extra |= {"by": by, "group": group}
            return f"{place}/leads?{urlencode({**asking.address, **extra})}"

        return link

    async with connection.transaction(isolation="repeatable_read", readonly=True):  # all numbers are of one moment
        whole = (await _groups(connection, asked, None)).get("", ({}, {}))
        parts = await _groups(connection, asked, by) if by else {}
        closing = await _closing(connection, asked, question, now, grace, place, linked)
    largest = sorted(parts, key=lambda group: (-parts[group][0].get("received", 0), group))[:LARGEST_GROUPS]
    return FunnelOut(
        pipeline=pipeline.pipeline,
        pipeline_version=number,
        titles=pipeline.titles,
        view=asked.view,
        start=asked.start,
        end=asked.end,
        by=by,
        as_of=asked.known,
        until=asked.until,
        responsible=asked.responsible,
        deal_stage=pipeline.conversion_point,
        read_at=now,
        closing=closing,
        total=group_out(None, *whole, pipeline, linked(None, question)),
        groups=[group_out(group, *parts[group], pipeline, linked(group, question)) for group in largest],
    )


async def _groups(connection: Database, asked: Asked, by: By | None) -> _Groups:
    alike = await numbers.alike(connection, asked, by)
    totals = await numbers.totals(connection, asked, by, alike)
    stages: dict[str, dict[str, numbers.StageNumbers]] = {}
    for found in await numbers.stages(connection, asked, by, alike):
        stages.setdefault(found.group, {})[found.stage] = found
    return {group: (totals.get(group, {}), stages.get(group, {})) for group in totals.keys() | stages.keys()}


def closed_of(asked: Asked, now: datetime, grace: timedelta) -> Asked | None:
    """The report of the period as it was closed: what had happened by its end, as known once the grace was over. None while
    that lies ahead, for a period without an end, and for a question that names moments, or a responsible, of its own."""
    if asked.end is None or asked.end + grace > now or asked.known or asked.until or asked.responsible:
        return None
    return replace(asked, known=asked.end + grace, until=asked.end)


async def _closing(
    connection: Database, asked: Asked, question: Question, now: datetime, grace: timedelta, place: str, linked: Linked
) -> Closing | None:
    closed = closed_of(asked, now, grace)
    if closed is None or closed.known is None or closed.until is None:
        return None
    restated = replace(closed, known=None)
    differences = []
    if await late.leads_restated(connection, closed):
        was, now_is = [
            counts_of(*(await _groups(connection, one, None)).get("", ({}, {}))) for one in (closed, restated)
        ]
        original = replace(question, as_of=closed.known.isoformat(), until=closed.until.isoformat())
        differences = differences_of(was, now_is, linked(None, original), linked(None, replace(original, as_of=None)))
    return Closing(
        known_at=closed.known,
        until=closed.until,
        restated=bool(differences),
        differences=differences,
        events=f"{place}/late?{urlencode(question.address)}",
    )


async def behind_of(connection: Database, asked: Asked, which: Which, after: str | None, limit: int) -> BehindList:
    """The list behind a number, with names. Raises ProblemError (422)."""
    if which.group is not None and which.by is None:
        raise ProblemError(422, "group", "query.group: say with `by` whether it is a source or a responsible")
    try:
        with place_in_list():
            found, following = await lists.behind(connection, asked, which, after, limit)
    except lists.NoSuchNumberError as error:
        raise ProblemError(422, "number", f"query.number: {error}") from None
    names = await lists.names(connection, [item.lead for item in found])
    items = []
    for item in found:
        out = BehindOut.model_validate(item)
        out.name, out.erased = names.get(item.lead, (None, False))
        items.append(out)
    return BehindList(items=items, next=following)


async def late_of(
    connection: Database, asked: Asked, now: datetime, grace: timedelta, after: str | None, limit: int
) -> LateList:
    """The events that changed the closed report of this period. Raises ProblemError (422) for a period that is not closed."""
    closed = closed_of(asked, now, grace)
    if closed is None:
        raise ProblemError(
            422,
            "not-closed",
            f"query.to: give a period that ended more than {grace.total_seconds() / 3600:.0f} hours ago, without as_of, until "
            "and responsible: only then there is a closed report to compare with",
        )
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        leads = await late.leads_restated(connection, closed)
        with place_in_list():
            found, following = await late.late_events(connection, closed, leads, after, limit)
        names = await lists.names(connection, [item.lead for item in found])
    items = []
    for item in found:
        out = LateOut.model_validate(item)
        out.name, out.erased = names.get(item.lead, (None, False))
        items.append(out)
    return LateList(items=items, next=following)

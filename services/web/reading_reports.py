"""What a report is asked about: its period, and the numbers of it, for the API and the pages alike (S2, S6, Q5, Q11).

Invariants: a period left out is the last so many days up to now; days are the team's, the last one included. Numbers come from
the projections' reads, and what was counted in working time names the version of the calendar.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from contracts.pipeline import Pipeline, Titles
from projections.board import store as board
from projections.card_use import reading as card_use
from projections.response import reading as response
from projections.response.times import By, Group, grouped
from projections.tasks import reviews
from services.calendars import registry as calendars
from services.database import Database
from services.pipelines.card_use import unused_fields
from services.web.moments import moment
from services.web.problems import ProblemError
from services.web.shapes import StageOut, stage_out

DAYS = 30
"""A period that is left out: so many days up to now."""
CARD_DAYS = 92
"""Of a card: three months."""


@dataclass(frozen=True, slots=True)
class Period:
    """From when on, and before when; `start`, `end`: as they were typed."""

    since: datetime
    until: datetime
    start: str = ""
    end: str = ""


def period_of(start: str | None, end: str | None, zone: ZoneInfo, now: datetime, days: int = DAYS) -> Period:
    """The period in the address. Raises ProblemError (422)."""
    until = moment("to", end, zone, end_of_day=True) or now
    since = moment("from", start, zone)
    if since is None:
        day = (until.astimezone(zone) - timedelta(days=days)).date()
        since = datetime.combine(day, datetime.min.time(), zone)
    if since >= until:
        raise ProblemError(422, "period", "query.from: the period begins before it ends; put the earlier day first")
    return Period(since, until, start or "", end or "")


class TookOut(BaseModel):
    """How long a step took from the arrival, in seconds, plain and in working time; `waiting`: leads that have not reached it."""

    reached: int
    waiting: int
    median: int | None
    p90: int | None
    working_median: int | None
    working_p90: int | None


class ResponseGroupOut(BaseModel):
    """Leads of one source, person (null: nobody), channel, or hour of arrival on the team's clock."""

    key: str | None
    leads: int
    steps: dict[str, TookOut]


class ResponseTimesOut(BaseModel):
    """S2: arrival to seen, accepted, first contact. `calendar`: the version that working time was counted in."""

    since: datetime
    until: datetime
    calendar: str
    all: ResponseGroupOut | None
    by: str | None
    groups: list[ResponseGroupOut]


async def response_times(connection: Database, wanted: response.ArrivalsWanted, by: By | None) -> ResponseTimesOut:
    """The report. Raises ProblemError (422) for a period of too many leads."""
    calendar = await calendars.current(connection)
    try:
        arrivals = await response.arrivals(connection, wanted)
    except response.TooManyArrivalsError as error:
        raise ProblemError(422, "period", f"query.from: {error}") from None
    whole = [_group(group) for group in grouped(arrivals, calendar)]
    return ResponseTimesOut(
        since=wanted.since,
        until=wanted.until,
        calendar=calendar.version,
        all=whole[0] if whole else None,
        by=by,
        groups=[_group(group) for group in grouped(arrivals, calendar, by)] if by else [],
    )


def _group(group: Group) -> ResponseGroupOut:
    steps = {
        name: TookOut(**{field: getattr(took, field) for field in TookOut.model_fields})
        for name, took in group.steps.items()
    }
    return ResponseGroupOut(key=group.key, leads=group.leads, steps=steps)


class HeldOut(BaseModel):
    """Leads of somebody in a stage. `oldest_at`: since when the one longest there has been there."""

    count: int
    sums: dict[str, Decimal]
    oldest_at: datetime | None


class HoldingOut(BaseModel):
    """A person's leads by stage (those without any are left out); `responsible` null: nobody's."""

    responsible: str | None
    stages: dict[str, HeldOut]
    open: int


class PeopleStagesOut(BaseModel):
    """S6: people × stages of a pipeline, the stages nearest to the decision first, then its outcomes."""

    pipeline: str
    titles: Titles
    stages: list[StageOut]
    people: list[HoldingOut]
    totals: dict[str, int]


async def people_stages(connection: Database, known: Pipeline) -> PeopleStagesOut:
    """The report."""
    held = await board.people(connection, known.pipeline)
    nearest = sorted(
        (stage for stage in known.stages if stage.kind == "open"), key=lambda stage: -(known.place(stage.id) or 0)
    )
    stages = [stage.id for stage in (*nearest, *(stage for stage in known.stages if stage.kind != "open"))]
    stages += sorted({one.stage for one in held} - set(stages))
    names = sorted({one.responsible for one in held}, key=lambda name: (name is None, name or ""))
    return PeopleStagesOut(
        pipeline=known.pipeline,
        titles=known.titles,
        stages=[stage_out(known, stage) for stage in stages],
        people=[
            HoldingOut(
                responsible=name,
                stages={
                    one.stage: HeldOut(count=one.count, sums=one.sums, oldest_at=one.oldest_at)
                    for one in held
                    if one.responsible == name
                },
                open=sum(one.count for one in held if one.responsible == name and one.kind == "open"),
            )
            for name in names
        ],
        totals={stage: sum(one.count for one in held if one.stage == stage) for stage in stages},
    )


class JudgedOut(BaseModel):
    """How a person's poor leads were judged; `automatic`: those that no person had made poor, counted apart. `share_returned`: of
    those judged."""

    person: str | None
    automatic: bool
    confirmed: int
    returned: int
    waiting: int
    share_returned: float | None


class ReviewsOut(BaseModel):
    """Q5: reviews opened in the period, by person."""

    since: datetime
    until: datetime
    people: list[JudgedOut]


async def reviews_of(connection: Database, period: Period, pipeline: str | None) -> ReviewsOut:
    """The report."""
    found = await reviews.by_person(connection, period.since, period.until, pipeline=pipeline)
    people = [JudgedOut(**{name: getattr(one, name) for name in JudgedOut.model_fields}) for one in found]
    return ReviewsOut(since=period.since, until=period.until, people=people)


class FieldUseOut(BaseModel):
    """A field of the card in numbers: of `asked` leads so many have an answer, «not known yet», declined to answer. `median_s`:
    seconds from the stage that asks to the first record; `used`: whether anything but the asking looks at it."""

    field: str
    titles: Titles
    mandatory: bool
    asked: int
    filled: int
    unknown: int
    declined: int
    erased: int
    empty: int
    fill_rate: float | None
    median_s: int | None
    used: bool


class ClientViewOut(BaseModel):
    """What clients think of the questions, averages from 1 to 5."""

    said: int
    ease: float | None
    time: float | None
    comfort: float | None


class CardReportOut(BaseModel):
    """Q11: the quality of a pipeline's card."""

    pipeline: str
    titles: Titles
    since: datetime
    until: datetime
    fields: list[FieldUseOut]
    mandatory: int
    client: ClientViewOut


async def card_report(connection: Database, known: Pipeline, period: Period) -> CardReportOut:
    """The report."""
    asking = card_use.asking(known)
    used = await card_use.fields_in_use(connection, known.pipeline, asking, period.since, period.until)
    view = await card_use.client_view(connection, known.pipeline, period.since, period.until)
    unused = {field.id for field in unused_fields(known)}
    mandatory = {asked.field for stage in known.stages for asked in stage.mandatory}
    fields = [_field(use, known.fields_by_id[use.field].titles, mandatory, unused) for use in used]
    return CardReportOut(
        pipeline=known.pipeline,
        titles=known.titles,
        since=period.since,
        until=period.until,
        fields=fields,
        mandatory=len(mandatory),
        client=ClientViewOut(said=view.said, ease=view.ease, time=view.time, comfort=view.comfort),
    )


def _field(use: card_use.FieldUse, titles: Titles, mandatory: set[str], unused: set[str]) -> FieldUseOut:
    own: Mapping[str, object] = {
        name: getattr(use, name)
        for name in ("field", "asked", "filled", "unknown", "declined", "erased", "fill_rate", "median_s")
    }
    return FieldUseOut(
        **own,
        titles=titles,
        mandatory=use.field in mandatory,
        empty=use.asked - use.filled - use.unknown - use.declined - use.erased,
        used=use.field not in unused,
    )

"""`/api/pipelines/{pipeline}/automation`: what happens by itself at each stage, with counts; templates on a lead (R1-R5).

Invariants: reads only; the words are those of the page, in both languages.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from contracts.pipeline import Titles, Words
from projections.robots import store as robots
from services.web.automation_view import COUNTED, StageAutomation, columns_of, shown_on
from services.web.door import Asking, TheDoor, current_pipeline, no_lead
from services.web.problems import ProblemError
from services.web.tokens import READ

router = APIRouter(tags=["pipelines"])


class RobotOfStage(BaseModel):
    """A robot in words; `when`: its condition, null: always. Counts of 24 hours, `waiting`: how many wait now."""

    robot: str
    titles: Titles
    start: Words
    when: Words | None
    action: Words
    more: list[Words]
    ran: int
    skipped: int
    failed: int
    waiting: int


class TriggerOfStage(BaseModel):
    """A trigger in words. Counts of 24 hours."""

    trigger: str
    titles: Titles
    on: Words
    when: Words | None
    out_of: Words
    fired: int
    refused: int


class AutomationOfStage(BaseModel):
    """What brings leads to a stage by itself, and what happens there by itself."""

    stage: str
    titles: Titles
    triggers: list[TriggerOfStage]
    robots: list[RobotOfStage]


class PipelineAutomation(BaseModel):
    """The automation of the version in force; `since`: from when on it is counted."""

    pipeline: str
    number: int
    since: datetime
    stages: list[AutomationOfStage]


class TemplateProblem(BaseModel):
    """What is wrong with a template: in which part, in which of its lines. error: it cannot be sent so."""

    model_config = ConfigDict(from_attributes=True)

    severity: Literal["error", "warning", "info"]
    part: str
    line: int | None
    ru: str
    en: str


class TemplatePreview(BaseModel):
    """A template as it comes out for a lead; a part that cannot be written is null, and `problems` say why."""

    template: str
    lead: UUID
    language: Literal["ru", "en"]
    subject: str | None
    text: str | None
    html: str | None
    problems: list[TemplateProblem]


@router.get(
    "/api/pipelines/{pipeline}/automation", summary="What happens by itself at each stage, with counts of 24 hours"
)
async def read_automation(door: TheDoor, holder: Asking, pipeline: str) -> PipelineAutomation:
    holder.must(READ, "read pipelines")
    since = await door.clock.now() - COUNTED
    async with door.pool.acquire() as connection:
        known, number = await current_pipeline(connection, pipeline)
        counted, pulled = await robots.counts(connection, known.pipeline, since)
    return PipelineAutomation(
        pipeline=known.pipeline,
        number=number,
        since=since,
        stages=[_stage(column) for column in columns_of(known, counted, pulled)],
    )


def _stage(column: StageAutomation) -> AutomationOfStage:
    return AutomationOfStage(
        stage=column.stage.id,
        titles=column.stage.titles,
        triggers=[
            TriggerOfStage(
                trigger=words.id,
                titles=words.titles,
                on=words.on,
                when=words.when,
                out_of=words.out_of,
                fired=count.fired,
                refused=count.refused,
            )
            for words, count in column.triggers
        ],
        robots=[
            RobotOfStage(
                robot=words.id,
                titles=words.titles,
                start=words.start,
                when=words.when,
                action=words.action,
                more=list(words.more),
                ran=count.ran,
                skipped=count.skipped,
                failed=count.failed,
                waiting=count.waiting,
            )
            for words, count in column.robots
        ],
    )


@router.get(
    "/api/pipelines/{pipeline}/templates/{template}/preview",
    summary="A template as it comes out for a lead; nothing is sent",
)
async def preview_template(
    door: TheDoor,
    holder: Asking,
    pipeline: str,
    template: str,
    lead: Annotated[UUID, Query(description="Whose values fill it in")],
    language: Literal["ru", "en"] = "ru",
) -> TemplatePreview:
    holder.must(READ, "read leads")
    async with door.pool.acquire() as connection:
        known, _ = await current_pipeline(connection, pipeline)
        chosen = known.templates_by_id.get(template)
        if chosen is None:
            there = ", ".join(known.templates_by_id) or "none"
            raise ProblemError(404, "no-such-template", f"{known.pipeline} has the templates: {there}")
        shown = await shown_on(door, connection, known, chosen, str(lead), language)
    if shown.said == "preview_no_lead":
        raise no_lead()
    if shown.made is None:
        raise ProblemError(410, "erased", "this person's data was erased: there is nothing to fill a template with")
    made = shown.made
    return TemplatePreview(
        template=template,
        lead=lead,
        language=language,
        subject=made.subject,
        text=made.text,
        html=made.html,
        problems=[TemplateProblem.model_validate(one) for one in shown.wrong],
    )

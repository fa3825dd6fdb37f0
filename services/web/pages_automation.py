"""The automation of a pipeline as a page: what happens by itself at each stage, how it went, how its letters come out (R1-R5, U).

Invariants: it shows the version in force; counts come from the robots' projection; a template is filled in exactly as for sending
(`services.leads.letters`), and what a template would write is shown in a frame that can do nothing (sandboxed, under the page's
own Content-Security-Policy). Nothing is sent from here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from contracts.pipeline import Pipeline, Stage, Template
from projections.robots import store as robots
from projections.robots.store import Counted, Pulled
from services.calendars import registry as calendars
from services.database import Database
from services.leads.letters import seen_by_templates
from services.leads.reading import lead_state
from services.pipelines.robot_words import RobotWords, TriggerWords, robot_words, trigger_words
from services.pipelines.templates import Preview, checked, preview
from services.web.door import Door, TheDoor, current_pipeline
from services.web.pages import Visiting, render

COUNTED = timedelta(hours=24)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

router = APIRouter()


@dataclass(frozen=True, slots=True)
class StageAutomation:
    """A stage's column: its triggers and robots in words, each with its counts."""

    stage: Stage
    triggers: list[tuple[TriggerWords, Pulled]]
    robots: list[tuple[RobotWords, Counted]]


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a template: where, how bad, and the words."""

    severity: Literal["error", "warning", "info"]
    part: str
    line: int | None
    ru: str
    en: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A template as it comes out for a lead, or why it does not. `said`: the key of the words that say why there is none."""

    template: Template
    lead: UUID | None = None
    name: str | None = None
    made: Preview | None = None
    wrong: tuple[Wrong, ...] = ()
    said: str | None = None


@router.get("/pipelines/{pipeline}/automation")
async def automation_page(
    request: Request,
    door: TheDoor,
    visitor: Visiting,
    pipeline: str,
    template: Annotated[str, Query(max_length=60)] = "",
    lead: Annotated[str, Query(max_length=300)] = "",
    language: Annotated[Literal["", "ru", "en"], Query()] = "",
) -> HTMLResponse:
    """The page; with `template` the preview for a lead, given by its id or by the address of its page."""
    written = language or visitor.words.language
    async with door.pool.acquire() as connection:
        known, number = await current_pipeline(connection, pipeline)
        since = await door.clock.now() - COUNTED
        counted, pulled = await robots.counts(connection, known.pipeline, since)
        chosen = known.templates_by_id.get(template)
        shown = await _shown(door, connection, known, chosen, lead, written) if chosen is not None else None
    return render(
        request,
        visitor,
        "automation.html",
        page_path=f"/pipelines/{known.pipeline}/automation",
        pipeline=known,
        number=number,
        columns=columns_of(known, counted, pulled),
        shown=shown,
        asked={"template": template, "lead": lead, "language": written},
    )


def columns_of(pipeline: Pipeline, counted: dict[str, Counted], pulled: dict[str, Pulled]) -> list[StageAutomation]:
    """Every stage, in the pipeline's order."""
    return [
        StageAutomation(
            stage,
            [(trigger_words(trigger, pipeline), pulled.get(trigger.id, Pulled())) for trigger in stage.triggers],
            [(robot_words(robot, pipeline), counted.get(robot.id, Counted())) for robot in stage.robots],
        )
        for stage in pipeline.stages
    ]


async def _shown(
    door: Door,
    connection: Database,
    pipeline: Pipeline,
    template: Template,
    lead: str,
    language: Literal["ru", "en"],
) -> Shown:
    """How a template comes out for the lead that is named in a text."""
    wrong = tuple(
        Wrong(problem.severity, str(problem.path[-1]), problem.line, problem.ru, problem.en)
        for problem in checked(template, pipeline, tuple(door.settings.company))
        if problem.path[0] == language
    )
    if not lead.strip():
        return Shown(template, wrong=wrong)
    found = _UUID.search(lead)
    state = await lead_state(connection, door.ring, UUID(found[0])) if found is not None else None
    if state is None:
        return Shown(template, wrong=wrong, said="preview_no_lead")
    if state.erased:
        return Shown(template, state.lead, wrong=wrong, said="preview_erased")
    zone = (await calendars.current(connection)).zone
    values = seen_by_templates(door.settings, state, pipeline, language, await door.clock.now(), zone)
    made = preview(template, values, language=language)
    here = [Wrong("error", problem.part, problem.line, problem.ru, problem.en) for problem in made.problems]
    places = {(one.part, one.line) for one in here}
    others = [one for one in wrong if one.severity != "info" or (one.part, one.line) not in places]
    told = {(one.part, one.line) for one in others if one.severity == "error"}
    wrong = (*(one for one in here if (one.part, one.line) not in told), *others)
    return Shown(template, state.lead, state.name, made, wrong)

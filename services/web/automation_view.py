"""What is shown of a pipeline's automation: its stages with triggers and robots in words and counts, its templates on a lead.

Invariants: it is of the version in force; counts come from the robots' projection; a template is filled in exactly as for sending
(`services.leads.letters`). Nothing is sent from here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal
from uuid import UUID

from contracts.pipeline import Pipeline, Stage, Template
from projections.robots.store import Counted, Pulled
from services.calendars import registry as calendars
from services.database import Database
from services.leads.letters import seen_by_templates
from services.leads.reading import lead_state
from services.pipelines.robot_words import RobotWords, TriggerWords, robot_words, trigger_words
from services.pipelines.templates import Preview, checked, preview
from services.web.door import Door

COUNTED: Final = timedelta(hours=24)
"""Since when robots are counted."""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


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


async def shown_on(
    door: Door,
    connection: Database,
    pipeline: Pipeline,
    template: Template,
    lead: str,
    language: Literal["ru", "en"],
) -> Shown:
    """How a template comes out for the lead that is named in a text: by its id, or by the address of its page."""
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

"""Which robots are to be started for which leads, and what is asked that cannot be (N5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID, uuid5

from contracts import commands as c
from contracts.meta import Actor
from contracts.pipeline import Deadline, Pipeline, Robot
from services.database import Database
from services.leads.domain.history import CHANNEL
from services.leads.domain.robots.arming import PAUSE
from services.leads.domain.state import LeadState
from services.leads.starting.store import Standing
from services.pipelines import registry
from services.pipelines.stream import stream_of

STARTING: Final = "starting"
"""Who starts them: the system, on behalf of whoever asked."""
Left = Literal["none", "had", "undated", "other_source"]
"""Why nothing would start for a lead: its version states no robot there; it has or had them in this stage visit; they go by a
date that its card has not; it did not come from that source."""


class CannotStartError(Exception):
    """What is asked names nothing that can be started: the message says why, in both languages."""

    def __init__(self, ru: str, en: str) -> None:
        super().__init__(en)
        self.ru, self.en = ru, en


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be started. `at`: the moment from which the robots' times count; `stages`: none named means all; `robot`: this
    one alone; `source`: `imported` for leads of imports alone."""

    pipeline: str
    at: datetime
    stages: tuple[str, ...] = ()
    robot: str | None = None
    source: Literal["imported"] | None = None

    def concerns(self, lead: LeadState) -> bool:
        """Whether a lead came from where it is asked for."""
        return self.source is None or lead.channel == CHANNEL

    def robots(self, lead: LeadState, pipeline: Pipeline) -> list[Robot]:
        """The robots of the lead's stage that are meant and follow nobody, under the lead's version."""
        here = pipeline.by_id.get(lead.stage)
        found = here.robots if here is not None else ()
        return [robot for robot in found if self.robot in (None, robot.id) and robot.start.after is None]

    def deadlines(self, lead: LeadState, pipeline: Pipeline) -> list[Deadline]:
        """The deadlines of the lead's stage that are meant and begin by themselves."""
        here = pipeline.by_id.get(lead.stage)
        found = here.deadlines if here is not None else ()
        return [
            one for one in found if self.robot in (None, one.id) and (one.start is None or one.start.date is not None)
        ]

    def left(self, lead: LeadState, pipeline: Pipeline) -> Left:
        """Why nothing starts for a lead for which nothing does."""
        names = [robot.id for robot in self.robots(lead, pipeline)]
        if lead.kind == "postponed" and self.robot in (None, PAUSE):
            names.append(PAUSE)
        deadlines = self.deadlines(lead, pipeline)
        if not names and not deadlines:
            return "none"
        if any(one.start is None for one in deadlines):
            return "had"  # it began in this visit, or what it asks for is there already
        return "had" if any((lead.root, name) in lead.automation.armings for name in names) else "undated"


async def check(database: Database, asked: Asked) -> None:
    """Raises NoSuchPipelineError, and CannotStartError for a stage or a robot that no version has."""
    versions = [version.pipeline for version in await registry.versions(database, asked.pipeline)]
    stages = dict.fromkeys(stage.id for pipeline in reversed(versions) for stage in pipeline.stages)
    for name in asked.stages:
        if name not in stages:
            there = ", ".join(stages)
            raise CannotStartError(
                f"Стадии {name} нет; есть: {there}.", f"There is no stage {name}; there are: {there}."
            )
    if asked.robot is None or asked.robot == PAUSE:
        return
    robots = {name: found[1] for pipeline in versions for name, found in pipeline.robots_by_id.items()}
    deadlines = {name for pipeline in versions for name in pipeline.deadlines_by_id}
    if asked.robot in deadlines:
        return
    robot = robots.get(asked.robot)
    if robot is None:
        there = ", ".join([*robots, *sorted(deadlines), PAUSE])
        raise CannotStartError(
            f"Робота {asked.robot} нет; есть: {there}.", f"There is no robot {asked.robot}; there are: {there}."
        )
    if robot.start.after is not None:
        raise CannotStartError(
            f"Робот {robot.id} запускается после {robot.start.after}: запустите того, он пойдёт следом.",
            f"The robot {robot.id} starts after {robot.start.after}: start that one, and it follows.",
        )


def command_of(lead: Standing, asked: Asked, actor: Actor) -> c.Command:
    """The command that starts a lead's robots. Its id is made of the lead, the version its stream is at, and what is asked: the
    same run again repeats it, and a lead to which something has happened since is asked anew."""
    run = uuid5(stream_of(asked.pipeline), f"start_robots:{asked.at.isoformat()}:{asked.robot or ''}:{actor.id}")
    return c.Command(
        id=uuid5(run, f"{lead.lead}:{lead.version}"),
        lead=lead.lead,
        actor=actor,
        body=c.StartRobots(at=asked.at, robot=asked.robot, fresh=True),
        expected_version=lead.version,
        correlation=str(run),
    )


NOBODY: Final = UUID(int=0)
"""Before the first lead."""

"""A scenario tells what the running service does: the acts of a whole story, sent to it one by one, come out alike (M3)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from services.database import Pool
from services.leads.scenarios import read_script
from services.leads.scenarios.doing import capture_of, command, perform
from services.leads.scenarios.naming import Names
from services.leads.scenarios.play import ACTORS, Play
from services.pipelines import bundled
from services.pipelines.language import read_pipeline
from services.settings import Settings
from tests.integration.leads_case import Leads, running

STORY = "Весь путь"


@pytest.fixture
async def leads(settings: Settings, pool: Pool) -> AsyncIterator[Leads]:
    """The aggregate service."""
    async with running(settings, pool) as made:
        yield made


async def test_M3_the_acts_of_a_scenario_come_out_alike_in_the_running_service(leads: Leads) -> None:
    file, scenarios = bundled.pipeline_file("services"), bundled.scenario_file("services")
    assert file is not None
    assert scenarios is not None
    pipeline = read_pipeline(file.read_text(encoding="utf-8"), file.name)
    script = read_script(scenarios.read_text(encoding="utf-8"), scenarios.name)
    story = next(scenario for scenario in script.scenarios if STORY in scenario.name)
    play, names, lead, acts = Play(pipeline), Names(pipeline, script.language), uuid4(), 0
    play.pass_time(datetime.now(UTC))  # the service has a clock of its own
    for step in story.steps:
        if step.part == "then" or step.actor is None:
            continue
        acts += 1
        if step.phrase == "capture":
            body = capture_of(step, names).model_copy(update={"pipeline": "services"})
        else:
            body = command(step, play, names)
        perform(step, play, names)
        result = await leads.send(
            lead, body.type, by=ACTORS[step.actor], **body.model_dump(exclude={"type"}, exclude_none=True)
        )
        refused = play.refusal.rules if play.refusal else None
        assert (result.refusal.rules if result.refusal else None) == refused, step.text
        stages = [r.data.stage for r in await leads.history(lead) if r.meta.type.endswith(".stage_entered")]
        assert stages[-1] == play.there().stage, step.text
    told = [entry.happened.TOPIC.rpartition(".")[2] for entry in play.story if hasattr(entry.happened, "TOPIC")]
    real = [name for name in await leads.types(lead) if name != "assigned"]
    assert [name for name in told if name != "assigned"] == real
    assert acts > 15

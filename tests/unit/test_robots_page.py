"""The page for those who write robots (`docs/howto/robots.md`): its example is a pipeline, and it names everything there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from contracts.pipeline import Robot, Start, Trigger
from contracts.pipeline.robots import ACTIONS, OnLeave, TriggerKind
from services.ops.command_line import app
from services.ops.robot_commands import start
from services.pipelines.language import read_pipeline
from services.pipelines.linted import lint_text

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "robots.md").read_text("utf-8")


def example() -> str:
    """The pipeline of the page."""
    found = re.search(r"```yaml\n(.*?)```", PAGE, re.S)
    assert found is not None
    return found[1]


def test_R1_the_pipeline_of_the_page_is_valid_and_has_nothing_to_mend() -> None:
    pipeline = read_pipeline(example(), "trial.yaml")
    assert set(pipeline.robots_by_id) == {"letter", "call", "slow", "remind"}
    assert lint_text(example(), "trial.yaml").findings == ()


def test_R1_the_page_names_every_action_start_trigger_and_policy() -> None:
    words = {*ACTIONS, *Start.model_fields, *get_args(TriggerKind), *get_args(OnLeave)}
    words |= set(Robot.model_fields) - {"id", "titles"} | set(Trigger.model_fields) - {"id", "titles", "reason"}
    missing = {word for word in words if not re.search(rf"`{word}\b", PAGE)}
    assert not missing


def test_N5_the_commands_of_the_page_can_be_typed() -> None:
    lines = re.findall(r"^    leadline (robots start .*?)(?:  +#.*)?$", PAGE, re.M)
    assert len(lines) == 4
    for line in lines:
        command, bound, _ = app.parse_args(line.split(), exit_on_error=False, print_error=False)
        assert command is start
        assert bound.arguments["pipeline"] == "PIPELINE"

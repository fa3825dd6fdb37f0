"""The page for those who write deadlines (`docs/howto/deadlines.md`): its example is a pipeline, it names everything there is."""

from __future__ import annotations

import re
from pathlib import Path

from contracts.pipeline import Deadline, DeadlineResult
from contracts.pipeline.deadlines import DeadlineStart
from services.pipelines.language import read_pipeline
from services.pipelines.linted import lint_text

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "deadlines.md").read_text("utf-8")


def example() -> str:
    """The pipeline of the page."""
    found = re.search(r"```yaml\n(.*?)```", PAGE, re.S)
    assert found is not None
    return found[1]


def test_Q7_the_pipeline_of_the_page_is_valid_and_has_nothing_to_mend() -> None:
    pipeline = read_pipeline(example(), "kitchens.yaml")
    assert set(pipeline.deadlines_by_id) == {"take", "qualify"}
    assert [finding for finding in lint_text(example(), "kitchens.yaml").findings if finding.fails] == []


def test_Q7_the_page_names_every_word_of_a_deadline() -> None:
    words = {*Deadline.model_fields, *DeadlineResult.model_fields, *DeadlineStart.model_fields} - {"id", "titles"}
    assert not {word for word in words if not re.search(rf"`{word}\b", PAGE)}

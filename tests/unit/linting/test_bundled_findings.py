"""Each bundled pipeline names the findings that stand on it, and no other finding is there (S5)."""

from __future__ import annotations

import pytest

from services.pipelines import bundled
from services.pipelines.language import read_pipeline
from tests.unit.linting.pipelines import findings

EXPECTED = {
    "classic": set[str](),
    "countertops": {"S5.mixed_style", "N10.no_way_back"},
    "english": {"S4.activity_as_criterion", "N10.no_way_back"},
    "loans": {"S5.stage_count", "S5.no_exit_criterion", "S5.idle_stage"},
    "qualification": set[str](),
    "services": {"S5.stage_count", "S4.action_title", "N10.no_way_back"},
    "trial_lesson": {"S5.mixed_style", "N10.no_way_back", "R3.template_gap"},
}


@pytest.mark.parametrize("file", bundled.pipeline_files(), ids=lambda file: file.name)
def test_S5_every_finding_on_a_bundled_pipeline_is_expected_with_its_reason(file) -> None:  # type: ignore[no-untyped-def]
    pipeline = read_pipeline(file.read_text(encoding="utf-8"), file.name)
    found = findings(pipeline)
    assert [finding.rule for finding in found if finding.expected is None] == []
    assert {finding.rule for finding in found} == EXPECTED[pipeline.pipeline]
    assert {expected.rule for expected in pipeline.expected_findings} == EXPECTED[pipeline.pipeline]

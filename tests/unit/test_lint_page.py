"""`docs/lint.md` says what the linter's rule book says (S5)."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import jsonschema_rs
import pytest
import yaml

from services.pipelines.linted import lint_text
from services.pipelines.linting.rules import LINT_RULES

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def generator() -> ModuleType:
    """`docs/generate_lint_rules.py`, which is a script and in no package."""
    spec = importlib.util.spec_from_file_location("generate_lint_rules", DOCS / "generate_lint_rules.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_S5_the_page_of_lint_rules_is_current(generator: ModuleType) -> None:
    assert (DOCS / "lint.md").read_text("utf-8") == generator.page(), "run: python docs/generate_lint_rules.py"


def test_S5_the_page_has_every_rule_once() -> None:
    text = (DOCS / "lint.md").read_text("utf-8")
    for rule in LINT_RULES:
        assert text.count(f"### `{rule.id}` ({rule.severity})") == 1
        assert rule.mend.ru in text


def test_S5_a_stale_page_is_named(
    generator: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generator, "PAGE", tmp_path / "lint.md")
    assert generator.main(["--check"]) == 1
    assert "stale: docs/lint.md" in capsys.readouterr().out
    assert generator.main([]) == 0
    assert generator.main(["--check"]) == 0


def _example() -> str:
    """The pipeline that `docs/howto/pipelines.md` shows."""
    found = re.search(
        r"```yaml\n(# yaml-language-server.*?pipeline: .*?)```",
        (DOCS / "howto" / "pipelines.md").read_text("utf-8"),
        re.S,
    )
    assert found is not None
    return found[1]


def test_S5_the_pipeline_in_the_how_to_has_nothing_to_mend() -> None:
    assert lint_text(_example(), "windows.yaml").findings == ()


def test_M3_the_schema_the_how_to_names_is_there_and_knows_the_language() -> None:
    named = re.search(r"\$schema=(\S+)", _example())
    assert named is not None
    schema = json.loads((DOCS / "howto" / named[1]).read_text("utf-8"))
    tree = yaml.safe_load(_example())
    validator = jsonschema_rs.validator_for(schema)
    validator.validate(tree)
    why = {"ru": "так надо", "en": "it must be so"}
    validator.validate({**tree, "expected_findings": [{"rule": "S5.order", "why": why}]})
    assert not validator.is_valid({**tree, "expected_findings": [{"rule": "order", "why": why}]})
    assert not validator.is_valid({**tree, "colour": "red"})

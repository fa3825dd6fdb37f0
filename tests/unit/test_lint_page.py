"""`docs/lint.md` says what the linter's rule book says (S5)."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

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

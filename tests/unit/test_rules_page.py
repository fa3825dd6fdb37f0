"""`docs/rules.md` says what the rule book says (K2)."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from services.leads.domain.rules import COMMAND_RULES, RULES, STAGE_RULES

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def generator() -> ModuleType:
    """`docs/generate_rules.py`, which is a script and in no package."""
    spec = importlib.util.spec_from_file_location("generate_rules", DOCS / "generate_rules.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_K2_the_rules_page_is_current(generator: ModuleType) -> None:
    assert (DOCS / "rules.md").read_text("utf-8") == generator.page(), "run: python docs/generate_rules.py"


def test_K2_the_page_has_every_rule_once() -> None:
    text = (DOCS / "rules.md").read_text("utf-8")
    assert set(RULES) == {*COMMAND_RULES, *STAGE_RULES}
    for rule in RULES:
        assert text.count(f"| `{rule.id}` |") == 1


def test_K2_rule_ids_are_unique_and_every_rule_speaks_both_languages() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.ru.strip()
        assert rule.en.strip()
        assert rule.why.strip()


def test_K2_a_stale_page_is_named(
    generator: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generator, "PAGE", tmp_path / "rules.md")
    assert generator.main(["--check"]) == 1
    assert "stale: docs/rules.md" in capsys.readouterr().out
    assert generator.main([]) == 0
    assert generator.main(["--check"]) == 0

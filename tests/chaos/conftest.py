"""Options of the chaos run."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known when tests/chaos is named on the command line; `make test` takes the defaults."""
    group = parser.getgroup("chaos")
    group.addoption("--rounds", type=int, help="cycles of the chaos run (5)")
    group.addoption("--seed", type=int, help="chooses faults and moments (3)")
    group.addoption("--fault", help="only faults whose name holds this text")
    group.addoption("--save", help="document to put the table into (docs/chaos.md)")

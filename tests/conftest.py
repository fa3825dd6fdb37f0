"""How the run is shared among processes: `make test` has two, because the tests of real servers mostly wait.

A file's tests stay together in one process, which has servers of its own. What starts a whole system, the hungriest there is, is
one unit (`WHOLE`), so that no two of them run at the same moment; it begins first and the longest files with it, so that nobody
waits for a straggler at the end. `pytest FILE` has one process and none of this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.beside_others import keep_apart

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

WHOLE = ("tests/chaos/", "tests/browser/", "tests/integration/test_english_school.py")
FIRST = tuple(
    f"tests/integration/test_{name}.py"
    for name in (
        "robots_whole",
        "robots_property",
        "relay",
        "scenarios_are_real",
        "robots",
        "embedded_servers",
        "verify",
    )
)
"""Further files that take long, the longest first."""
LAST = ("tests/unit/", "tests/contract/")

keep_apart()


def unit_of(path: str) -> str:
    """What a file's tests are kept together with."""
    return WHOLE[0] if path.startswith(WHOLE) else path


def place_of(unit: str) -> int:
    """When a unit begins: the lower the earlier."""
    order = (WHOLE[0], *FIRST)
    return order.index(unit) if unit in order else len(order) + unit.startswith(LAST)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the chaos run told while it went well: with `-n` it cannot be seen at once. What fails is told anyway."""
    for report in terminalreporter.getreports("passed"):
        if "chaos" in report.keywords and report.capstdout:
            terminalreporter.write_line(report.capstdout)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """By file, in our order (only with `-n`)."""
    from xdist.scheduler import LoadScopeScheduling

    class Ours(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return unit_of(nodeid.partition("::")[0])

    config.option.loadscopereorder = False
    return Ours(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `-n` units begin in the order of their first tests."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: place_of(unit_of(item.nodeid.partition("::")[0])))

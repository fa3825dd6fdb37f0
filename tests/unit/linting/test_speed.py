"""A thousand pipelines are read and linted in under a minute (issue); measured as processor time of some of them."""

from __future__ import annotations

from tests.bench.linting import measure

COUNT = 50


def test_S5_a_thousand_pipelines_are_linted_in_under_a_minute() -> None:
    read, linted, found = measure(COUNT)
    assert found >= COUNT, "they are really looked at"
    assert (read + linted) / COUNT < 60 / 1_000

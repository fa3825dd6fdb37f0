"""K4, N7: how long a busy consumer lets records gather, and that nobody waits who need not."""

from __future__ import annotations

import pytest

from services.eventlog.consuming.pace import LARGE, LONGEST_SECONDS, Pace


class Hand:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def pace(seconds: Hand, took: float, gather: float = 3.0, most: int = 1_000) -> Pace:
    """The pace of a consumer whose batches take so long."""
    made = Pace("test", gather, most, seconds)
    for _ in range(50):
        made.took(took)
    return made


def test_K4_a_record_that_comes_after_a_pause_waits_for_nothing() -> None:
    seconds = Hand()
    steady = pace(seconds, took=0.01)
    assert steady.left() == 0, "its fetch is at the broker already"
    steady.came(1)
    seconds.at += 0.031
    assert steady.left() == 0


def test_N7_a_trickle_gathers_in_proportion_to_what_a_batch_takes() -> None:
    seconds = Hand()
    steady = pace(seconds, took=0.01)
    steady.came(3)
    assert steady.left() == pytest.approx(0.03, rel=0.01)
    seconds.at += 0.02
    assert steady.left() == pytest.approx(0.01, rel=0.02)


def test_N7_a_backlog_is_worked_off_without_a_pause() -> None:
    seconds = Hand()
    steady = pace(seconds, took=0.01)
    steady.came(3)
    steady.came(LARGE - 1)
    assert steady.left() > 0
    steady.came(LARGE)
    assert steady.left() == 0
    few = pace(seconds, took=0.01, most=50)
    few.came(50)
    assert few.left() == 0, "as many as it takes at once"


def test_K4_an_empty_poll_changes_nothing_and_nobody_waits_longer_than_the_limit() -> None:
    seconds = Hand()
    slow = pace(seconds, took=60.0, gather=8.0)
    slow.came(0)
    assert slow.left() == 0
    slow.came(1)
    assert slow.left() == pytest.approx(LONGEST_SECONDS)
    slow.came(0)
    assert slow.left() == pytest.approx(LONGEST_SECONDS)
    assert pace(seconds, took=0.0).left() == 0

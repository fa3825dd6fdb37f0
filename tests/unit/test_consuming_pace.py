"""Records that trickle in gather; a lone one and a backlog wait for nothing (K4, N7)."""

from __future__ import annotations

import pytest

from services.eventlog.consuming.pace import GATHER_SECONDS, LARGE, Pace


class Hand:
    """Seconds moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_N7_the_first_record_after_a_rest_waits_for_nothing() -> None:
    hand = Hand()
    pace = Pace(500, GATHER_SECONDS, hand)
    assert pace.left() == 0
    pace.came(1)
    hand.now += GATHER_SECONDS * 2
    assert pace.left() == 0


def test_N7_what_follows_a_small_batch_gathers_for_so_long() -> None:
    hand = Hand()
    pace = Pace(500, GATHER_SECONDS, hand)
    pace.came(3)
    assert pace.left() == pytest.approx(GATHER_SECONDS)
    hand.now += GATHER_SECONDS / 2
    assert pace.left() == pytest.approx(GATHER_SECONDS / 2)


@pytest.mark.parametrize("records", [0, LARGE, 10_000])
def test_N7_a_backlog_and_an_empty_poll_wait_for_nothing(records: int) -> None:
    pace = Pace(500, GATHER_SECONDS, Hand())
    pace.came(3)
    pace.came(records)
    assert pace.left() == 0


def test_N7_a_full_batch_of_a_consumer_that_takes_few_at_once_is_a_backlog() -> None:
    pace = Pace(50, GATHER_SECONDS, Hand())
    pace.came(49)
    assert pace.left() == pytest.approx(GATHER_SECONDS)
    pace.came(50)
    assert pace.left() == 0

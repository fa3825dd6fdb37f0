"""What stands behind a transaction that nobody ends is told once (K4, G-45)."""

from __future__ import annotations

from services.eventlog.consuming.records import Slot
from services.eventlog.consuming.withheld import OPEN_SECONDS, Ends, Withheld

HERE, THERE = Slot("leads.inbound", 3), Slot("leads.inbound", 4)


def test_K4_a_partition_in_which_nothing_moves_is_told_of_once() -> None:
    now = 0.0
    withheld = Withheld("test_once", lambda: now)
    assert withheld.look({HERE: Ends(7, 9), THERE: Ends(5, 5)}) == []
    now = OPEN_SECONDS - 1
    assert withheld.look({HERE: Ends(7, 12), THERE: Ends(5, 5)}) == []
    now = OPEN_SECONDS
    assert withheld.look({HERE: Ends(7, 12), THERE: Ends(5, 5)}) == [(HERE, 7)]
    # not told, the database was away: it is said again
    assert withheld.look({HERE: Ends(7, 13)}) == [(HERE, 7)]
    withheld.told([(HERE, 7)])
    assert withheld.look({HERE: Ends(7, 14)}) == []


def test_K4_a_partition_that_moves_is_no_trouble_however_much_stands_behind() -> None:
    now = 0.0
    withheld = Withheld("test_moves", lambda: now)
    for step in range(10):
        now = step * (OPEN_SECONDS - 1)
        assert withheld.look({HERE: Ends(step, 10_000)}) == []


def test_K4_a_partition_that_caught_up_or_went_to_another_member_begins_anew() -> None:
    now = 0.0
    withheld = Withheld("test_anew", lambda: now)
    withheld.look({HERE: Ends(7, 9)})
    now = OPEN_SECONDS / 2
    withheld.look({HERE: Ends(9, 9)})
    withheld.look({HERE: Ends(9, 10), THERE: Ends(1, 2)})
    withheld.look({HERE: Ends(9, 10)})
    now = OPEN_SECONDS
    assert withheld.look({HERE: Ends(9, 10), THERE: Ends(1, 2)}) == []
    now = OPEN_SECONDS * 1.5
    assert withheld.look({HERE: Ends(9, 10), THERE: Ends(1, 2)}) == [(HERE, 9)]

"""Batches of records: how one is taken apart, and that nothing is lost or moved twice by it (decision 4)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.eventlog.consuming.records import NO_WITNESS, Batch, Position, RawRecord, Slot, batch_of

SLOTS = st.tuples(st.sampled_from(["leads.inbound", "leads.commands"]), st.integers(0, 5))


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """A batch of records of up to twelve partitions, each partition's in order."""
    records, ends = [], dict[tuple[str, int], int]()
    for slot in draw(st.lists(SLOTS, max_size=60)):
        offset = ends[slot] = ends.get(slot, -1) + draw(st.integers(1, 3))
        records.append(RawRecord(*slot, offset, b"k", b"v", [], 0))
    expected = {Slot(*slot): Position(0, NO_WITNESS) for slot in ends}
    return batch_of(records, "leads", 1, expected, set())


@given(batches(), st.integers(1, 4))
def test_K2_parts_of_a_batch_share_no_partition_and_hold_every_record_in_its_order(batch: Batch, count: int) -> None:
    parts = batch.parts(count)
    assert len(parts) <= count
    slots = [{record.slot for record in part.records} for part in parts]
    assert all(slots)
    assert sum(map(len, slots)) == len(set().union(*slots))
    assert sorted(record for part in parts for record in part.records) == sorted(batch.records)
    for part, mine in zip(parts, slots, strict=True):
        assert {move.slot for move in part.moves} == mine
        for slot in mine:
            assert [r for r in part.records if r.slot == slot] == [r for r in batch.records if r.slot == slot]
    assert sorted(m.slot for part in parts for m in part.moves) == sorted(m.slot for m in batch.moves)


def test_K2_parts_are_of_about_equal_size() -> None:
    records = [RawRecord("t", n % 8, n, b"k", b"v", [], 0) for n in range(800)]
    expected = {Slot("t", n): Position(0, NO_WITNESS) for n in range(8)}
    assert [len(part.records) for part in batch_of(records, "leads", 1, expected, set()).parts(2)] == [400, 400]

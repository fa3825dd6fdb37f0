"""Batches of records: how one is taken apart, and that nothing is lost or moved twice by it (decision 4)."""

from __future__ import annotations

import random
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events import LeadSeen
from contracts.meta import GENESIS, Actor, Meta, cloud_event_headers, digest_of
from services.eventlog.consuming.records import NO_WITNESS, Batch, Position, RawRecord, Slot, batch_of, witness_of
from services.eventlog.consuming.streams import NOT_DECODED, PoisonError, decode, read
from services.eventlog.mapper import encode, peek
from tests.builders import START

STREAM = UUID("0190c1d2-0000-7000-8000-000000000001")
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


def _event() -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """Value, digest and headers of an event's record."""
    meta = Meta(
        stream=STREAM, version=3, kind="lead", type=LeadSeen.TOPIC, happened_at=START, recorded_at=START,
        actor=Actor(id="anna", kind="person"), command=STREAM, correlation="x",
    )  # fmt: skip
    value = encode(meta, LeadSeen(), None)
    digest = digest_of(GENESIS, value)
    return value, digest, cloud_event_headers(meta, digest)


def test_K4_an_event_is_read_whatever_the_order_of_its_headers() -> None:
    value, digest, headers = _event()
    for seed in range(20):
        mixed = random.Random(seed).sample(headers, len(headers))  # noqa: S311 - no secret
        arrived = read(RawRecord("leads.events", 0, 0, str(STREAM).encode(), value, mixed, 0))
        assert (arrived.stream, arrived.version, arrived.digest) == (str(STREAM), 3, digest)


@pytest.mark.parametrize("missing", ["ce_id", "ce_digest"])
def test_K4_a_header_that_is_missing_or_empty_makes_it_poison(missing: str) -> None:
    value, _, headers = _event()
    key = str(STREAM).encode()
    for left in ([h for h in headers if h[0] != missing], [(n, None if n == missing else v) for n, v in headers], []):
        with pytest.raises(PoisonError, match=missing if left else "ce_id"):
            read(RawRecord("leads.events", 0, 0, key, value, left, 0))


def test_K4_what_an_event_is_is_read_from_its_bytes_whatever_a_header_says() -> None:
    value, _, headers = _event()
    forged = [(name, b"leadline.lead.robot_armed" if name == "ce_type" else held) for name, held in headers]
    arrived = read(RawRecord("leads.events", 0, 0, str(STREAM).encode(), value, forged, 0))
    assert (arrived.type, arrived.version, arrived.schema_version) == (LeadSeen.TOPIC, 3, 1)
    assert arrived.event is NOT_DECODED
    decode(arrived)
    assert arrived.event == peek(value)


def test_K4_an_envelope_in_another_order_is_read_the_same() -> None:
    value, _, headers = _event()
    other = orjson.dumps(peek(value), option=orjson.OPT_SORT_KEYS)
    records = [RawRecord("leads.events", 0, 0, str(STREAM).encode(), each, headers, 0) for each in (value, other)]
    one, two = map(read, records)
    assert (one.stream, one.version, one.type, one.digest) == (two.stream, two.version, two.type, two.digest)
    decode(one)
    assert one.event == two.event


@pytest.mark.parametrize("second", [b'"type":"leadline.lead.won"', b'"version":4', b'"stream":"x"'])
def test_K4_an_envelope_that_names_two_events_is_poison_for_who_uses_it(second: bytes) -> None:
    value, _, headers = _event()
    twice = value.replace(b'"kind":', second + b',"kind":')
    arrived = read(RawRecord("leads.events", 0, 0, str(STREAM).encode(), twice, headers, 0))
    with pytest.raises(PoisonError, match="two events"):
        decode(arrived)


@pytest.mark.parametrize("broken", [b"", b"{", b'{"meta":{}}', b"[]", b'{"meta":{"version":3}}'])
def test_K4_what_is_no_event_is_poison(broken: bytes) -> None:
    _, _, headers = _event()
    with pytest.raises(PoisonError):
        read(RawRecord("leads.events", 0, 0, str(STREAM).encode(), broken, headers, 0))


def test_K4_an_event_cut_off_behind_its_first_bytes_is_poison_for_who_uses_it() -> None:
    value, _, headers = _event()
    arrived = read(RawRecord("leads.events", 0, 0, str(STREAM).encode(), value[:-1], headers, 0))
    with pytest.raises(PoisonError, match="not a JSON object"):
        decode(arrived)


def test_K2_a_header_without_a_value_has_the_witness_of_an_empty_one() -> None:
    records = [RawRecord("t", 0, 0, b"k", b"v", [("a", value), ("b", b"x")], 0) for value in (None, b"")]
    assert witness_of(records[0]) == witness_of(records[1])

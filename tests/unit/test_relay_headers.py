"""The relay builds headers from the plain envelope; they must be those of the contract, byte for byte (K1)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.events import LeadSeen
from contracts.meta import Actor, Meta, cloud_event_headers
from services.eventlog.mapper import encode
from services.eventlog.relay.errors import RelayRefusesError
from services.eventlog.relay.headers import event_headers, event_record, message_record, partition_of

ascii_text = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
moments = st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001 - hypothesis wants the bounds naive
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=3)), timezone(timedelta(hours=-9, minutes=-30))]),
)
metas = st.builds(
    Meta,
    stream=st.uuids(),
    version=st.integers(1, 10**9),
    kind=st.sampled_from(["lead", "contact", "pipeline"]),
    type=st.from_regex(r"[a-z][a-z0-9_.]{0,99}", fullmatch=True),
    schema_version=st.integers(1, 99),
    happened_at=moments,
    recorded_at=moments,
    actor=st.builds(Actor, id=ascii_text, kind=st.sampled_from(["person", "robot", "system"])),
    command=st.uuids(),
    causation=st.none() | ascii_text,
    correlation=ascii_text,
    autodepth=st.integers(0, 20),
    pipeline=st.none() | ascii_text,
    person=st.none() | st.uuids(),
    traceparent=st.none() | ascii_text,
)


@given(metas, st.binary(min_size=32, max_size=32))
def test_K1_headers_from_the_plain_envelope_are_those_of_the_contract(meta: Meta, digest: bytes) -> None:
    state = encode(meta, LeadSeen(), None)
    assert event_headers(orjson.loads(state)["meta"], digest) == cloud_event_headers(meta, digest)
    record = event_record(7, "leads.events", 24, state, digest, meta.recorded_at, 1.5)
    assert (record.id, record.key, record.value) == (meta.event_id.encode(), str(meta.stream).encode(), state)
    assert record.timestamp == int(meta.recorded_at.timestamp() * 1000)


@given(metas, ascii_text.filter(lambda text: not re.fullmatch(r"[a-z][a-z0-9_.]*", text)))
def test_K1_a_type_that_json_would_write_in_another_way_is_no_type(meta: Meta, name: str) -> None:
    with pytest.raises(ValidationError, match="type"):
        Meta(**dict(meta) | {"type": name})


def test_K1_a_row_that_can_never_be_published_is_named() -> None:
    with pytest.raises(RelayRefusesError, match=r"outbox row 7 for leads\.events"):
        event_record(7, "leads.events", 24, b'{"meta":{"stream":"x"}}', b"", datetime.now(UTC), 0.0)
    headers = orjson.dumps({"ce_id": "Анна"}).decode()
    with pytest.raises(RelayRefusesError, match=r"outbox row 8 for leads\.inbound"):
        message_record(8, "leads.inbound", 24, "k", headers, b"{}", keep_time=False, since=0.0)


def test_K1_partitions_are_those_of_kafkas_own_partitioner() -> None:
    # what the Java client's murmur2 gives for these keys with 24 partitions, modulo 24 of the values Kafka's own tests hold
    java = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536, b"abc": 479470107}
    for key, murmur in java.items():
        assert partition_of(key, 24) == (murmur & 0x7FFFFFFF) % 24
    assert {partition_of(str(UUID(int=n)).encode(), 4) for n in range(100)} == {0, 1, 2, 3}

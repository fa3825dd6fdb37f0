"""Our codec of fetches against aiokafka's own: the same bytes, the same values (K4)."""

from __future__ import annotations

import importlib.util
from io import BytesIO
from typing import Any

import pytest
from aiokafka.protocol.fetch import FetchRequest, FetchRequest_v11, FetchResponse_v11
from aiokafka.protocol.types import Array, Bytes, Int16, Int32, Int64, Schema, String
from hypothesis import given
from hypothesis import strategies as st

from services.eventlog.consuming.fetch_codec import AnsweredTopics, AskedTopics, install

ASKED = Array(
    ("topic", String("utf-8")),
    (
        "partitions",
        Array(
            ("partition", Int32),
            ("current_leader_epoch", Int32),
            ("fetch_offset", Int64),
            ("log_start_offset", Int64),
            ("max_bytes", Int32),
        ),
    ),
)
ANSWERED = Array(
    ("topics", String("utf-8")),
    (
        "partitions",
        Array(
            ("partition", Int32),
            ("error_code", Int16),
            ("highwater_offset", Int64),
            ("last_stable_offset", Int64),
            ("log_start_offset", Int64),
            ("aborted_transactions", Array(("producer_id", Int64), ("first_offset", Int64))),
            ("preferred_read_replica", Int32),
            ("message_set", Bytes),
        ),
    ),
)
INT16, INT32, INT64 = (st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (16, 32, 64))
NAMES = st.text(max_size=30)


def topics(of: st.SearchStrategy[Any]) -> st.SearchStrategy[list[tuple[str, list[Any]]]]:
    return st.lists(st.tuples(NAMES, st.lists(of, max_size=5)), max_size=4)


ASKED_TOPICS = topics(st.tuples(INT32, INT32, INT64, INT64, INT32))
ANSWERED_TOPICS = topics(
    st.tuples(
        *(INT32, INT16, INT64, INT64, INT64),
        st.none() | st.lists(st.tuples(INT64, INT64), max_size=3),
        INT32,
        st.none() | st.binary(max_size=200),
    )
)


def fields(schema: Schema) -> dict[str, Any]:
    return dict(zip(schema.names, schema.fields, strict=True))


def shape(field: Any) -> Any:
    """A field as something that can be compared."""
    match field:
        case Schema():
            return [(name, shape(inner)) for name, inner in fields(field).items()]
        case Array():
            return ["array", shape(field.array_of)]
        case String():
            return field.encoding
    return field


def test_K4_what_is_replaced_is_what_was_known() -> None:
    """Were aiokafka's own fields others than those of this file, all below would prove nothing: read from its source anew."""
    spec = importlib.util.find_spec("aiokafka.protocol.fetch")
    assert spec is not None
    assert spec.loader is not None
    fresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fresh)
    assert shape(fields(fresh.FetchRequest_v11.SCHEMA)["topics"]) == shape(ASKED)
    assert shape(fields(fresh.FetchResponse_v11.SCHEMA)["topics"]) == shape(ANSWERED)
    assert fresh.FetchRequest._CLASSES[-1].API_VERSION == 11, "another version would go the old, slow way"


@given(ASKED_TOPICS)
def test_K4_requests_are_the_same_bytes(asked: list[Any]) -> None:
    assert AskedTopics().encode(asked) == ASKED.encode(asked)


@given(ANSWERED_TOPICS, st.binary(max_size=4), st.binary(max_size=4))
def test_K4_answers_are_the_same_values_and_leave_the_rest(answered: list[Any], before: bytes, after: bytes) -> None:
    data = BytesIO(before + ANSWERED.encode(answered) + after)
    data.read(len(before))
    assert AnsweredTopics().decode(data) == answered
    assert data.read() == after


@given(ANSWERED_TOPICS.filter(bool), st.data())
def test_K4_an_answer_cut_short_is_an_error(answered: list[Any], data: st.DataObject) -> None:
    whole = ANSWERED.encode(answered)
    with pytest.raises(ValueError, match=r"cut short|codec"):
        AnsweredTopics().decode(BytesIO(whole[: data.draw(st.integers(0, len(whole) - 1))]))


def test_K4_installed_it_is_what_aiokafka_uses() -> None:
    install()
    install()
    assert isinstance(fields(FetchRequest_v11.SCHEMA)["topics"], AskedTopics)
    assert isinstance(fields(FetchResponse_v11.SCHEMA)["topics"], AnsweredTopics)
    made = FetchRequest(250, 1, 8, 1, [("t", [(0, 5, 100)])]).prepare({1: (0, 11)})
    assert ASKED.encode([("t", [(0, -1, 5, -1, 100)])]) in made.encode()
    assert "t" in repr(made)

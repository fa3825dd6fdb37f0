"""Every event type goes to bytes and back unchanged, whatever it holds (design decisions 1, 13)."""

from __future__ import annotations

import types
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal, Union, get_args, get_origin
from uuid import UUID, uuid4

import orjson
import pytest
from annotated_types import Ge, Le
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from contracts.events import EVENT_TYPES, Attachment, Event, Every, LeadCaptured, LeadSeen, Money, OfferMade, Term
from contracts.events.base import Event as EventBase
from contracts.meta import GENESIS, Actor, Meta, cloud_event_headers, digest_of
from contracts.personal import ERASED, Erased
from services.eventlog.mapper import (
    Head,
    LeadlineMapper,
    MalformedError,
    Recorded,
    UnknownTypeError,
    decode,
    encode,
    head,
    keys_of,
    peek,
)
from services.privacy.cipher import TamperedError, new_key

PERSON, STREAM, AT = uuid4(), uuid4(), datetime(2026, 11, 22, 9, tzinfo=UTC)
KEY = AESGCM(new_key())
FORM: dict[str, Any] = {"channel": "form", "source": "site", "fields": {"город": "Казань"}}
A_LEAD = LeadCaptured(pipeline="classic", contact=PERSON, received_at=AT, name="Анна", phone="+79161234567", **FORM)


class Ring:
    """One person's key, or its tombstone."""

    def __init__(self, key: AESGCM | None = KEY, person: UUID = PERSON) -> None:
        self._keys = {person: key}

    def key(self, key_id: UUID) -> AESGCM | None:
        """As `Opener` says."""
        return self._keys[key_id]


TEXTS = st.text(max_size=50) | st.sampled_from(["erased", "", "null", "\x00", "Ёлка ☎ 𝕏", '"}', "{}"])
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
MONEY = st.builds(
    Money,
    amount=st.decimals(0, Decimal("9999999999999.99"), places=2),
    currency=st.from_regex(r"[A-Z]{3}", fullmatch=True),
)
SMALL = st.integers(0, 1_000)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    bool: st.booleans(),
    UUID: st.uuids(),
    datetime: MOMENTS,
    date: st.dates(date(1970, 1, 1), date(2200, 1, 1)),
    Money: MONEY,
    Attachment: st.builds(Attachment, media_type=TEXTS, size=st.integers(0, 2**53), blob=st.uuids()),
    Every: st.builds(Every, months=SMALL, days=SMALL, working=st.booleans()),
    Term: st.builds(Term, months=SMALL, days=SMALL, hours=SMALL, minutes=SMALL, working=st.booleans()),
    type(None): st.none(),
}


def values(annotation: Any, limits: tuple[int, int] = (0, 2**53)) -> st.SearchStrategy[Any]:
    """Random values of an annotation that events use; a new kind of annotation must be added here."""
    if annotation in PLAIN:
        return PLAIN[annotation]
    if annotation is int:
        return st.integers(*limits)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (Union, types.UnionType):
        return st.one_of(*(values(part, limits) for part in arguments if part is not Erased))
    if origin is tuple and arguments[1:] == (...,):
        return st.lists(values(arguments[0]), max_size=4).map(tuple)
    if origin is dict:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=4)
    raise TypeError(f"no strategy for {annotation}")


def field_values(field: FieldInfo) -> st.SearchStrategy[Any]:
    """Random values of a field, within its limits."""
    lower = next((int(mark.ge) for mark in field.metadata if isinstance(mark, Ge)), 0)  # type: ignore[call-overload]
    upper = next((int(mark.le) for mark in field.metadata if isinstance(mark, Le)), 2**53)  # type: ignore[call-overload]
    return values(field.annotation, (lower, upper))


def events_of(cls: type[Event]) -> st.SearchStrategy[Event]:
    """Random events of a type."""
    return st.builds(cls, **{name: field_values(field) for name, field in cls.model_fields.items()})


def meta_of(cls: type[Event], **changed: Any) -> Meta:
    """An envelope for an event type."""
    return Meta(
        **{
            "stream": STREAM,
            "version": 1,
            "kind": cls.KIND,
            "type": cls.TOPIC,
            "schema_version": cls.class_version,
            "happened_at": AT,
            "recorded_at": AT,
            "actor": Actor(id="anna", kind="person"),
            "command": STREAM,
            "correlation": "x",
            "person": PERSON,
            **changed,
        }
    )


ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30)
METAS = st.builds(
    meta_of,
    st.just(LeadSeen),
    version=st.integers(1, 2**53),
    happened_at=MOMENTS,
    recorded_at=MOMENTS,
    causation=st.none() | ASCII,
    correlation=ASCII,
    traceparent=st.none() | ASCII,
    autodepth=st.integers(0, 11),
)


@pytest.mark.parametrize("topic", sorted(EVENT_TYPES))
def test_K1_every_event_type_round_trips(topic: str) -> None:
    cls = EVENT_TYPES[topic]

    @given(events_of(cls))
    def round_trips(event: Event) -> None:
        meta = meta_of(cls)
        record = peek(encode(meta, event, KEY))
        assert keys_of([record]) <= {PERSON}
        assert decode(record, Ring()) == Recorded(meta, event)

    round_trips()


@pytest.mark.parametrize("topic", sorted(EVENT_TYPES))
def test_M7_no_personal_field_stands_in_the_clear(topic: str) -> None:
    cls = EVENT_TYPES[topic]

    @given(events_of(cls))
    def sealed(event: Event) -> None:
        record = peek(encode(meta_of(cls), event, KEY))
        assert set(record) <= {"meta", "data", "personal"}
        assert not cls.PERSONAL & set(record["data"])
        if "personal" in record:
            erased = decode(record, Ring(None)).data
            assert all(getattr(erased, name) is ERASED for name in cls.PERSONAL)

    sealed()


@given(METAS)
def test_K1_every_envelope_round_trips_and_its_headers_are_ascii(meta: Meta) -> None:
    state = encode(meta, LeadSeen(), None)
    assert decode(peek(state), Ring()).meta == meta
    assert head(state) == Head(meta.version, meta.type, meta.schema_version, str(meta.stream))
    headers = dict(cloud_event_headers(meta, digest_of(GENESIS, state)))
    assert headers["ce_id"] == f"{meta.stream}-{meta.version}".encode()
    assert headers["ce_correlationid"].decode("ascii") == meta.correlation


@pytest.mark.parametrize("field", ["causation", "correlation", "pipeline", "traceparent"])
def test_K1_what_becomes_a_header_is_ascii_already_in_the_envelope(field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        meta_of(LeadSeen, **{field: "клиент"})


def test_K1_readers_ignore_unknown_fields_and_writers_refuse_them() -> None:
    record = peek(encode(meta_of(LeadCaptured), A_LEAD, KEY))
    record["later"], record["meta"]["later"], record["data"]["later"] = 1, {"x": 1}, [1]
    assert decode(record, Ring()).data == A_LEAD
    with pytest.raises(ValidationError, match="later"):
        LeadSeen(later=1)  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match="later"):
        meta_of(LeadSeen, later=1)


def test_M6_a_sealed_value_moved_to_another_event_is_tampering() -> None:
    first = peek(encode(meta_of(LeadCaptured), A_LEAD, KEY))
    second = peek(encode(meta_of(LeadCaptured, version=2), A_LEAD, KEY))
    elsewhere = peek(encode(meta_of(LeadCaptured, stream=uuid4()), A_LEAD, KEY))
    for target in (second, elsewhere):
        target["personal"] = first["personal"]
        with pytest.raises(TamperedError, match="does not open"):
            decode(target, Ring())


def test_M6_an_altered_sealed_value_is_tampering_and_never_erased() -> None:
    record = peek(encode(meta_of(LeadCaptured), A_LEAD, KEY))
    middle = len(record["personal"]) - 20
    flipped = "A" if record["personal"][middle] != "A" else "B"
    record["personal"] = record["personal"][:middle] + flipped + record["personal"][middle + 1 :]
    with pytest.raises(TamperedError):
        decode(record, Ring())
    with pytest.raises(TamperedError):
        decode(record | {"personal": "not sealed"}, Ring())
    with pytest.raises(TamperedError):
        decode(peek(encode(meta_of(LeadCaptured), A_LEAD, AESGCM(new_key()))), Ring())


def test_M6_the_digest_covers_the_bytes_and_the_predecessor() -> None:
    state = encode(meta_of(LeadSeen), LeadSeen(), None)
    first = digest_of(GENESIS, state)
    assert len(first) == 32
    assert len({first, digest_of(first, state), digest_of(GENESIS, state + b" ")}) == 3


def test_M7_personal_values_without_their_key_are_not_written() -> None:
    with pytest.raises(ValueError, match="need their person's key"):
        encode(meta_of(LeadCaptured), A_LEAD, None)
    with pytest.raises(ValueError, match="need their person's key"):
        encode(meta_of(LeadCaptured, person=None), A_LEAD, KEY)


@pytest.mark.parametrize(
    "state", [b"", b"\xff\xfe", b"[]", b"{}", b'{"meta":1,"data":{}}', b'{"meta":{},"data":[]}', b"null"]
)
def test_K1_bytes_that_are_no_event_are_malformed(state: bytes) -> None:
    with pytest.raises(MalformedError):
        peek(state)


def test_K1_a_bad_record_is_malformed_and_the_error_shows_no_value() -> None:
    offer = OfferMade(volume="3 м", price=Money(amount=Decimal(1), currency="RUB"))
    record = peek(encode(meta_of(OfferMade), offer, KEY))
    record["data"]["delivery_days"] = "Анна Смирнова"
    with pytest.raises(MalformedError) as caught:
        decode(record, Ring())
    assert "Анна" not in str(caught.value)
    assert "delivery_days" in str(caught.value)
    record["meta"]["version"] = 0
    with pytest.raises(MalformedError, match="meta"):
        decode(record, Ring())


def test_K1_an_unknown_type_or_later_version_says_the_release_is_older_than_the_log() -> None:
    record = peek(encode(meta_of(LeadSeen, type="leadline.lead.from_the_future"), LeadSeen(), None))
    with pytest.raises(UnknownTypeError, match="older than the log"):
        decode(record, Ring())
    record = peek(encode(meta_of(LeadSeen, schema_version=2), LeadSeen(), None))
    with pytest.raises(UnknownTypeError, match="version 2"):
        decode(record, Ring())


def test_K1_a_type_is_taken_once() -> None:
    with pytest.raises(TypeError, match="is taken by LeadSeen"):
        type("Again", (EventBase,), {"TOPIC": LeadSeen.TOPIC, "KIND": "lead", "__module__": __name__})
    assert EVENT_TYPES[LeadSeen.TOPIC] is LeadSeen


@pytest.fixture
def grown() -> Iterator[type[Event]]:
    """An event type in its second version: `place` became `city`."""

    class Grown(EventBase):
        TOPIC: ClassVar[str] = "leadline.test.grown"
        KIND: ClassVar[Any] = "lead"
        class_version: ClassVar[int] = 2
        city: str

        @staticmethod
        def upcast_v1_v2(state: dict[str, Any]) -> None:
            state["city"] = state.pop("place")

    yield Grown
    del EVENT_TYPES[Grown.TOPIC]


def test_K1_an_older_version_is_upcast_before_it_is_read(grown: type[Event]) -> None:
    meta = meta_of(grown, schema_version=1)
    state = orjson.dumps({"meta": meta.model_dump(mode="json"), "data": {"place": "Казань"}})
    assert decode(peek(state), Ring()).data == grown(city="Казань")  # type: ignore[call-arg]


def test_K1_the_eventsourcing_librarys_mapper_speaks_our_wire_form() -> None:
    mapper = LeadlineMapper(Ring())
    recorded = Recorded(meta_of(LeadCaptured), A_LEAD)
    stored = mapper.to_stored_event(recorded)
    assert (stored.originator_id, stored.originator_version, stored.topic) == (STREAM, 1, LeadCaptured.TOPIC)
    assert mapper.to_domain_event(stored) == recorded
    unkeyed = Recorded(meta_of(LeadSeen, person=None), LeadSeen())
    assert mapper.to_domain_event(mapper.to_stored_event(unkeyed)) == unkeyed

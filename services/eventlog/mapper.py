"""From an event to the bytes stored and published, and back (decision 1, 13).

The wire form is `{"meta": {...}, "data": {...}, "personal": sealed}`, all personal fields of an event in one
ciphertext (`docs/decisions/0002`). Invariants: the bytes are made once, at the
decision, and never again; writers are strict, readers ignore unknown fields; an older version is upcast as a dict before it
is validated. Raises `UnknownTypeError` for a type this release does not know, `MalformedError` for bytes that are no event.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from eventsourcing.persistence import Mapper, StoredEvent
from pydantic import ValidationError

from contracts.events import EVENT_TYPES, Event
from contracts.meta import Actor, Meta
from contracts.personal import ERASED, Erased
from contracts.recorded import Recorded
from services.privacy.cipher import Opener, TamperedError, key_id_of, open_sealed, seal

__all__ = [
    "Head",
    "LeadlineMapper",
    "MalformedError",
    "Recorded",
    "UnknownTypeError",
    "decode",
    "encode",
    "head",
    "keys_of",
    "peek",
]


class MalformedError(Exception):
    """The bytes are no event of ours."""


class UnknownTypeError(MalformedError):
    """A type that this release's contracts do not hold: the release is older than the log."""


def encode(meta: Meta, data: Event, key: AESGCM | None) -> bytes:
    """The bytes of an event. `key` is that of `meta.person`; needed only when the event has personal values."""
    return encode_with(envelope_of(meta), meta, data, key)


def encode_with(envelope: bytes, meta: Meta, data: Event, key: AESGCM | None) -> bytes:
    """The bytes of an event whose common envelope (`envelope_of`) was made before, for several events of one command."""
    shape = _shape_of(type(data))
    # a type is a name of ours (`TypeName`): nothing in it is written in another way in JSON
    own = b'{"meta":{"version":%d,"type":"%b","schema_version":%d,' % (
        meta.version,
        meta.type.encode(),
        meta.schema_version,
    )
    body = own + envelope + b',"data":'
    if not shape.has_fields:
        return body + b"{}}"
    if not shape.personal:
        return body + shape.to_json(data, exclude_none=True) + b"}"
    personal = {
        name: value
        for name, required in shape.personal
        if (value := getattr(data, name)) is not None and (required or value not in ({}, ()))
    }
    public = shape.to_json(data, exclude=shape.names, exclude_none=True)
    if not personal:
        return body + public + b"}"
    if ERASED in personal.values():
        raise ValueError(f"{meta.type}: an erased value is never written again")
    if key is None or meta.person is None:
        raise ValueError(f"{meta.type}: its personal fields need their person's key")
    sealed = seal(meta.person, key, f"{meta.stream}-{meta.version}/personal", personal)
    return body + public + b',"personal":"' + sealed.encode("ascii") + b'"}'


class _Shape(NamedTuple):
    """What encoding needs to know of a type, asked of pydantic once and not for every event."""

    has_fields: bool
    personal: tuple[tuple[str, bool], ...]
    """Personal fields, and whether each is required."""
    names: set[str]
    to_json: Callable[..., bytes]


@cache
def _shape_of(cls: type[Event]) -> _Shape:
    fields = cls.model_fields
    personal = tuple((name, fields[name].is_required()) for name in sorted(cls.PERSONAL))
    return _Shape(bool(fields), personal, set(cls.PERSONAL), cls.__pydantic_serializer__.to_json)


OF_EACH_EVENT = frozenset({"version", "type", "schema_version"})


def envelope_of(meta: Meta) -> bytes:
    """What the envelopes of all events of one command on one stream have in common, as the end of a JSON object.

    By orjson, which is several times as fast here as the model's own dump; absent fields are left out.
    """
    common = {k: v for k, v in meta.__dict__.items() if v is not None and k not in OF_EACH_EVENT}
    return orjson.dumps(common, _plain, orjson.OPT_UTC_Z)[1:]


def _plain(value: object) -> object:
    if isinstance(value, Actor):
        return {k: v for k, v in value.__dict__.items() if v is not None}
    if isinstance(value, UUID):  # asyncpg's own kind, which orjson does not know
        return str(value)
    raise TypeError(f"no part of an envelope: {type(value).__name__}")


class Head(NamedTuple):
    """What `encode` writes first of an event."""

    version: int
    type: str
    schema_version: int
    stream: str


_HEAD = re.compile(
    rb'\{"meta":\{"version":([1-9][0-9]{0,17}),"type":"([a-z0-9_.]+)","schema_version":([1-9][0-9]{0,8}),'
    rb'"envelope":[0-9]+,"stream":"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})",'
)


def head(state: bytes) -> Head | None:
    """What stands first in the bytes of an event, without decoding the rest (a tenth of the work); None where they do not begin
    as `encode` begins them. The rest is not looked at: it may be no JSON."""
    found = _HEAD.match(state)
    if found is None:
        return None
    version, type_, schema, stream = found.groups()
    return Head(int(version), type_.decode(), int(schema), stream.decode())


def peek(state: bytes) -> dict[str, Any]:
    """The record as plain JSON, not validated. Raises MalformedError when it is none."""
    try:
        record = orjson.loads(state)
        if isinstance(record, dict) and isinstance(record["meta"], dict) and isinstance(record["data"], dict):
            return record
    except (orjson.JSONDecodeError, KeyError):
        pass
    raise MalformedError("not a JSON object with meta and data")


def keys_of(records: Iterable[dict[str, Any]]) -> set[UUID]:
    """Ids of the keys that seal anything in these records (as `peek` gives them), for `KeyRing.load`."""
    return {key_id_of(sealed) for record in records if (sealed := record.get("personal"))}


def decode(record: dict[str, Any], opener: Opener) -> Recorded:
    """The event in a record that `peek` gave. Raises UnknownTypeError, MalformedError, TamperedError."""
    try:
        meta = Meta.model_validate(record["meta"], extra="ignore")
    except ValidationError as error:
        raise MalformedError(f"meta: {error.errors(include_input=False, include_url=False)}") from error
    cls = EVENT_TYPES.get(meta.type)
    if cls is None or meta.schema_version > cls.class_version:
        raise UnknownTypeError(f"{meta.type} version {meta.schema_version}: this release is older than the log")
    data: dict[str, Any] = record["data"]
    for version in range(meta.schema_version, cls.class_version):
        getattr(cls, f"upcast_v{version}_v{version + 1}")(data)
    sealed = record.get("personal")
    if sealed:
        place = f"{record['meta']['stream']}-{meta.version}/personal"
        key_id = key_id_of(sealed)
        if key_id != meta.person:
            # Under the id of a destroyed key, a changed record would pass for an erased one.
            raise TamperedError(f"{place} is sealed under another key than its person's")
        personal = open_sealed(opener.key(key_id), place, sealed)
        data = {**data, **(dict.fromkeys(cls.PERSONAL, ERASED) if isinstance(personal, Erased) else personal)}
    try:
        return Recorded(meta, cls.model_validate(data, extra="ignore"))
    except ValidationError as error:
        raise MalformedError(f"data: {error.errors(include_input=False, include_url=False)}") from error


class LeadlineMapper(Mapper[UUID]):
    """The `eventsourcing` library's mapper over the same wire form, for its tools and its recorder test cases."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener

    def to_stored_event(self, domain_event: Any) -> StoredEvent:
        """A `Recorded` event as the library's StoredEvent."""
        meta = domain_event.meta
        key = self._opener.key(meta.person) if meta.person is not None else None
        return StoredEvent(meta.stream, meta.version, meta.type, encode(meta, domain_event.data, key))

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        """The `Recorded` event of a StoredEvent."""
        return decode(peek(stored_event.state), self._opener)

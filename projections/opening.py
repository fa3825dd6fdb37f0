"""From a record that came to the event that projections take: brought up to date, personal part opened.

Invariants: a personal part whose key was destroyed gives an event that is `erased`, with no personal values, never a guess;
one that does not open under its key raises TamperedError. Texts lose NUL characters, which Postgres cannot keep.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contracts.events import EVENT_TYPES
from contracts.personal import Erased
from projections.event import Event
from services.eventlog.consuming.streams import Arrived
from services.privacy.cipher import open_sealed

NUL = b"\\u0000"
NOTHING: dict[str, Any] = {}
"""The personal values of an event that has none: one object for all of them, never changed."""
_time = datetime.fromisoformat


def event_of(arrived: Arrived, key: AESGCM | None) -> Event:
    """The event in a record that came; `key` opens its sealed part, None: it was destroyed, or there is no such part.

    Raises KeyError, TypeError, ValueError for what is malformed, TamperedError for a sealed part that was changed.
    """
    record = arrived.record
    return opened(
        arrived.stream, arrived.version, arrived.type, record.partition, arrived.event, record.value or b"", key
    )


def opened(
    stream: str,
    version: int,
    type_: str,
    partition: int,
    record: dict[str, Any],
    state: bytes,
    key: AESGCM | None,
    *,
    personal: bool = True,
) -> Event:
    """The event whose plain JSON is `record` and whose bytes are `state`; without its `personal` part when told so.

    Raises as `event_of`. A version above that of this release's contracts must have been refused before.
    """
    meta, data = record["meta"], record["data"]
    cls = EVENT_TYPES[type_]
    for written in range(meta.get("schema_version", 1), cls.class_version):
        getattr(cls, f"upcast_v{written}_v{written + 1}")(data)
    values: dict[str, Any] = NOTHING
    text, erased = None, False
    sealed = record.get("personal") if personal else None
    if sealed:
        found = open_sealed(key, f"{stream}-{version}/personal", sealed)
        if isinstance(found, Erased):
            erased = True
        elif found:
            values, in_json = found, orjson.dumps(found)
            if NUL in in_json:
                values = _without_nul(values)
                in_json = orjson.dumps(values)
            text = in_json.decode()
    if NUL in state:
        data = _without_nul(data)
    return Event(
        stream,
        version,
        meta["kind"],
        type_,
        partition,
        _time(meta["happened_at"]),
        _time(meta["recorded_at"]),
        meta["actor"],
        meta.get("person"),
        data,
        values,
        text,
        bool(sealed),
        erased,
        meta.get("pipeline"),
    )


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(item) for key, item in value.items()}
    return [_without_nul(item) for item in value] if isinstance(value, list) else value

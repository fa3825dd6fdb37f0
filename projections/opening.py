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


def event_of(arrived: Arrived, key: AESGCM | None) -> Event:
    """The event in a record that came; `key` opens its sealed part, None: it was destroyed, or there is no such part.

    Raises KeyError, TypeError, ValueError for what is malformed, TamperedError for a sealed part that was changed.
    """
    meta, data = arrived.event["meta"], arrived.event["data"]
    cls = EVENT_TYPES[arrived.type]
    for version in range(meta.get("schema_version", 1), cls.class_version):
        getattr(cls, f"upcast_v{version}_v{version + 1}")(data)
    sealed = arrived.event.get("personal")
    personal: Any = {}
    if sealed:
        place = f"{arrived.stream}-{arrived.version}/personal"
        personal = open_sealed(key, place, sealed)
    erased = isinstance(personal, Erased)
    if erased:
        personal = {}
    personal_json = orjson.dumps(personal) if personal else None
    if personal_json and NUL in personal_json:
        personal = _without_nul(personal)
        personal_json = orjson.dumps(personal)
    if NUL in (arrived.record.value or b""):
        data = _without_nul(data)
    return Event(
        arrived.stream,
        arrived.version,
        meta["kind"],
        arrived.type,
        arrived.record.partition,
        datetime.fromisoformat(meta["happened_at"]),
        datetime.fromisoformat(meta["recorded_at"]),
        meta["actor"],
        meta.get("person"),
        data,
        personal,
        None if personal_json is None else personal_json.decode(),
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

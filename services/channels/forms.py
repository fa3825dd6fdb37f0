"""From the bytes of a posted body to one JSON object, without interpreting it (decision 10).

Pure. Invariants: JSON is kept byte for byte, a plain HTML form becomes a JSON object of the same names and texts; only
what no later step could read is refused (`UnacceptableError`, naming the place), all else is accepted and, if need be,
quarantined by the aggregate service.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import orjson
from pydantic import TypeAdapter, ValidationError

from contracts.inbound import Moment
from services.channels.errors import UnacceptableError

FORM_BYTES = 64 * 1024
"""The largest body over HTTP. What is larger comes by mail, whose files go to `blobs` (decision 10), or as a link."""
FORM_DEPTH = 32
"""The deepest nesting of a JSON form."""
FORM_FIELDS = 300
"""The most fields of a plain HTML form."""

FORM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}")
IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)


def form_name(text: str) -> str:
    """The form's name. Raises UnacceptableError (422) unless it is up to 100 of A-Z a-z 0-9 _ . -"""
    if not FORM_NAME.fullmatch(text):
        raise UnacceptableError(
            422, "form-name", "a form's name is 1 to 100 of the characters A-Z a-z 0-9 _ . -", where="path"
        )
    return text


def idempotency_key(text: str | None) -> str | None:
    """The `Idempotency-Key`, if any. Raises UnacceptableError (422) unless it is 1 to 200 visible ASCII characters."""
    if text is not None and not IDEMPOTENCY_KEY.fullmatch(text):
        raise UnacceptableError(
            422,
            "idempotency-key",
            "an Idempotency-Key is 1 to 200 visible ASCII characters without spaces",
            where="header Idempotency-Key",
        )
    return text


def too_large(limit: int = FORM_BYTES) -> UnacceptableError:
    """The answer to a body above the limit (bytes)."""
    return UnacceptableError(
        413,
        "too-large",
        f"a body may have {limit // 1024} KB; send files and long texts by mail, or give a link to them",
        where="body",
    )


def read_form(content_type: str | None, raw: bytes) -> tuple[bytes, dict[str, Any]]:
    """The JSON text to keep, and the object it is. Raises UnacceptableError: 400 not JSON, 413, 415, 422 no object."""
    if len(raw) > FORM_BYTES:
        raise too_large()
    if _kind(content_type) == "application/x-www-form-urlencoded":
        fields = _read_urlencoded(raw)
        raw = orjson.dumps(fields)
        if len(raw) > FORM_BYTES:
            raise too_large()
        _check(fields)
        return raw, fields
    return raw, _read_object(
        content_type, raw, "send the form as application/json or application/x-www-form-urlencoded"
    )


def read_object(content_type: str | None, raw: bytes, limit: int = FORM_BYTES) -> dict[str, Any]:
    """The JSON object of a call, message or visit. Raises UnacceptableError: 400 not JSON, 413, 415, 422 no object."""
    if len(raw) > limit:
        raise too_large(limit)
    return _read_object(content_type, raw, "send the body as application/json")


def _read_object(content_type: str | None, raw: bytes, way_out: str) -> dict[str, Any]:
    kind = _kind(content_type)
    if kind != "application/json" and not kind.endswith("+json"):
        raise UnacceptableError(415, "media-type", way_out, where="header Content-Type")
    body = read_json(raw)
    if not isinstance(body, dict):
        raise UnacceptableError(
            422, "not-an-object", "the body must be a JSON object of names and values", where="body"
        )
    _check(body)
    return body


def _kind(content_type: str | None) -> str:
    return (content_type or "application/json").partition(";")[0].strip().lower()


def read_json(raw: bytes) -> Any:
    """Any JSON. Raises UnacceptableError (400) with line and column of what cannot be read."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise UnacceptableError(
            400, "not-json", f"the body is not JSON in UTF-8: it cannot be read at {place}", where=place
        ) from None


def _read_urlencoded(raw: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=FORM_FIELDS
        )
    except UnicodeDecodeError:
        raise UnacceptableError(
            400, "not-utf-8", "the form is not percent-encoded UTF-8; set accept-charset=utf-8", where="body"
        ) from None
    except ValueError:
        raise UnacceptableError(422, "too-many-fields", f"a form may have {FORM_FIELDS} fields", where="body") from None
    body: dict[str, str] = {}
    for name, value in pairs:
        body[name] = f"{body[name]}, {value}" if body.get(name) else value
    return body


def _check(body: dict[str, Any]) -> None:
    """Refuse what no table and no reader downstream could hold: the NUL character, and nesting without end."""
    todo: list[tuple[Any, str, int]] = [(body, "", 1)]
    while todo:
        value, place, depth = todo.pop()
        if isinstance(value, str):
            if "\x00" in value:
                raise UnacceptableError(422, "nul", "a text may not hold the NUL character", where=place or "body")
        elif isinstance(value, dict | list):
            if depth > FORM_DEPTH:
                raise UnacceptableError(422, "too-deep", f"values may be nested {FORM_DEPTH} deep", where="body")
            if isinstance(value, dict):
                todo += [(name, "the name of a field", depth) for name in value]
                todo += [(inner, place or _shown(name), depth + 1) for name, inner in value.items()]
            else:
                todo += [(inner, place, depth + 1) for inner in value]


def _shown(name: str) -> str:
    """A field's name for an error text, cut short."""
    return f"field {name[:60]!r}"


_MOMENT_OF = {"form": "occurred_at", "message": "occurred_at", "call": "started_at", "visit": "at"}


def occurred_at(channel: str, body: dict[str, Any]) -> datetime | None:
    """When the sender says it happened, if that can be read; the aggregate service judges it."""
    try:
        return _MOMENT.validate_python(body.get(_MOMENT_OF[channel]))
    except ValidationError:
        return None

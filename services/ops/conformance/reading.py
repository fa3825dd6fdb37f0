"""Messages from a JSON-lines file: one message a line, either the body alone or `{"headers", "key", "value"}` as on Kafka.

A line that is no JSON is a message all the same, whose body is what stands there: the rules say what is wrong with it. Raises
OpsError for a file that cannot be read or holds nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from services.ops.conformance.rules import Message
from services.ops.place import OpsError

FILE_BYTES = 64 * 1024 * 1024


def read(path: str) -> list[Message]:
    """The messages of a file; `-` is the standard input."""
    try:
        raw = sys.stdin.buffer.read(FILE_BYTES + 1) if path == "-" else _bytes_of(Path(path))
    except OSError as error:
        raise OpsError(
            f"{path}: {error.strerror or error}; give a file of JSON lines, or - for the standard input"
        ) from None
    if len(raw) > FILE_BYTES:
        raise OpsError(f"{path}: over {FILE_BYTES // 1024 // 1024} MB; some hundred messages are enough")
    found = list(messages(raw.splitlines(), Path(path).name if path != "-" else "stdin"))
    if not found:
        raise OpsError(f"{path}: no message in it; write one JSON object a line")
    return found


def messages(lines: Iterable[bytes], name: str) -> Iterable[Message]:
    """One message for each line that is not empty."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _message(line, f"{name}:{number}")


def _message(line: bytes, place: str) -> Message:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return Message(place, line, "http")
    if isinstance(found, dict) and "value" in found and found.keys() <= {"headers", "key", "value"}:
        headers = found.get("headers")
        given = {str(k): str(v) for k, v in headers.items()} if isinstance(headers, dict) else {}
        return Message(place, _raw(found["value"]), "kafka", given, _text(found.get("key")), given.get("ce_source", ""))
    return Message(place, line, "http")


def _raw(value: Any) -> bytes:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else orjson.dumps(value)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _bytes_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(FILE_BYTES + 1)

"""Every event version ever published is read by today's code as it was meant (design decisions 1, 3, 13)."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import contracts
from contracts.events import EVENT_TYPES
from contracts.meta import GENESIS, cloud_event_headers, digest_of
from contracts.personal import ERASED
from services.eventlog.mapper import Recorded, decode, keys_of, peek

GOLDEN = Path(contracts.__file__).parent / "golden"
SAMPLES = sorted(path.name.removesuffix(".json") for path in GOLDEN.glob("*.v*.json"))
EXPECTED: dict[str, Any] = json.loads((GOLDEN / "expected.json").read_text("utf-8"))


class Keys:
    """The samples' keys, or their tombstones."""

    def __init__(self, *, destroyed: bool = False) -> None:
        raw = json.loads((GOLDEN / "keys.json").read_text("utf-8"))["keys"]
        self._keys = {UUID(i): None if destroyed else AESGCM(base64.b64decode(k)) for i, k in raw.items()}

    def key(self, key_id: UUID) -> AESGCM | None:
        """As `Opener` says."""
        return self._keys[key_id]


def read(name: str, *, destroyed: bool = False) -> Recorded:
    """A sample, decoded by today's code."""
    return decode(peek((GOLDEN / f"{name}.json").read_bytes()), Keys(destroyed=destroyed))


def test_K1_each_event_version_has_exactly_one_sample() -> None:
    versions = [f"{t}.v{v}" for t, cls in EVENT_TYPES.items() for v in range(1, cls.class_version + 1)]
    assert sorted(versions) == SAMPLES
    assert sorted(EXPECTED) == SAMPLES


def test_K1_released_samples_never_change() -> None:
    lines = (GOLDEN / "SHA256SUMS").read_text("ascii").splitlines()
    sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
    now = {f"{name}.json": hashlib.sha256((GOLDEN / f"{name}.json").read_bytes()).hexdigest() for name in SAMPLES}
    assert sums == now


@pytest.mark.parametrize("name", SAMPLES)
def test_K1_sample_decodes_to_what_was_meant(name: str) -> None:
    recorded = read(name)
    assert recorded.meta.model_dump(mode="json") == EXPECTED[name]["meta"]
    read_now, meant = recorded.data.model_dump(mode="json"), EXPECTED[name]["data"]
    assert {field: read_now[field] for field in meant} == meant
    fields = type(recorded.data).model_fields
    added = {field: getattr(recorded.data, field) for field in read_now.keys() - meant.keys()}
    assert added == {field: fields[field].get_default(call_default_factory=True) for field in added}


@pytest.mark.parametrize("name", SAMPLES)
def test_M7_sample_without_its_key_is_erased_and_the_rest_stays(name: str) -> None:
    recorded, expected = read(name, destroyed=True), EXPECTED[name]["data"]
    sealed = "personal" in peek((GOLDEN / f"{name}.json").read_bytes())
    for field in expected:
        if field in recorded.data.PERSONAL and sealed:
            assert getattr(recorded.data, field) is ERASED
        else:
            assert recorded.data.model_dump(mode="json")[field] == expected[field]


@pytest.mark.parametrize("name", SAMPLES)
def test_M7_sample_names_its_key_and_shows_no_personal_value(name: str) -> None:
    state = (GOLDEN / f"{name}.json").read_bytes()
    record = peek(state)
    assert keys_of([record]) == ({UUID(record["meta"]["person"])} if "personal" in record else set())
    for text in personal_texts(name):
        assert text.encode() not in state
        assert json.dumps(text).encode() not in state


@pytest.mark.parametrize("name", SAMPLES)
def test_M7_headers_are_ascii_and_hold_no_personal_value(name: str) -> None:
    state = (GOLDEN / f"{name}.json").read_bytes()
    headers = cloud_event_headers(read(name).meta, digest_of(GENESIS, state))
    assert {header: value.decode("ascii") for header, value in headers} == EXPECTED[name]["headers"]
    assert all(header == header.lower() and header.isascii() for header, _ in headers)
    joined = b"\n".join(value for _, value in headers)
    for text in personal_texts(name):
        assert text.encode() not in joined


def personal_texts(name: str) -> list[str]:
    """Every text a sample seals, names of a form's further fields among them."""
    found: list[str] = []
    cls = EVENT_TYPES[EXPECTED[name]["meta"]["type"]]
    for field in cls.PERSONAL:
        value = EXPECTED[name]["data"].get(field)
        texts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else [value]
        found += [text for text in texts if text and field != "values"]
    return found

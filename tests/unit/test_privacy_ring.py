"""The ring of keys: what it caches, for how long, and what «destroyed» looks like (M7). Its SQL is tested on Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.privacy.cipher import open_sealed, seal
from services.privacy.store import CACHE_SECONDS, KeyRing

MASTER = bytes(range(32))


class Vault:
    """Answers the ring's one query from a dict, and counts how often it was asked."""

    def __init__(self) -> None:
        self.rows: dict[UUID, bytes | None] = {}
        self.asked: list[list[UUID]] = []

    async def fetch(self, _query: str, ids: Sequence[UUID]) -> list[tuple[UUID, bytes | None]]:
        """Rows of these ids."""
        self.asked.append(list(ids))
        return [(i, self.rows[i]) for i in ids if i in self.rows]


class Seconds:
    """A monotonic clock moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def vault() -> Any:
    return Vault()


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


async def test_M7_a_made_key_opens_in_another_ring_after_loading(vault: Any) -> None:
    person, mine, theirs = uuid4(), KeyRing(MASTER), KeyRing(MASTER)
    key, vault.rows[person] = mine.make(person)
    sealed = seal(person, key, "here", "Анна")
    await theirs.load(vault, [person])
    assert open_sealed(theirs.key(person), "here", sealed) == "Анна"


async def test_M7_a_tombstone_and_a_missing_row_read_as_destroyed_but_unasked_is_an_error(vault: Any) -> None:
    ring, destroyed, never = KeyRing(MASTER), uuid4(), uuid4()
    vault.rows[destroyed] = None
    await ring.load(vault, [destroyed, never])
    assert ring.key(destroyed) is None
    assert ring.key(never) is None
    with pytest.raises(KeyError):
        ring.key(uuid4())


async def test_M7_keys_are_cached_for_a_minute_and_no_longer(vault: Any, seconds: Seconds) -> None:
    ring, person = KeyRing(MASTER, seconds), uuid4()
    vault.rows[person] = KeyRing(MASTER).make(person)[1]
    await ring.load(vault, [person])
    seconds.now += CACHE_SECONDS
    await ring.load(vault, [person])
    assert len(vault.asked) == 1
    vault.rows[person] = None
    seconds.now += 0.1
    await ring.load(vault, [person])
    assert len(vault.asked) == 2
    assert ring.key(person) is None


async def test_M7_a_forgotten_key_is_fetched_again(vault: Any) -> None:
    ring, person = KeyRing(MASTER), uuid4()
    ring.hold({person: ring.make(person)[0]})
    assert ring.key(person) is not None
    ring.forget([person, uuid4()])
    with pytest.raises(KeyError):
        ring.key(person)
    await ring.load(vault, [person])
    assert ring.key(person) is None
    ring.clear()
    with pytest.raises(KeyError):
        ring.key(person)


async def test_M7_what_was_loaded_stays_with_its_loader_and_a_key_made_is_nobodys_until_it_is_held(vault: Any) -> None:
    ring, person, other = KeyRing(MASTER), uuid4(), uuid4()
    made, vault.rows[person] = ring.make(person)
    with pytest.raises(KeyError):
        ring.key(person)
    mine = await ring.load(vault, [person, other])
    ring.clear()
    key = mine[person]
    assert key is not None
    assert open_sealed(key, "here", seal(person, made, "here", "Анна")) == "Анна"
    assert mine[other] is None

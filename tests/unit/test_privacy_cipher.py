"""Sealing, opening, wrapping (M7, design decision 13)."""

from __future__ import annotations

import base64
import os
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from contracts.personal import ERASED, Erased, known
from services.privacy.cipher import (
    TamperedError,
    identity_hmac,
    key_id_of,
    new_key,
    new_nonce,
    open_sealed,
    seal,
    unwrap_key,
    wrap_key,
)

KEY_ID, PLACE = (
    UUID("5f34c95c-ad97-4aee-a68a-66bfe40f6493"),
    "event-1/personal",
)  # a parameter: the same in every process
KEY = AESGCM(new_key())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(JSON)
def test_M7_what_was_sealed_opens(value: object) -> None:
    sealed = seal(KEY_ID, KEY, PLACE, value)
    assert key_id_of(sealed) == KEY_ID
    assert open_sealed(KEY, PLACE, sealed) == value


def test_M7_without_the_key_it_is_erased() -> None:
    assert open_sealed(None, PLACE, seal(KEY_ID, KEY, PLACE, "Анна")) is ERASED


def test_M7_a_sealed_text_is_ascii_and_never_twice_the_same() -> None:
    sealed = {seal(KEY_ID, KEY, PLACE, "Анна") for _ in range(100)}
    assert len(sealed) == 100
    assert all(text.isascii() for text in sealed)


@given(st.integers(0, 27 + len('"тест"'.encode())), st.integers(1, 255))
def test_M6_any_changed_byte_is_tampering(index: int, change: int) -> None:
    head, _, body = seal(KEY_ID, KEY, PLACE, "тест").rpartition(".")
    raw = bytearray(base64.b64decode(body))
    raw[index] ^= change
    with pytest.raises(TamperedError):
        open_sealed(KEY, PLACE, f"{head}.{base64.b64encode(raw).decode()}")


@pytest.mark.parametrize("cut", [0, 1, 12, 20])
def test_M6_a_cut_short_value_is_tampering(cut: int) -> None:
    head, _, body = seal(KEY_ID, KEY, PLACE, "тест").rpartition(".")
    with pytest.raises(TamperedError):
        open_sealed(KEY, PLACE, f"{head}.{base64.b64encode(base64.b64decode(body)[:cut]).decode()}")


def test_M6_a_value_moved_or_under_another_key_is_tampering() -> None:
    sealed = seal(KEY_ID, KEY, PLACE, "тест")
    with pytest.raises(TamperedError, match="event-2/personal"):
        open_sealed(KEY, "event-2/personal", sealed)
    with pytest.raises(TamperedError):
        open_sealed(AESGCM(new_key()), PLACE, sealed)


@pytest.mark.parametrize(
    "text", ["", "1", "1.", "1.x.", "1.not-a-uuid.AAAA", f"2.{KEY_ID}.AAAA", f"1.{KEY_ID}.", "Анна"]
)
def test_M6_what_is_no_sealed_value_is_told(text: str) -> None:
    with pytest.raises(TamperedError):
        key_id_of(text)


def test_M6_errors_show_no_personal_value() -> None:
    sealed = seal(KEY_ID, KEY, PLACE, "Анна Смирнова")
    with pytest.raises(TamperedError) as caught:
        open_sealed(KEY, "elsewhere", sealed)
    assert sealed not in str(caught.value)


def test_M7_a_wrapped_key_opens_under_its_master_key_and_id_only() -> None:
    master, key = new_key(), new_key()
    wrapped = wrap_key(master, KEY_ID, key)
    assert unwrap_key(master, KEY_ID, wrapped) == key
    assert key not in wrapped
    with pytest.raises(TamperedError, match="LEADLINE_MASTER_KEY"):
        unwrap_key(new_key(), KEY_ID, wrapped)
    with pytest.raises(TamperedError):
        unwrap_key(master, uuid4(), wrapped)
    with pytest.raises(TamperedError):
        unwrap_key(master, KEY_ID, wrapped[:-1] + bytes([wrapped[-1] ^ 1]))


def test_M7_new_keys_are_256_bits_and_differ() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert {len(key) for key in keys} == {32}


def test_C3_an_identity_is_looked_up_by_a_keyed_hash_of_kind_and_value() -> None:
    pepper = new_key()
    found = identity_hmac(pepper, "phone", "+79161234567")
    assert found == identity_hmac(pepper, "phone", "+79161234567")
    others = {
        identity_hmac(new_key(), "phone", "+79161234567"),
        identity_hmac(pepper, "email", "+79161234567"),
        identity_hmac(pepper, "phone", "+79161234568"),
    }
    assert found not in others
    assert len(found) == 32


def test_M7_erased_is_one_value_and_reads_as_unknown() -> None:
    assert Erased("erased") is ERASED
    assert repr(ERASED) == "ERASED"
    assert known(ERASED) is None
    assert known("Анна") == "Анна"


def test_M7_a_forked_child_draws_random_bytes_of_its_own() -> None:
    new_nonce()
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writer, new_nonce())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    theirs = os.read(reader, 100)
    os.close(reader)
    assert len(theirs) == 12
    assert theirs not in [new_nonce() for _ in range(500)]

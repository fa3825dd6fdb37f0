"""K5, N18: what intake makes of posted bytes, and of keys and names, before anything is stored."""

from __future__ import annotations

from uuid import UUID, uuid4

import orjson
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import ValidationError

from contracts.inbound import FormBody
from contracts.personal import ERASED
from services.channels import forms
from services.channels.errors import UnacceptableError
from services.channels.journal import mended
from services.channels.senders import partition_key, sender_of
from services.privacy.cipher import TamperedError, new_key
from services.privacy.messages import message_hash, open_message, seal_message

PEPPER = b"p" * 32
JSON = "application/json"
HTML = "application/x-www-form-urlencoded"


def refused(content_type: str | None, raw: bytes) -> UnacceptableError:
    with pytest.raises(UnacceptableError) as caught:
        forms.read_form(content_type, raw)
    return caught.value


def test_K5_json_is_kept_byte_for_byte() -> None:
    raw = b'{ "name" : "\xd0\x98\xd0\xb2\xd0\xb0\xd0\xbd",\n"phone":"8 900 1234567", "budget": 1.50 }'
    text, body = forms.read_form("application/json; charset=utf-8", raw)
    assert text == raw
    assert body["name"] == "Иван"


def test_K5_plain_html_form_becomes_an_object_that_the_contract_reads() -> None:
    raw = b"name=%D0%98%D0%B2%D0%B0%D0%BD+%D0%9F.&phone=%2B7+900&kitchen=oak&kitchen=stone&comment="
    text, body = forms.read_form(HTML, raw)
    assert body == {"name": "Иван П.", "phone": "+7 900", "kitchen": "oak, stone", "comment": ""}
    assert FormBody.model_validate_json(text).fields == {"kitchen": "oak, stone"}


def test_K5_form_without_contact_is_taken_for_quarantine() -> None:
    assert forms.read_form(JSON, b"{}")[1] == {}
    assert forms.read_form(JSON, b'{"phone": 5, "fields": [1]}')[1]["phone"] == 5


@pytest.mark.parametrize(
    ("content_type", "raw", "status", "word"),
    [
        (JSON, b'{"name": }', 400, "column 10"),
        (JSON, b"", 400, "not JSON"),
        (JSON, b'{"name": "\xff\xfe"}', 400, "UTF-8"),
        (JSON, b'{"name": "\\ud800"}', 400, "not JSON"),
        (JSON, b"[1, 2]", 422, "JSON object"),
        (JSON, b'"text"', 422, "JSON object"),
        (JSON, b'{"name": "a\\u0000b"}', 422, "NUL"),
        (JSON, b'{"a\\u0000b": "x"}', 422, "NUL"),
        (JSON, b'{"x": {"y": ["\\u0000"]}}', 422, "NUL"),
        (JSON, b'{"x": ' + b"[" * 40 + b"]" * 40 + b"}", 422, "nested"),
        (JSON, b"[" * 60_000, 400, "not JSON"),
        (HTML, b"name=%FF%FE", 400, "UTF-8"),
        (HTML, b"name=\xd0\x98", 400, "UTF-8"),
        (HTML, b"&".join(b"f%d=1" % n for n in range(400)), 422, "fields"),
        (HTML, b"name=%00", 422, "NUL"),
        ("multipart/form-data; boundary=x", b"--x", 415, "application/json"),
        ("text/plain", b"{}", 415, "application/json"),
        (JSON, b'{"comment": "' + b"x" * forms.FORM_BYTES + b'"}', 413, "64 KB"),
        (HTML, b"comment=" + b"%01" * 21_000, 413, "64 KB"),
    ],
)
def test_K5_unreadable_form_is_refused_with_the_place(content_type: str, raw: bytes, status: int, word: str) -> None:
    error = refused(content_type, raw)
    assert (error.status, word in error.detail) == (status, True), error.detail
    assert error.where


def test_K5_refusal_never_repeats_what_was_written() -> None:
    error = refused(JSON, b'{"name": "Ivan Secretov", "phone": }')
    assert "Secretov" not in error.detail


@pytest.mark.parametrize("name", ["", "a/b", "../x", "x" * 101, "кухня", "a b", ".hidden", "a\nb"])
def test_K5_strange_form_name_is_refused(name: str) -> None:
    with pytest.raises(UnacceptableError):
        forms.form_name(name)


@pytest.mark.parametrize("key", ["", "a b", "ключ", "x" * 201, "a\r\nSet-Cookie: x"])
def test_K5_strange_idempotency_key_is_refused(key: str) -> None:
    with pytest.raises(UnacceptableError):
        forms.idempotency_key(key)


def test_K5_messages_of_one_sender_share_a_partition_key_that_reveals_nothing() -> None:
    one, two = uuid4(), uuid4()

    def key(body: dict[str, object], inbound_id: UUID = one, account: str = "site") -> str:
        return partition_key(PEPPER, "form", account, sender_of("form", body), inbound_id)

    assert key({"phone": "+7 (900) 123-45-67"}) == key({"phone": "8 900 1234567"}, two)
    assert key({"email": "A@x.ru "}) == key({"email": "a@X.ru"}, two)
    assert key({"phone": "123"}) != key({"phone": "123"}, two), "too short to be a sender"
    assert key({}) != key({}, two)
    assert key({"phone": "+79001234567"}) != key({"phone": "+79001234567"}, account="other")
    assert "9001234567" not in key({"phone": "+79001234567"})
    assert len(key({"phone": 12345678, "email": ["x"]})) == 64


@pytest.mark.parametrize(
    ("channel", "body", "sender"),
    [
        ("call", {"direction": "in", "from": "8 900 123-45-67", "to": "100"}, "phone:9001234567"),
        ("call", {"direction": "out", "from": "100", "to": "+79001234567"}, "phone:9001234567"),
        ("call", {"direction": "in", "from": "100"}, "own:100"),
        ("message", {"sender_id": "12345678", "phone": "+79001234567"}, "own:12345678"),
        ("visit", {"identity": "Anna@Example.org"}, "email:anna@example.org"),
        ("visit", {"identity": "cookie-7"}, "own:cookie-7"),
        ("mail", {"sender": "Anna@Example.org"}, "email:anna@example.org"),
        ("mail", {"sender": None}, None),
        ("message", {"sender_id": " "}, None),
    ],
)
def test_K5_every_channel_names_its_sender(channel: str, body: dict[str, object], sender: str | None) -> None:
    assert sender_of(channel, body) == sender


def test_K5_time_of_the_sender_is_kept_only_when_it_can_be_read() -> None:
    assert forms.occurred_at("form", {"occurred_at": "2026-11-22T09:00:00+03:00"}) is not None
    assert forms.occurred_at("form", {"occurred_at": "yesterday"}) is None
    assert forms.occurred_at("call", {"started_at": "0001-01-01T00:00:00+14:00"}) is None, "no database can hold it"
    assert forms.occurred_at("form", {"occurred_at": "2026-11-22T09:00:00"}) is None, "without a zone it is no instant"


def test_K5_endless_nesting_is_malformed_and_no_crash() -> None:
    raw = b'{"phone": "+79001234567", "x": ' + b"[" * 1000 + b"]" * 1000 + b"}"
    with pytest.raises(ValidationError):
        FormBody.model_validate(orjson.loads(raw))


def test_N18_mending_overwrites_fields_and_keeps_the_rest() -> None:
    raw = '{"name": "Иван", "phone": "нет", "kitchen": {"top": "oak"}}'.encode()
    assert orjson.loads(mended(raw, {"phone": "+79001234567", "name": None})) == {
        "phone": "+79001234567",
        "kitchen": {"top": "oak"},
    }
    assert orjson.loads(mended(b"\xff not json", {"phone": "+79001234567"})) == {"phone": "+79001234567"}


def test_M7_a_message_opens_only_in_its_place_and_not_without_its_key() -> None:
    key, inbound_id = AESGCM(new_key()), uuid4()
    sealed = seal_message(key, inbound_id, b"body")
    assert b"body" not in sealed
    assert open_message(key, inbound_id, sealed) == b"body"
    assert open_message(None, inbound_id, sealed) is ERASED
    for other_key, other_id, altered in (
        (key, uuid4(), sealed),
        (AESGCM(new_key()), inbound_id, sealed),
        (key, inbound_id, sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (key, inbound_id, b"short"),
    ):
        with pytest.raises(TamperedError):
            open_message(other_key, other_id, altered)


def test_M7_hash_of_a_message_is_keyed() -> None:
    assert message_hash(PEPPER, b"body") == message_hash(PEPPER, b"body")
    assert message_hash(PEPPER, b"body") != message_hash(b"q" * 32, b"body")

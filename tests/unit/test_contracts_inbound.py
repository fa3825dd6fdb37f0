"""Inbound bodies: what is taken in, what is kept, what is refused with which words (spec I, K5)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

import contracts
from contracts.inbound import CallBody, FormBody, InboundReference, MessageBody, VisitBody

SCHEMAS = Path(contracts.__file__).parent / "schemas"
FORM = jsonschema_rs.validator_for(json.loads((SCHEMAS / "leadline.inbound.form.v1.json").read_text("utf-8")))

TEXTS = st.text(max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
NAMED = frozenset(FormBody.model_fields)
FURTHER = st.dictionaries(TEXTS.filter(lambda name: name not in NAMED), JSON, max_size=8)


@given(FURTHER, FURTHER)
def test_K5_any_further_field_of_a_form_is_kept(further: dict[str, Any], under_fields: dict[str, Any]) -> None:
    under_fields = {name: value for name, value in under_fields.items() if name not in further}
    posted = {"name": "Анна", "fields": under_fields, **further}
    form = FormBody.model_validate_json(json.dumps(posted))
    FORM.validate(posted)
    assert form.name == "Анна"
    assert set(form.fields) == set(further) | set(under_fields)
    for name, value in {**further, **under_fields}.items():
        assert form.fields[name] == value if isinstance(value, str) else same(value, form.fields[name])


def same(value: Any, kept: str) -> bool:
    """Whether a kept text still says the value that was posted."""
    return kept == "" if value is None else bool(json.loads(kept) == value)


@given(st.dictionaries(st.sampled_from(sorted(NAMED)), JSON, max_size=6))
def test_K5_a_form_is_taken_or_refused_with_the_place_never_broken(posted: dict[str, Any]) -> None:
    try:
        FormBody.model_validate_json(json.dumps(posted))
    except ValidationError as error:
        assert all(found["loc"][:1] == () or found["loc"][0] in NAMED for found in error.errors())  # noqa: PT017


def test_K5_a_form_as_the_spec_names_it() -> None:
    form = FormBody.model_validate_json(
        '{"name":"Анна","phone":"8 916 123-45-67","email":"a@example.org","company":"ООО","comment":"звоните",'
        '"source":"site","fields":{"city":"Казань"},"kind":"callback","occurred_at":"2026-11-22T12:00:00+03:00"}'
    )
    assert form.kind == "callback"
    assert form.fields == {"city": "Казань"}
    assert form.occurred_at is not None
    assert form.occurred_at.isoformat() == "2026-11-22T12:00:00+03:00"


@pytest.mark.parametrize(
    ("posted", "place"),
    [
        ({"occurred_at": "2026-11-22T12:00:00"}, "occurred_at"),
        ({"kind": "other"}, "kind"),
        ({"fields": "text"}, "fields must be an object"),
        ({"name": "x" * 501}, "name"),
        ({f"f{i}": "x" for i in range(201)}, "fields"),
        ({"x" * 101: "x"}, "fields"),
    ],
)
def test_N18_what_does_not_fit_is_refused_with_its_place(posted: dict[str, Any], place: str) -> None:
    with pytest.raises(ValidationError, match=place):
        FormBody.model_validate_json(json.dumps(posted))


def test_N18_a_form_that_is_no_object_is_refused() -> None:
    for text in ("[]", "1", '"x"', "null"):
        with pytest.raises(ValidationError):
            FormBody.model_validate_json(text)


def test_K5_a_call_as_the_spec_names_it() -> None:
    call = CallBody.model_validate_json(
        '{"call_id":"c1","direction":"in","from":"+79161234567","to":"+74950000000","answered":true,'
        '"started_at":"2026-11-22T09:00:00Z","ended_at":"2026-11-22T09:03:00Z"}'
    )
    assert call.from_ == "+79161234567"
    with pytest.raises(ValidationError, match="direction"):
        CallBody.model_validate({**call.model_dump(by_alias=True), "direction": "sideways"})
    with pytest.raises(ValidationError, match="colour"):
        CallBody.model_validate({**call.model_dump(by_alias=True), "colour": "red"})


def test_K5_a_message_and_a_visit_as_the_spec_names_them() -> None:
    message = MessageBody.model_validate_json('{"channel":"tg","sender_id":"42","text":"Сколько стоит?"}')
    assert message.text == "Сколько стоит?"
    at = '"at":"2026-11-22T09:00:00Z"'
    assert VisitBody.model_validate_json(f'{{"identity":"x","page":"/price",{at}}}').page == "/price"
    for both in (f'{{"identity":"x",{at}}}', f'{{"identity":"x","page":"/","place":"salon",{at}}}'):
        with pytest.raises(ValidationError, match="the page or the place"):
            VisitBody.model_validate_json(both)


def test_K5_a_reference_holds_no_personal_field() -> None:
    assert set(InboundReference.model_fields) == {"inbound_id", "channel", "account", "received_at", "attempt"}
    TypeAdapter(InboundReference).validate_json(
        '{"inbound_id":"018f3d2a-4444-7444-8444-00000000f00d","channel":"form","account":"order",'
        '"received_at":"2026-11-22T09:00:00Z","attempt":2}'
    )

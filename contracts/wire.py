"""JSON Schemas (2020-12) of everything on the wire: events as they stand on Kafka, commands, refusals, inbound bodies.

Invariants: pure and deterministic, the same models give the same schemas. An event's schema describes the whole record
`{"meta", "data", "personal"?}`: `data` without the personal fields, which stand sealed in the one text `personal`
(`docs/decisions/0002-one-ciphertext-per-event.md`); `x-sealed-schema` says what that text opens to. Values that are absent
are left out, never null. Readers must ignore what they do not know, so event schemas are open; what Leadline takes in is
strict, so those schemas are closed. A model that cannot be described raises: `contracts.generate` then writes nothing.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final, get_args

from pydantic import BaseModel

from contracts.commands import COMMAND_TYPE, REFUSAL_TYPE, Command, CommandResult, EraseContact, RefusalRecorded
from contracts.events import EVENT_TYPES, OF_DEALS, Event
from contracts.inbound import (
    REFERENCE_TYPE,
    TYPE_OF_CHANNEL,
    CallBody,
    FormBody,
    InboundOutcome,
    InboundReference,
    MailBody,
    MessageBody,
    VisitBody,
)
from contracts.meta import ENVELOPE_VERSION, Meta
from contracts.pipeline import Pipeline

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
UUID_PATTERN: Final = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
SEALED_PATTERN: Final = rf"^1\.{UUID_PATTERN}\.[A-Za-z0-9+/]+={{0,2}}$"
"""What `services.privacy.cipher.seal` makes: version, key id, base64 of nonce and ciphertext."""

MESSAGES: Final[dict[str, type[BaseModel]]] = {
    COMMAND_TYPE: Command,
    "leadline.contact.erase_command": EraseContact,
    "leadline.command_result": CommandResult,
    REFUSAL_TYPE: RefusalRecorded,
    TYPE_OF_CHANNEL["form"]: FormBody,
    TYPE_OF_CHANNEL["call"]: CallBody,
    TYPE_OF_CHANNEL["message"]: MessageBody,
    TYPE_OF_CHANNEL["visit"]: VisitBody,
    TYPE_OF_CHANNEL["mail"]: MailBody,
    REFERENCE_TYPE: InboundReference,
    "leadline.inbound.outcome": InboundOutcome,
    "leadline.pipeline_file": Pipeline,
}
"""Everything that is described and is no event, by the name its schema has."""


def schemas() -> dict[str, Schema]:
    """Every schema by its file's name (`<type>.v<version>`), events first, in the order of their names."""
    found = {f"{topic}.v{cls.class_version}": event_schema(cls) for topic, cls in sorted(EVENT_TYPES.items())}
    for name, model in MESSAGES.items():
        found[f"{name}.v1"] = message_schema(name, model)
    return found


def event_schema(cls: type[Event]) -> Schema:
    """The whole record of the current version of an event type."""
    name = f"{cls.TOPIC}.v{cls.class_version}"
    meta, data = described(Meta), described(cls)
    defs = {**meta.pop("$defs", {}), **data.pop("$defs", {})}
    for part in (meta, data, defs):
        _never_null(part)
    meta["properties"]["envelope"] = {**meta["properties"]["envelope"], "const": ENVELOPE_VERSION}
    meta["properties"]["kind"] = {"const": cls.KIND, "type": "string"}
    meta["properties"]["type"] = {"const": cls.TOPIC, "type": "string"}
    meta["properties"]["schema_version"] = {"const": cls.class_version, "type": "integer"}
    meta["required"] = sorted({*meta["required"], "envelope", "schema_version", "autodepth"})
    for part in (meta, data, *defs.values()):
        part.pop("additionalProperties", None)
    properties: Schema = {"meta": meta, "data": data}
    required = ["meta", "data"]
    if cls.PERSONAL:
        sealed = _take_personal(data, cls.PERSONAL)
        properties["personal"] = {
            "type": "string",
            "pattern": SEALED_PATTERN,
            "description": (
                f"Sealed: {', '.join(sealed['properties'])}. AES-256-GCM under the key of meta.person, bound to this event; "
                "left out when none of them has a value; opens no more once the person was erased. "
                "x-sealed-schema is what it opens to."
            ),
            "x-sealed-schema": sealed,
        }
        if sealed.get("required"):
            required.append("personal")
    return _document(name, data.pop("description", ""), properties, required, defs)


def message_schema(name: str, model: type[BaseModel]) -> Schema:
    """A message that is no event, or a file."""
    schema = described(model)
    defs = schema.pop("$defs", {})
    if model is FormBody:
        schema["additionalProperties"] = True
        schema["properties"]["fields"]["additionalProperties"] = True
        schema["description"] += " Values that are no text are kept as their JSON text."
    document = _document(
        f"{name}.v1", schema.pop("description", ""), schema["properties"], schema.get("required", []), defs
    )
    if "additionalProperties" in schema:
        document["additionalProperties"] = schema["additionalProperties"]
    return document


def described(model: type[BaseModel]) -> Schema:
    """The model's JSON schema as it goes over the wire, with the docstrings of its fields, without generated titles."""
    mode = "serialization" if issubclass(model, Event) else "validation"
    schema = model.model_json_schema(mode=mode)  # type: ignore[arg-type]
    schema.get("$defs", {}).pop("Erased", None)
    _tidy(schema)
    classes = {cls.__name__: cls for cls in _parts_of(model)}
    for name, part in [(model.__name__, schema), *schema.get("$defs", {}).items()]:
        if name in classes:
            for field, text in _field_docs(classes[name]).items():
                key = classes[name].model_fields[field].alias or field
                if "$ref" not in part["properties"][key]:
                    part["properties"][key]["description"] = text
            part["description"] = " ".join(inspect.getdoc(classes[name]).split())  # type: ignore[union-attr]
    return schema


def _document(name: str, description: str, properties: Schema, required: list[str], defs: Schema) -> Schema:
    document: Schema = {"$schema": DIALECT, "$id": f"urn:leadline:schema:{name}", "title": name}
    if description:
        document["description"] = description
    document |= {"type": "object", "properties": properties}
    if required:
        document["required"] = required
    if defs:
        document["$defs"] = dict(sorted(defs.items()))
    return document


def _take_personal(data: Schema, names: frozenset[str]) -> Schema:
    """Move the personal fields out of `data`; what is left there is in the clear."""
    properties = {name: data["properties"].pop(name) for name in list(data["properties"]) if name in names}
    sealed: Schema = {"type": "object", "properties": properties}
    required = [name for name in data.get("required", []) if name in names]
    if required:
        sealed["required"] = required
    open_ones = [name for name in data.get("required", []) if name not in names]
    if open_ones:
        data["required"] = open_ones
    else:
        data.pop("required", None)
    return sealed


def _tidy(schema: Schema) -> None:
    """Drop generated titles, the alternative «erased» (never on the wire) and OpenAPI's discriminator."""
    if isinstance(schema.get("title"), str):
        del schema["title"]
    schema.pop("discriminator", None)
    if "anyOf" in schema:
        schema["anyOf"] = [part for part in schema["anyOf"] if part.get("$ref") != "#/$defs/Erased"]
        _collapse(schema)
    for key in ("properties", "$defs"):
        for part in schema.get(key, {}).values():
            _tidy(part)
    for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        _tidy(part)
    for key in ("items", "additionalProperties", "propertyNames"):
        if isinstance(schema.get(key), dict):
            _tidy(schema[key])


def _never_null(schema: Any) -> None:
    """On the wire of events what is absent is left out: drop the alternative null and the default null."""
    if isinstance(schema, list):
        for part in schema:
            _never_null(part)
    elif isinstance(schema, dict):
        if isinstance(schema.get("anyOf"), list):
            schema["anyOf"] = [part for part in schema["anyOf"] if part != {"type": "null"}]
            _collapse(schema)
        if "default" in schema and schema["default"] is None:
            del schema["default"]
        for part in schema.values():
            _never_null(part)


def _collapse(schema: Schema) -> None:
    if len(schema["anyOf"]) == 1:
        schema.update(schema.pop("anyOf")[0])


def _parts_of(model: type[BaseModel]) -> list[type[BaseModel]]:
    """The model and those that it is made of: two of them may share a name with one of another model, never with one another."""
    found: dict[type[BaseModel], None] = {}
    left: list[Any] = [model]
    while left:
        kind = left.pop()
        left += get_args(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in found:
            found[kind] = None
            left += [field.annotation for field in kind.model_fields.values()]
    return list(found)


@cache  # reading a class's source is most of what a generation costs
def _field_docs(model: type[BaseModel]) -> Mapping[str, str]:
    """The docstrings written under a model's fields; a deal's event that was made from a lead's has those of the lead's."""
    model = next((lead for lead, deal in OF_DEALS.items() if deal is model), model)
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    docs: dict[str, str] = {}
    previous: str | None = None
    for node in getattr(body, "body", []):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and previous in model.model_fields:
            docs[previous] = " ".join(str(node.value.value).split())
        is_field = isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        previous = node.target.id if is_field else None
    return MappingProxyType(docs)

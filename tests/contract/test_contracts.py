"""The published contract is current, valid by its own standards, and says what the code does (K1, design decision 3)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from contracts import generate, wire
from contracts.commands import COMMAND_BODIES, COMMAND_TYPE, MACHINE_BODIES, REFUSAL_TYPE, STAFF_BODIES
from contracts.events import EVENT_TYPES
from contracts.journal import JOURNAL_BODIES
from contracts.topics import TOPICS

HERE = Path(__file__).parent
CONTRACTS = Path(generate.__file__).parent
GOLDEN = CONTRACTS / "golden"
SCHEMAS = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted((CONTRACTS / "schemas").glob("*.json"))}
SAMPLES = sorted(path.stem for path in GOLDEN.glob("*.v*.json"))
ASYNCAPI: dict[str, Any] = yaml.safe_load((CONTRACTS / "asyncapi.yaml").read_text("utf-8"))


def test_K1_generated_contracts_are_current() -> None:
    stale = [path.name for path in generate.stale(generate.files())]
    assert not stale, f"stale: {stale}; run: python -m contracts.generate"


def test_K1_generation_is_deterministic() -> None:
    assert generate.files() == generate.files()


def test_K1_check_writes_nothing_and_names_what_is_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "contracts"
    folder.mkdir()
    monkeypatch.setattr(generate, "FOLDER", folder)
    assert generate.main(["--check"]) == 1
    assert "stale: contracts/asyncapi.yaml" in capsys.readouterr().out
    assert not list(folder.iterdir())
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    (folder / "asyncapi.yaml").write_text("edited by hand", "utf-8")
    assert generate.main(["--check"]) == 1


def test_K1_every_version_of_every_event_has_a_schema() -> None:
    versions = {f"{t}.v{v}" for t, cls in EVENT_TYPES.items() for v in range(1, cls.class_version + 1)}
    assert versions | {f"{name}.v1" for name in wire.MESSAGES} == set(SCHEMAS)


@pytest.mark.parametrize("name", SCHEMAS)
def test_K1_schema_is_json_schema_2020_12(name: str) -> None:
    schema = SCHEMAS[name]
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:leadline:schema:{name}"
    assert schema["description"]
    jsonschema_rs.meta.validate(schema)
    jsonschema_rs.validator_for(schema)


@pytest.mark.parametrize("name", SAMPLES)
def test_K1_golden_sample_validates_against_its_schema(name: str) -> None:
    validator = jsonschema_rs.validator_for(SCHEMAS[name], validate_formats=True)
    sample = json.loads((GOLDEN / f"{name}.json").read_bytes())
    validator.validate(sample)
    validator.validate(
        {**sample, "data": {**sample["data"], "later": 1}, "later": {}}
    )  # readers ignore what they do not know
    assert not validator.is_valid({**sample, "meta": {**sample["meta"], "type": "leadline.other"}})
    assert not validator.is_valid({**sample, "meta": {**sample["meta"], "version": 0}})
    assert not validator.is_valid({"data": sample["data"]})
    if "personal" in sample:
        assert not validator.is_valid({**sample, "personal": "Анна"})


@pytest.mark.parametrize("topic", sorted(EVENT_TYPES))
def test_M7_schema_of_an_event_keeps_personal_fields_out_of_the_clear(topic: str) -> None:
    cls = EVENT_TYPES[topic]
    properties = SCHEMAS[f"{topic}.v{cls.class_version}"]["properties"]
    assert not cls.PERSONAL & set(properties["data"].get("properties", {}))
    assert ("personal" in properties) == bool(cls.PERSONAL)
    if cls.PERSONAL:
        assert set(properties["personal"]["x-sealed-schema"]["properties"]) == cls.PERSONAL
        assert all(name in properties["personal"]["description"] for name in cls.PERSONAL)


@pytest.mark.parametrize(
    "name", [name for name in SAMPLES if "personal" in json.loads((GOLDEN / f"{name}.json").read_bytes())]
)
def test_M7_what_a_sample_opens_to_validates_against_the_sealed_schema(name: str) -> None:
    expected = json.loads((GOLDEN / "expected.json").read_text("utf-8"))[name]["data"]
    personal = SCHEMAS[name]["properties"]["personal"]["x-sealed-schema"]
    validator = jsonschema_rs.validator_for({**personal, "additionalProperties": False})
    validator.validate({field: value for field, value in expected.items() if field in personal["properties"]})


def test_K1_nothing_on_the_wire_of_events_is_null_or_erased() -> None:
    for topic, cls in EVENT_TYPES.items():
        text = json.dumps(SCHEMAS[f"{topic}.v{cls.class_version}"])
        assert '"null"' not in text
        assert "Erased" not in text


def test_K2_the_command_schema_takes_every_command_and_is_strict() -> None:
    validator = jsonschema_rs.validator_for(SCHEMAS["leadline.lead.command.v1"], validate_formats=True)
    command: dict[str, Any] = {
        "id": "018f3d2a-5555-7555-8555-00000000cafe",
        "lead": "018f3d2a-1111-7111-8111-00000000feed",
        "actor": {"id": "anna", "kind": "person"},
        "body": {"type": "see"},
    }
    validator.validate(command)
    assert not validator.is_valid({**command, "extra": 1})
    assert not validator.is_valid({**command, "body": {"type": "see", "extra": 1}})
    assert not validator.is_valid({**command, "body": {"type": "plan"}})
    consts = re.findall(r'"const": "([a-z_]+)"', json.dumps(SCHEMAS["leadline.lead.command.v1"]))
    assert sorted(consts) == sorted({**COMMAND_BODIES, **STAFF_BODIES, **MACHINE_BODIES, **JOURNAL_BODIES})


def test_K1_asyncapi_is_valid_by_the_standards_own_schema() -> None:
    schema = json.loads((HERE / "vendored" / "asyncapi-3.0.0.schema.json").read_text("utf-8"))
    validator = jsonschema_rs.validator_for(schema)
    validator.validate(ASYNCAPI)
    assert not validator.is_valid({**ASYNCAPI, "channels": []}), "the vendored schema refuses nothing"
    inlined = json.loads(json.dumps(ASYNCAPI))
    for message in inlined["components"]["messages"].values():
        payload = SCHEMAS[message["payload"]["$ref"].removeprefix("./schemas/").removesuffix(".json")]
        message["payload"] = {k: v for k, v in payload.items() if k != "$schema"}
    validator.validate(inlined)


def test_K1_asyncapi_names_every_topic_and_message_and_leads_nowhere() -> None:
    channels = ASYNCAPI["channels"].values()
    assert {channel["address"] for channel in channels} == {topic.name for topic in TOPICS}
    for topic in TOPICS:
        channel = next(c for c in channels if c["address"] == topic.name)
        kafka = channel["bindings"]["kafka"]
        assert kafka["partitions"] == (topic.partitions or 24)
        assert kafka["topicConfiguration"]["retention.ms"] == topic.retention_ms
    messages = ASYNCAPI["components"]["messages"]
    assert set(EVENT_TYPES) <= {message["name"] for message in messages.values()}
    used = {ref["$ref"] for channel in channels for ref in channel["messages"].values()}
    assert used == {f"#/components/messages/{name}" for name in messages}
    assert {op["channel"]["$ref"] for op in ASYNCAPI["operations"].values()} == {
        f"#/channels/{i}" for i in ASYNCAPI["channels"]
    }
    for message in messages.values():
        schema = json.loads((CONTRACTS / message["payload"]["$ref"]).read_text("utf-8"))
        assert schema["type"] == "object", "one message is one event, never an array"


def test_K1_asyncapi_event_headers_are_those_of_the_golden_samples() -> None:
    headers = ASYNCAPI["components"]["schemas"]["EventHeaders"]
    validator = jsonschema_rs.validator_for({**headers, "additionalProperties": False})
    for name, expected in json.loads((GOLDEN / "expected.json").read_text("utf-8")).items():
        validator.validate(expected["headers"])
        optional = {"ce_causationid", "ce_pipelineversion", "ce_traceparent"}
        assert set(headers["required"]) == set(headers["properties"]) - optional, name


def test_K1_types_of_commands_and_refusals_are_those_the_code_writes_and_reads() -> None:
    from services.leads import answers, handlers

    assert handlers.COMMAND_TYPE == COMMAND_TYPE
    source = Path(answers.__file__).read_text("utf-8")
    assert f'"{REFUSAL_TYPE}"' in source or "REFUSAL_TYPE" in source
    written = set(re.findall(r'"(ce_[a-z]+|content-type)":', source))
    refusals = ASYNCAPI["components"]["schemas"]["RefusalHeaders"]
    assert written == set(refusals["properties"]) == set(refusals["required"])


def test_asyncapi_names_no_machine() -> None:
    hosts = [server["host"] for server in ASYNCAPI["servers"].values()]
    assert hosts == ["{bootstrap}"]
    assert ASYNCAPI["servers"]["kafka"]["variables"]["bootstrap"]["default"] == "localhost:9092"

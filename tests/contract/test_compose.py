"""`docker-compose.yml` keeps to the Compose Specification and to our own rules for it (spec I, set-up).

There need be no Docker engine here: the schema is a copy of the specification's own (`compose-spec.md`).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from deploy.embedded import jars, kafka, postgres
from deploy.embedded.groups import GROUPS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]


def test_I_compose_file_keeps_to_the_specification() -> None:
    schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text(encoding="utf-8"))
    validator = jsonschema_rs.Draft7Validator(schema)
    assert [f"{list(error.instance_path)}: {error.message}" for error in validator.iter_errors(COMPOSE)] == []


def test_I_compose_runs_the_same_groups_as_leadline_up() -> None:
    served = {service["command"][1] for service in SERVICES.values() if service.get("command", [""])[0] == "serve"}
    assert served == set(GROUPS)


def test_I_compose_publishes_on_127_0_0_1_only() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"prepare"}))
def test_I_compose_service_has_a_health_check_and_time_to_stop(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > 15


def test_I_compose_secrets_have_no_defaults_and_stand_in_the_example() -> None:
    secrets = set(re.findall(r"\$\{(\w+(?:PASSWORD|KEY|PEPPER|TOKEN)\b)", TEXT))
    required = set(re.findall(r"\$\{(\w+):\?", TEXT))
    assert secrets == required
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"^(\w+)=$", example, re.MULTILINE)) == required


def test_I_compose_servers_are_those_of_leadline_up() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{jars.KAFKA_VERSION}"
    assert SERVICES["postgres"]["image"] == "postgres:18"
    asked = dict(option.removeprefix("-c").split("=") for option in SERVICES["postgres"]["command"][1:])
    for name in ("fsync", "full_page_writes", "synchronous_commit", "max_locks_per_transaction", "max_wal_size"):
        assert asked[name] == postgres.SETTINGS[name]
    for name in ("message.max.bytes", "log.flush.interval.ms", "auto.create.topics.enable"):
        environment = SERVICES["kafka"]["environment"]
        assert environment["KAFKA_" + name.upper().replace(".", "_")] == kafka.SETTINGS[name]

"""Logs hold no personal data and no secrets, whoever logs (design decision 13)."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from pydantic import BaseModel, ValidationError

from services import logs


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What is written to stderr, with the logging of a service; put back afterwards."""
    root, written = logging.getLogger(), io.StringIO()
    before = list(root.handlers), root.level, logging.raiseExceptions
    monkeypatch.setattr(sys, "stderr", written)
    logs.configure_logging("relay", "info")
    yield written
    root.handlers[:], logging.raiseExceptions = before[0], before[2]
    root.setLevel(before[1])
    structlog.reset_defaults()


def read(lines: io.StringIO) -> list[dict[str, Any]]:
    """The log as JSON, one object a line."""
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_M7_fields_named_as_personal_or_secret_are_never_logged(lines: io.StringIO) -> None:
    structlog.get_logger("t").info(
        "taken",
        name="Анна Иванова",
        client_phone="8 900 1234567",
        internal_token="abc",
        nested={"email": "x", "kept": 1, "list": [{"comment": "звонить"}]},
        lead="018f3d2a-1111-7111-8111-00000000feed",
    )
    (entry,) = read(lines)
    assert entry["name"] == entry["client_phone"] == entry["internal_token"] == "[redacted]"
    assert entry["nested"] == {"email": "[redacted]", "kept": 1, "list": [{"comment": "[redacted]"}]}
    assert (entry["lead"], entry["service"], entry["level"]) == (
        "018f3d2a-1111-7111-8111-00000000feed",
        "relay",
        "info",
    )


def test_M7_personal_data_and_secrets_in_texts_are_masked_also_in_what_libraries_log(lines: io.StringIO) -> None:
    logging.getLogger("library").warning(
        "cannot reach %s for anna@example.org or +7 (900) 123-45-67 with ll_%s",
        "postgresql://leadline:s3cret@127.0.0.1:5432/leadline",
        "x" * 43,
    )
    text = lines.getvalue()
    for secret in ("s3cret", "anna@", "123-45-67", "xxxx"):
        assert secret not in text
    assert "127.0.0.1:5432/leadline" in text


class Form(BaseModel):
    phone: int


def test_M7_errors_of_pydantic_and_postgres_do_not_carry_their_rows_into_the_log(lines: io.StringIO) -> None:
    log = structlog.get_logger("t")
    one, other = "Иван Петров", "Мария"  # not in the lines that raise: a traceback quotes those
    try:
        Form.model_validate({"phone": one})
    except ValidationError:
        log.exception("failed")
    try:
        raise ValueError("null value in column\nDETAIL:  Failing row contains (1, " + other + ").")
    except ValueError:
        logging.getLogger("library").exception("failed")
    first, second = read(lines)
    assert "ValidationError" in first["exception"]
    assert "Петров" not in first["exception"]
    assert "null value in column" in second["exception"]
    assert "Мария" not in second["exception"]


def test_K3_levels_are_kept_and_an_unknown_one_is_refused(lines: io.StringIO) -> None:
    logging.getLogger("aiokafka.conn").info("noise")
    structlog.get_logger("t").debug("detail")
    assert lines.getvalue() == ""
    with pytest.raises(ValueError, match="LEADLINE_LOG_LEVEL"):
        logs.configure_logging("relay", "loud")

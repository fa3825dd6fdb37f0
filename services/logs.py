"""Structured logs: one JSON object a line on stderr, without personal data and without secrets.

All that logs in a process, our own `structlog` loggers and the libraries' `logging` ones, goes through one chain, whose
last step before the JSON is `redact`. Invariants: a field whose name says that it holds personal data or a secret is
never written, whatever it holds; in all other texts addresses, phone numbers, tokens, URL passwords and the row details
of Postgres and pydantic errors are masked. A failure of a log call never reaches the caller (stderr gone: dropped).
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any

import structlog

MASK = "[redacted]"

PERSONAL_OR_SECRET = re.compile(
    r"(^|_)(name|company|phone|e?mail|comment|fields|values?|personal|body|payload|text|needs|order_details"
    r"|password|passwd|secret|token|pepper|master_key|authorization|cookie|ciphertext|wrapped|dsn|database_url)$",
    re.IGNORECASE,
)
"""Field names whose values never stand in a log, at any depth."""

_TEXT_MASKS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]*@"), "[redacted]@"),
    (re.compile(r"\bll_[A-Za-z0-9_-]{16,}"), MASK),
    (re.compile(r"(?i)\bbearer\s+\S+"), "Bearer " + MASK),
    (re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+"), MASK),
    (re.compile(r"\+\d[\d ()-]{8,17}\d"), MASK),
    (re.compile(r"(?m)^(DETAIL|CONTEXT):.*$"), r"\1: " + MASK),
    (re.compile(r"input_value=.*?(?=, input_type=|\]|$)"), "input_value=" + MASK),
)

_QUIET = ("aiokafka", "faststream", "uvicorn", "uvicorn.error", "asyncio", "httpx", "httpcore", "alembic")
"""Libraries that say too much at `info`: only their warnings are kept."""


def mask_text(text: str) -> str:
    """The text without what must not be in a log."""
    for pattern, instead in _TEXT_MASKS:
        text = pattern.sub(instead, text)
    return text


def redact(_logger: Any, _method: str, event: Any) -> Any:
    """A structlog processor: masks personal data and secrets in every field, at any depth."""
    return {key: _clean(key, value) for key, value in event.items()}


def _clean(key: str, value: Any) -> Any:
    if key not in ("event", "exception") and PERSONAL_OR_SECRET.search(key):
        return MASK
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, Mapping):
        return {str(inner): _clean(str(inner), held) for inner, held in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean("", held) for held in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return mask_text(str(value))


def configure_logging(service: str, level: str = "info") -> None:
    """Send all logs of this process to stderr as JSON. `level`: debug, info, warning, error; ValueError for another."""
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"LEADLINE_LOG_LEVEL is {level!r}; use one of debug, info, warning, error")
    chain: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _of_service(service),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *chain, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*chain[:-1], structlog.stdlib.PositionalArgumentsFormatter(), chain[-1]],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                redact,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    logging.raiseExceptions = False  # a closed stderr must not fill itself with tracebacks
    for library in _QUIET:
        logging.getLogger(library).setLevel(max(number, logging.WARNING))


def _of_service(service: str) -> Any:
    def add(_logger: Any, _method: str, event: Any) -> Any:
        event.setdefault("service", service)
        return event

    return add

"""`leadline conformance` against a good adapter and bad ones: each rule names the place and the way out (K5)."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.inbound import RECORD_BYTES, TYPE_OF_CHANNEL
from services.ops.conformance.reading import messages
from services.ops.conformance.rules import ACROSS, CHECKS, check
from services.ops.main import main

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CALL = {
    "call_id": "c1",
    "direction": "in",
    "from": "+79161234567",
    "to": "+74951112233",
    "answered": False,
    "started_at": "2026-03-02T09:00:00+03:00",
}
HEADERS = {"ce_specversion": "1.0", "ce_type": "leadline.inbound.call", "ce_source": "pbx", "ce_id": "1"}
PAGE = Path(__file__).parents[2] / "docs" / "howto" / "adapters.md"


def record(value: Any = None, key: str | None = "a", **headers: Any) -> dict[str, Any]:
    """A record as it would stand on Kafka; a header None is left out."""
    made = {**HEADERS, **headers}
    return {"headers": {k: v for k, v in made.items() if v is not None}, "key": key, "value": value or CALL}


def broken(*lines: Any, channel: str = "call") -> dict[str, list[str]]:
    """The rules that these messages break, with the places."""
    texts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    results = check(list(messages(texts, "f")), channel, NOW)
    assert {result.rule.id for result in results} == {rule.id for rule, _ in (*CHECKS, *ACROSS)}
    return {result.rule.id: [fault.place for fault in result.faults] for result in results if result.faults}


def test_K5_good_adapter_passes_every_rule() -> None:
    ended = {**CALL, "answered": True, "ended_at": "2026-03-02T09:03:00+03:00", "recording_url": "https://x.example/1"}
    assert (
        broken(
            record(), record(ended, ce_id="2"), record({**CALL, "call_id": "c2", "from": "anonymous"}, "b", ce_id="3")
        )
        == {}
    )
    assert broken(CALL, ended) == {}, "bodies alone, as they are posted"
    assert broken(record(), record()) == {}, "the same message sent again is harmless"


@pytest.mark.parametrize(
    ("rule", "lines"),
    [
        ("K.type", [record(ce_type="leadline.inbound.form")]),
        ("K.type", [record(ce_type=None)]),
        ("K.id", [record(ce_id=None)]),
        ("K.source", [record(ce_source=None)]),
        ("K.specversion", [record(ce_specversion=None)]),
        ("K.key", [record(key=None)]),
        ("K.size", [record({**CALL, "agent": "x" * RECORD_BYTES})]),
        ("K.json", [b'{"call_id": ']),
        ("K.json", [b"[1]"]),
        ("K.schema", [{**CALL, "started_at": "yesterday"}]),
        ("K.schema", [{**CALL, "started_at": "2026-03-02T09:00:00"}]),
        ("K.schema", [{**CALL, "recording_url": "javascript:alert(1)"}]),
        ("K.schema", [{**CALL, "ended_at": "2026-03-02T08:00:00+03:00"}]),
        ("K.schema", [{**CALL, "extra": 1}]),
        ("K.sender", [{**CALL, "from": "anna"}]),
        ("K.time", [{**CALL, "started_at": "2027-03-02T09:00:00+03:00"}]),
        ("K.repeat", [record(), record({**CALL, "answered": True})]),
        ("K.order", [record(), record(key="b", ce_id="2")]),
        ("K.call", [record(), record({**CALL, "from": "+79167654321"}, "b", ce_id="2")]),
        ("K.call", [CALL, {**CALL, "started_at": "2026-03-02T09:00:01+03:00"}]),
    ],
)
def test_K5_bad_adapter_is_told_the_rule_and_the_place(rule: str, lines: list[Any]) -> None:
    found = broken(*lines)
    assert found.get(rule) == [f"f:{len(lines)}"], found


@pytest.mark.parametrize(
    ("channel", "good", "bad"),
    [
        ("form", {"phone": "+79161234567", "further": 1}, {"name": "Анна"}),
        ("message", {"channel": "vk", "sender_id": "1", "text": "x"}, {"channel": "vk", "text": "x"}),
        ("visit", {"identity": "b-1", "page": "/", "at": "2026-03-02T09:00:00Z"}, {"identity": "b-1", "at": "x"}),
        ("mail", {"sender": "anna@example.org"}, {"sender": "anna"}),
    ],
)
def test_K5_every_channel_is_checked(channel: str, good: dict[str, Any], bad: dict[str, Any]) -> None:
    assert broken(good, channel=channel) == {}
    assert broken(bad, channel=channel)


def test_K5_command_answers_for_people_and_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "calls.jsonl"
    file.write_text(json.dumps(CALL) + "\n\n" + json.dumps({**CALL, "from": "secret anna"}), "utf-8")
    assert main(["conformance", str(file), "--channel", "call"]) == 1
    told = capsys.readouterr().out
    assert "FAILED  K.sender" in told
    assert "calls.jsonl:3: from: 11 characters" in told
    assert "way out: give a phone" in told
    assert "anna" not in told, "nothing of what a client wrote is repeated"
    file.write_text(json.dumps(CALL), "utf-8")
    assert main(["conformance", str(file), "--channel", "call", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["passed"] is True


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--channel", "call"], "--source"),
        (["nowhere.jsonl", "--channel", "call"], "nowhere.jsonl"),
        (["x", "--channel", "fax"], "form, call, message"),
    ],
)
def test_K5_bad_use_is_told_with_the_way_out(
    arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["conformance", *arguments]) == 2
    assert word in capsys.readouterr().err


def test_K5_examples_of_the_adapter_kit_keep_the_contract() -> None:
    page = PAGE.read_text("utf-8")
    for channel in TYPE_OF_CHANNEL:
        block = re.search(rf"<!-- example: {channel} -->\n```\w+\n(.*?)```", page, re.S)
        assert block, f"no example of channel {channel}"
        text = re.sub(r"^post.*\n|^JSON\n", "", block[1], flags=re.M)
        assert broken(json.loads(text), channel=channel) == {}, channel
    assert "160 KB" in page
    assert RECORD_BYTES == 160 * 1024

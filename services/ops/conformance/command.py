"""`leadline conformance`: an adapter's messages against the contract, rule by rule. Exit status 0, or 1 with the faults."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from contracts.inbound import TYPE_OF_CHANNEL
from services.ops.conformance.listening import listen
from services.ops.conformance.reading import read
from services.ops.conformance.rules import Message, Result, check
from services.ops.place import OpsError, find_place
from services.ops.terminal import print_json

SHOWN = 5
"""Faults of one rule that are printed; the JSON has them all."""


def conformance(
    channel: str, file: str | None, source: str | None, data: Path | None, *, count: int, wait: float, as_json: bool
) -> int:
    """Check a file, or what a running system gets of `source`."""
    if channel not in TYPE_OF_CHANNEL:
        raise OpsError(f"there is no channel {channel}; there are: {', '.join(TYPE_OF_CHANNEL)}")
    if (file is None) == (source is None):
        raise OpsError("give a file of messages, or --source NAME to listen to a running system")
    if file is not None:
        messages = read(file)
    else:
        assert source is not None
        messages = asyncio.run(_listened(channel, source, data, count, wait))
        if not messages:
            raise OpsError(
                f"nothing came of {source} within {wait:.0f} s. On the topic an adapter is known by its ce_source, over HTTP by "
                "its token's name"
            )
    results = check(messages, channel, datetime.now(UTC))
    failed = [result for result in results if result.faults and result.rule.level == "must"]
    if as_json:
        print_json({"channel": channel, "messages": len(messages), "passed": not failed, "rules": _told(results)})
    else:
        _print(results, messages)
    return 1 if failed else 0


async def _listened(channel: str, source: str, data: Path | None, count: int, wait: float) -> list[Message]:
    def ready() -> None:
        print(
            f"listening for messages of {source}, {count} at most, {wait:.0f} s at most …", file=sys.stderr, flush=True
        )

    settings = find_place(data).settings()
    return await listen(settings, channel, source, count=count, wait=wait, ready=ready)


def _told(results: list[Result]) -> list[dict[str, object]]:
    return [
        {
            "rule": result.rule.id,
            "asks": result.rule.asks,
            "level": result.rule.level,
            "looked_at": result.looked_at,
            "passed": not result.faults,
            "way_out": result.rule.way_out if result.faults else None,
            "faults": [{"place": fault.place, "what": fault.what} for fault in result.faults],
        }
        for result in results
    ]


def _print(results: list[Result], messages: list[Message]) -> None:
    for result in results:
        mark = "FAILED" if result.faults and result.rule.level == "must" else "weak" if result.faults else "passed"
        if not result.looked_at:
            mark = "-"
        print(f"{mark:<7} {result.rule.id:<14} {result.rule.asks} ({result.looked_at} looked at)")
        for fault in result.faults[:SHOWN]:
            print(f"        {fault.place}: {fault.what}")
        if len(result.faults) > SHOWN:
            print(f"        … and {len(result.faults) - SHOWN} more")
        if result.faults:
            print(f"        way out: {result.rule.way_out}")
    bad = sum(1 for result in results if result.faults and result.rule.level == "must")
    print(f"{len(messages)} messages, {bad} rules failed" if bad else f"{len(messages)} messages keep the contract")

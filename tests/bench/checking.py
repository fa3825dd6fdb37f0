"""What «may this lead go there, and if not, what is missing?» costs: `python -m tests.bench.checking` (issue: under 100 µs).

A card of 30 mandatory fields, nothing of it filled (the longest answer) and all of it; beside it, in the same run, what the
same card costs as JSON there and back, the least that anything done with a card could cost.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import orjson

from services.leads.domain.rules import check
from services.leads.domain.state import LeadState
from services.pipelines.language import read_pipeline

FIELDS = 30
ROUNDS, REPEATS = 2_000, 5


def main() -> int:
    """Print the figures: the shortest of several runs, processor time."""
    fields = [f"f{n}" for n in range(FIELDS)]
    pipeline = read_pipeline(
        "pipeline: p\ntitles: {ru: П, en: P}\nconversion_point: won\nfields:\n"
        + "".join(f"  - {{id: {name}, titles: {{ru: Поле, en: Field}}, type: number}}\n" for name in fields)
        + f"stages:\n  - {{id: new, titles: {{ru: Н, en: N}}, kind: open, mandatory: [{', '.join(fields)}]}}\n"
        "  - {id: next, titles: {ru: Д, en: F}, kind: open}\n  - {id: won, titles: {ru: С, en: W}, kind: won}\n"
    )
    at = datetime(2026, 3, 2, tzinfo=UTC)
    empty = LeadState(UUID(int=1), 2, "p", 1, UUID(int=2), at, stage="new", visit=1, root=1, entered_at=at)
    full = LeadState(**{**empty.__dict__, "card": dict.fromkeys(fields, "1")})
    none, whole = _micros(lambda: check(empty, "next", pipeline)), _micros(lambda: check(full, "next", pipeline))
    assert not check(empty, "next", pipeline).allowed
    assert check(full, "next", pipeline).allowed
    baseline = _micros(lambda: orjson.loads(orjson.dumps(full.card)))
    print(
        f"check, {FIELDS} mandatory fields: {none:.0f} µs with all of them missing, {whole:.0f} µs with none (aim 100)"
    )
    print(
        f"    the card as JSON there and back: {baseline:.1f} µs; ratio {none / baseline:.0f} and {whole / baseline:.0f}"
    )
    return 0


def _micros(ask: Callable[[], object]) -> float:
    shortest = float("inf")
    for _ in range(REPEATS):
        begun = time.process_time()
        for _ in range(ROUNDS):
            ask()
        shortest = min(shortest, time.process_time() - begun)
    return shortest / ROUNDS * 1e6


if __name__ == "__main__":
    sys.exit(main())

"""How long it takes to read and lint many pipelines: `python -m tests.bench.linting [--count 1000]` (issue: 1,000 under 60 s).

Each is as large as a company makes them: 14 open stages, 30 fields, conditions, stated moves, titles that occur once. Nothing is
kept from one to the next but what a running service keeps too (titles and conditions are read once).
"""

from __future__ import annotations

import argparse
import sys
import time

from services.pipelines.language import read_written_pipeline
from services.pipelines.linted import lint_written

TITLES = (
    "Новый", "В обработке", "Предложение", "Согласование договора", "Замер", "Подготовка КП", "КП отправлено", "Переговоры",
    "Ожидание оплаты", "Встреча", "Дожатие", "Квалификация", "Сбор документов", "Проверка",
)  # fmt: skip
FIELDS = 30


def large_pipeline(number: int) -> str:
    """The text of a pipeline like no other number's."""
    fields = "".join(
        f'  - {{id: f{n}, titles: {{ru: "Поле {number} {n}", en: "Field {number} {n}"}}}}\n' for n in range(FIELDS)
    )
    stages = "".join(_stage(number, n) for n in range(len(TITLES)))
    return (
        f'pipeline: p{number}\ntitles: {{ru: "Воронка {number}", en: "Pipeline {number}"}}\nconversion_point: won\n'
        f"fields:\n{fields}stages:\n{stages}"
        '  - {id: won, titles: {ru: "Сделка", en: "Deal"}, kind: won}\n'
        '  - {id: lost, titles: {ru: "Отказ", en: "Lost"}, kind: lost}\n'
        '  - {id: paused, titles: {ru: "Отложен", en: "Paused"}, kind: postponed}\n'
    )


def _stage(number: int, n: int) -> str:
    following = f"s{n + 1}" if n + 1 < len(TITLES) else "won"
    back = f"      - {{to: s{n - 1}, needs: [{{contact: phone}}]}}\n" if n else ""
    return (
        f'  - id: s{n}\n    titles: {{ru: "{TITLES[n]} {number}", en: "Stage {n} of {number}"}}\n    kind: open\n'
        f"    exit:\n      - {{fact: seen}}\n      - {{field: f{n}, when: \"card.f{n + 1} == '{number}'\"}}\n"
        f"    mandatory: [f{2 * n}, f{2 * n + 1}]\n    limit: {{after: {{days: 5}}}}\n"
        f"    moves:\n      - {{to: {following}}}\n{back}"
    )


def measure(count: int) -> tuple[float, float, int]:
    """Seconds of processor time to read so many pipelines, and to lint them; how many findings there were."""
    texts = [large_pipeline(number) for number in range(count)]
    begun = time.process_time()
    written = [read_written_pipeline(text) for text in texts]
    read = time.process_time()
    found = sum(len(lint_written(one).findings) for one in written)
    return read - begun, time.process_time() - read, found


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.linting", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000)
    count = parser.parse_args().count
    wall = time.perf_counter()
    read, linted, found = measure(count)
    wall = time.perf_counter() - wall
    size = len(large_pipeline(0))
    print(
        f"{count:,} pipelines of {size:,} characters, 14 open stages, 30 fields: {wall:.1f} s; "
        f"processor: reading {read:.1f} s, linting {linted:.1f} s ({1_000 * linted / count:.1f} ms each); {found:,} findings"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

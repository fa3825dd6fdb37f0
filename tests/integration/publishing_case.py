"""What tests of publishing share: a pipeline of 14 stages, its successor of 7, a thousand leads with a last month."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from services.ops.publishing.command import Typed, publish
from tests.integration.import_case import Given

OPEN = tuple(f"s{n:02d}" for n in range(1, 11))
"""The open stages of the 14; won `deal`, lost `dear` and `silent`, postponed `later`."""
SHORT = ("s01", "contact", "offer", "closing")
"""The open stages of the 7; won `deal`, lost `lost_all`, postponed `later`."""
MAPPING = {
    **{f"s{n:02d}": "contact" for n in (2, 3, 4)},
    **{f"s{n:02d}": "offer" for n in (5, 6, 7)},
    **{f"s{n:02d}": "closing" for n in (8, 9, 10)},
    "dear": "lost_all",
    "silent": "lost_all",
}


def unique(name: str) -> str:
    """An id of a pipeline that no other test has: versions are cached by id and number in the process."""
    return f"{name}_{uuid4().hex[:8]}"


def text_of(pipeline: str, stages: list[str], *, conversion: str = "deal", title: str = "Четырнадцать") -> str:
    """A pipeline's text; a stage is written `id kind title`."""
    lines = [
        f"pipeline: {pipeline}",
        f'titles: {{ru: "{title}", en: "Fourteen"}}',
        f"conversion_point: {conversion}",
        "stages:",
    ]
    for stage in stages:
        name, kind, titled = stage.split(" ", 2)
        lines.append(f'  - {{id: {name}, titles: {{ru: "{titled}", en: "{titled} (en)"}}, kind: {kind}}}')
    return "\n".join(lines) + "\n"


def fourteen(pipeline: str) -> str:
    """The 14 stages."""
    rows = [f"{stage} open Шаг {n}" for n, stage in enumerate(OPEN, start=1)]
    return text_of(
        pipeline, [*rows, "deal won Сделка", "dear lost Дорого", "silent lost Молчит", "later postponed Позже"]
    )


def seven(pipeline: str) -> str:
    """The 7 stages that follow."""
    rows = ["s01 open Новая заявка", "contact open Контакт", "offer open Предложение", "closing open Дожатие"]
    return text_of(
        pipeline, [*rows, "deal won Сделка", "lost_all lost Не купил", "later postponed Позже"], title="Семь"
    )


def typed_mapping() -> list[str]:
    """The mapping as it is typed."""
    return [",".join(f"{old}={new}" for old, new in MAPPING.items())]


def last_month(now: datetime) -> datetime:
    """The first moment of the month before."""
    return (now.replace(day=1) - timedelta(days=1)).replace(day=1, hour=9, minute=0, second=0, microsecond=0)


@dataclass
class History:
    """A log of a thousand leads that reached their stages in the month before; where each stands."""

    live: int = 1_000
    closed: int = 60
    month: datetime = field(default_factory=lambda: last_month(datetime.now(UTC)))
    stands: dict[str, int] = field(default_factory=dict)

    def csv(self) -> str:
        """The log as `leadline import` takes it."""
        rows = ["case,activity,at,name,phone,until,reason"]
        for number in range(self.live + self.closed):
            rows += self._case(number)
        return "\n".join(rows) + "\n"

    def _case(self, number: int) -> list[str]:
        reached = number % len(OPEN) + 1
        path = list(OPEN[:reached])
        if number >= self.live:
            path.append(("deal", "dear", "silent")[number % 3])
            if path[-1] == "deal":
                path = [*OPEN, "deal"]
        elif number % 25 == 0:
            path.append("later")
        self.stands[path[-1]] = self.stands.get(path[-1], 0) + 1
        begins = self.month + timedelta(hours=number % 300)
        rows = []
        for step, stage in enumerate(path):
            at = begins + timedelta(hours=20 * step)
            until, reason = ("2031-01-01", "в отпуске") if stage == "later" else ("", "")
            rows.append(f"{number},{stage},{at.isoformat()},Клиент {number},+7900{number:07d},{until},{reason}")
        return rows


async def run_publish(settings: object, file: Path, **typed: object) -> int:
    """`leadline publish` in this process; its exit status."""
    return await publish(Given(settings), Typed(file, **{"yes": True, **typed}))  # type: ignore[arg-type]

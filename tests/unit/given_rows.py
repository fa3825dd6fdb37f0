"""Events as projections take them and as `verify` opens them, from one list of what happened, for tests of both."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts import events as e
from contracts.events.deal import OF_DEALS
from projections.event import Event
from projections.keyed.rows import Kept, Place
from services.ops.verify.opened import Opened

STREAM = UUID(int=7)
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@dataclass
class Story:
    """What happened on one stream, in order; `deal`: on a deal's."""

    stream: UUID = STREAM
    deal: bool = False
    events: list[Event] = field(default_factory=list)
    now: datetime = NOON

    def add(self, event: e.Event, by: str = "anna", kind: str = "person", at: datetime | None = None) -> Story:
        """The next one, a minute later unless it happened at another time."""
        self.now += timedelta(minutes=1)
        of = OF_DEALS.get(type(event)) if self.deal else None  # type: ignore[call-overload]
        topic = of.TOPIC if of is not None else event.TOPIC
        data = event.model_dump(mode="json", exclude=set(event.PERSONAL), exclude_none=True)
        made = Event(
            str(self.stream), len(self.events) + 1, event.KIND, topic, 0, at or self.now, self.now, {"id": by, "kind": kind},
            None, data, {}, None, False, False, "classic@3",
        )  # fmt: skip
        self.events.append(made)
        return self

    def opened(self) -> list[Opened]:
        """The same as `verify` reads it."""
        return [
            Opened(
                one.type,
                one.version,
                {
                    "happened_at": one.happened_at.isoformat(),
                    "recorded_at": one.recorded_at.isoformat(),
                    "actor": one.actor,
                    "pipeline": one.pipeline,
                },
                dict(one.data),
                {},
                sealed_shut=False,
            )
            for one in self.events
        ]


def plain(row: Any, ids: frozenset[str], json: dict[str, Any]) -> dict[str, Any]:
    """A row with ids as ids and JSON as values. `json`: how to read each of these columns."""
    found = dict(row) if isinstance(row, dict) else asdict(row)
    for name, value in found.items():
        if value is not None and name in ids:
            found[name] = UUID(str(value))
        if isinstance(value, str) and name in json:
            found[name] = json[name](value)
    return found


def stored(kept: Kept[Any], there: dict[Place, Any]) -> Kept[Any]:
    """What the next batch loads: `there`, what the ones before stored, with what this one began or changed; copies, so that what
    it changed without saying so is lost."""
    there |= {place: replace(kept.rows[place]) for place in kept.begun | kept.changed}
    return Kept({place: replace(row) for place, row in there.items()})

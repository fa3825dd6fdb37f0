"""Kafka topics: names, partitions, retention, and who may write them (decision 3).

Invariants: `*.events` and `leads.refusals` are kept for ever; a partition count never changes after creation (a start that
finds another count is refused); the key is the stream id as text under Kafka's default partitioner (murmur2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DAY_MS: Final = 24 * 60 * 60 * 1000
FOR_EVER: Final = -1


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic. `single_writer`: only the relay writes it: acknowledged offsets have no gaps, a foreign record is an error."""

    name: str
    partitions: int | None
    """None: the deployment's count (`KAFKA_PARTITIONS`, 24)."""
    retention_ms: int
    single_writer: bool


LEADS_EVENTS: Final = Topic("leads.events", None, FOR_EVER, True)
DEALS_EVENTS: Final = Topic("deals.events", None, FOR_EVER, True)
PEOPLE_EVENTS: Final = Topic("people.events", None, FOR_EVER, True)
INCIDENTS_EVENTS: Final = Topic("incidents.events", None, FOR_EVER, True)
PIPELINES_EVENTS: Final = Topic("pipelines.events", 1, FOR_EVER, True)
TEAMS_EVENTS: Final = Topic("teams.events", None, FOR_EVER, True)
LEADS_REFUSALS: Final = Topic("leads.refusals", None, FOR_EVER, True)
LEADS_INBOUND: Final = Topic("leads.inbound", None, 7 * DAY_MS, False)
LEADS_COMMANDS: Final = Topic("leads.commands", None, 3 * DAY_MS, False)

TOPICS: Final = (
    LEADS_EVENTS,
    DEALS_EVENTS,
    PEOPLE_EVENTS,
    INCIDENTS_EVENTS,
    PIPELINES_EVENTS,
    TEAMS_EVENTS,
    LEADS_REFUSALS,
    LEADS_INBOUND,
    LEADS_COMMANDS,
)

EVENTS_TOPIC_OF_KIND: Final = {
    "lead": LEADS_EVENTS.name,
    "deal": DEALS_EVENTS.name,
    "contact": PEOPLE_EVENTS.name,
    "company": PEOPLE_EVENTS.name,
    "incident": INCIDENTS_EVENTS.name,
    "pipeline": PIPELINES_EVENTS.name,
    "team": TEAMS_EVENTS.name,
}
"""Which topic publishes the events of an aggregate kind."""

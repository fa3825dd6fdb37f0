"""The share of inbound that became no lead, by channel and reason (C3).

Pure. A message counts once: further reports of a call and copies of a letter are part of the first one
(`contracts.inbound.REPEAT_REASONS`). What still waits has no outcome yet and is in no share.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

BECAME = frozenset({"accepted", "joined"})
FAILED = ("no_lead", "quarantined", "refused")


@dataclass(frozen=True, slots=True)
class Counted:
    """How many messages of a channel had an outcome for a reason."""

    channel: str
    outcome: str
    reason: str | None
    count: int


@dataclass(slots=True)
class ChannelShare:
    """A channel's inbound of a period. `reasons`: of what became no lead, by (outcome, reason)."""

    channel: str
    accepted: int = 0
    joined: int = 0
    waiting: int = 0
    reasons: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def became_none(self) -> int:
        """Messages that became no lead."""
        return sum(self.reasons.values())

    @property
    def decided(self) -> int:
        """Messages that have an outcome."""
        return self.accepted + self.joined + self.became_none

    @property
    def share(self) -> float | None:
        """The share that became no lead, 0 to 1; None where nothing came."""
        return self.became_none / self.decided if self.decided else None


def shares(counts: Iterable[Counted]) -> list[ChannelShare]:
    """The shares by channel, in the order of their names, reasons by their counts."""
    found: dict[str, ChannelShare] = {}
    for counted in counts:
        mine = found.setdefault(counted.channel, ChannelShare(counted.channel))
        if counted.outcome in FAILED:
            key = (counted.outcome, counted.reason or "unknown")
            mine.reasons[key] = mine.reasons.get(key, 0) + counted.count
        else:
            setattr(mine, counted.outcome, getattr(mine, counted.outcome) + counted.count)
    for mine in found.values():
        mine.reasons = dict(sorted(mine.reasons.items(), key=lambda pair: (-pair[1], pair[0])))
    return [found[channel] for channel in sorted(found)]

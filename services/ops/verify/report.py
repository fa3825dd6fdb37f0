"""What `verify` found: differences by place and kind, and counts of what was checked.

Invariants: every difference is counted, the first `NAMED` of each place and kind are named; no personal data stands in one
(a personal value that differs is said to differ, not shown).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

NAMED = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """Two places that should say the same and do not.

    `place`: store, topic, outbox, claims, keys, timers, inbound, import, refusals, effects, journals, projection. `kind`:
    altered, missing, unexpected, order, repeated, differs, parked, erased. `about`: an event id (stream-version), a stream, a
    row's key. `detail`: in words.
    """

    place: str
    kind: str
    about: str
    detail: str

    def __str__(self) -> str:
        return f"{self.place}: {self.kind}: {self.about}: {self.detail}"


@dataclass(slots=True)
class Report:
    """The findings. `counts`: how much of what was looked at; `notes`: what is no difference but worth knowing."""

    differences: list[Difference] = field(default_factory=list)
    totals: Counter[tuple[str, str]] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    lost: Counter[str] = field(default_factory=Counter)
    """Records missing on a topic, by topic: what `--repair` can publish again."""

    @property
    def ok(self) -> bool:
        """Whether all agree."""
        return not self.totals

    def differ(self, place: str, kind: str, about: str, detail: str) -> None:
        """Add a difference."""
        self.totals[(place, kind)] += 1
        if self.totals[(place, kind)] <= NAMED:
            self.differences.append(Difference(place, kind, about, detail))

    def note(self, text: str) -> None:
        """Add a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    @property
    def unnamed(self) -> int:
        """How many differences there are beyond those named."""
        return self.totals.total() - len(self.differences)

    def as_object(self) -> dict[str, Any]:
        """The report for programs."""
        return {
            "ok": self.ok,
            "differences": [asdict(difference) for difference in self.differences],
            "totals": {f"{place}.{kind}": count for (place, kind), count in sorted(self.totals.items())},
            "checked": dict(sorted(self.counts.items())),
            "notes": self.notes,
        }

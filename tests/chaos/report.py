"""The table of a chaos run, as people read it and as `docs/chaos.md` keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.robots import Counts

BEGIN, END = "<!-- last long run: begin -->", "<!-- last long run: end -->"
HEAD = ("#", "fault", "inputs", "commands", "events", "repeats", "recovery s", "start s", "result")


@dataclass(slots=True)
class Row:
    """One cycle. Numbers are of this cycle; `repeats`: second copies on the topics that it added."""

    number: int
    fault: str
    inputs: int = 0
    commands: int = 0
    events: int = 0
    repeats: int = 0
    recovery: float | None = None
    warm: float | None = None
    result: str = "ok"

    def cells(self) -> tuple[str, ...]:
        """The cells of its line."""
        seconds = ["-" if value is None else f"{value:.1f}" for value in (self.recovery, self.warm)]
        counts = [str(value) for value in (self.inputs, self.commands, self.events, self.repeats)]
        return (str(self.number), self.fault, *counts, *seconds, self.result)


def line(cells: Sequence[str]) -> str:
    """A line of the table."""
    return f"| {' | '.join(cells)} |"


def heading() -> str:
    """The first two lines of the table."""
    return f"{line(HEAD)}\n{line(['---'] * len(HEAD))}"


def totals(rows: Sequence[Row], tries: int, seed: int, seconds: float) -> str:
    """What stands below the table."""
    recoveries = sorted(row.recovery for row in rows if row.recovery is not None)
    warm = sorted(row.warm for row in rows if row.warm is not None)
    failed = sum(row.result != "ok" and not row.result.startswith("ok") for row in rows)
    lines = [
        f"{len(rows)} cycles, {failed} failed, seed {seed}, {seconds / 60:.1f} minutes. "
        f"{sum(r.inputs for r in rows)} inputs and {sum(r.commands for r in rows)} commands accepted (in {tries} tries), "
        f"{sum(r.events for r in rows)} events, {sum(r.repeats for r in rows)} repeats on the topics, all byte-equal."
    ]
    if recoveries:
        median = recoveries[len(recoveries) // 2]
        lines.append(
            f"Recovery (from the fault to a new form on the board): median {median:.1f} s, longest {recoveries[-1]:.1f} s."
        )
    if warm:
        lines.append(f"Starts of `leadline up` on a folder that was used before: longest {warm[-1]:.1f} s.")
    return "\n".join(lines)


def robots(counts: Counts, crashes: int) -> str:
    """What robots did in the whole run."""
    return (
        f"Robots: {counts.ran} ran, each once; {counts.closed} timers closed, {counts.waiting} not due yet. {counts.done} "
        f"letters done, {counts.letters} at the mail server: {counts.twice} came twice, {counts.doubtful} listed as doubtful, "
        f"after {crashes} crashes of the process that writes them."
    )


def save(path: Path, text: str) -> None:
    """Put a run's report in its place in a document. Raises ValueError when the place is not there."""
    document = path.read_text(encoding="utf-8")
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} has no place marked {BEGIN} … {END}")
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")

"""`leadline verify` at a terminal: progress, the differences in words or as JSON, the exit status.

Exit status 0: all agree; 1: differences, named; 2: it could not check (Kafka or the database away, a setting missing).
`--repair` publishes what a topic lacks and the store has, then verifies once more; what else differs it leaves alone.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from services.ops.place import OpsError, Place
from services.ops.progress import shown
from services.ops.terminal import console, plain, print_json

if TYPE_CHECKING:
    from services.ops.verify.report import Report
    from services.settings import Settings

AGREE, DIFFER = 0, 1


async def verify(place: Place, *, repair: bool, as_json: bool) -> int:
    """Verify, print, and return the exit status. Raises OpsError when it could not check."""
    settings = place.settings()
    try:
        settings.master_key_bytes, settings.pepper_bytes  # noqa: B018  # both are needed, and say so when missing
    except ValueError as error:
        raise OpsError(str(error)) from None
    report = await _checked(settings)
    if repair and report.lost:
        await _repair(settings, report)
        again = await _checked(settings)
        again.note(
            f"published again: {', '.join(f'{count} to {topic}' for topic, count in sorted(report.lost.items()))}"
        )
        report = again
    if as_json:
        print_json(report.as_object())
    else:
        _print(report)
    return AGREE if report.ok else DIFFER


async def _checked(settings: Settings) -> Report:
    from services.ops.verify.run import verify as run

    with shown(sys.stderr.isatty()) as progress:
        return await run(settings, progress)


async def _repair(settings: Settings, report: Report) -> None:
    from services.ops.republish import fill

    if any(place == "store" for place, _ in report.totals):
        raise OpsError(
            "the event store itself is not as it was written; nothing was published. See: leadline verify", 1
        )
    for topic in sorted(report.lost):
        print(await fill(settings, topic), file=sys.stderr)


def _print(report: Report) -> None:
    from rich.text import Text

    out = console()
    for difference in report.differences:
        line = Text(f"{difference.place} {difference.kind}: ", style="bold red")
        line.append(f"{plain(difference.about)}: {plain(difference.detail)}", style="")
        out.print(line)
    if report.unnamed:
        out.print(f"and {report.unnamed} more differences of the same kinds (see totals with --json)")
    for note in report.notes:
        out.print(Text(plain(note), style="yellow"))
    counts = ", ".join(f"{count} {name}" for name, count in sorted(report.counts.items()) if count)
    if report.ok:
        out.print(Text(f"OK: {counts or 'nothing to compare yet'}", style="bold green"))
    else:
        out.print(Text(f"{report.totals.total()} differences; looked at: {counts}", style="bold red"))

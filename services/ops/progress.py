"""A progress bar on stderr for long work, where a person is watching.

Invariants: nothing is drawn where there is no terminal; what is drawn is gone when the work ends, however it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from services.ops.terminal import console

Progress: TypeAlias = Callable[[str, int, int | None], None]
"""Called with the step, how much is done, of how much (None: not known)."""


@contextmanager
def shown(watched: bool) -> Iterator[Progress]:
    """A progress to call; drawn only when `watched`."""
    if not watched:
        yield lambda step, done, total: None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        SpinnerColumn,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=console(error=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def show(step: str, done: int, total: int | None) -> None:
            name = step.partition(",")[0]  # what follows a comma, a rate say, changes as it goes on
            if name not in tasks:
                tasks[name] = bars.add_task(step, total=total)
            bars.update(tasks[name], completed=done, total=total, description=step)

        yield show

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
def shown(watched: bool, *, rate: bool = False) -> Iterator[Progress]:
    """A progress to call; drawn only when `watched`. `rate`: with how many a second, and the time left."""
    if not watched:
        yield lambda step, done, total: None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        ProgressColumn,
        SpinnerColumn,
        Task,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars
    from rich.text import Text

    class Rate(ProgressColumn):
        """How many a second."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.0f}/s" if task.speed else "")

    columns: tuple[ProgressColumn, ...] = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    if rate:
        columns += (Rate(),)
    with Bars(*columns, console=console(error=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def show(step: str, done: int, total: int | None) -> None:
            name = step.partition(",")[0]  # what follows a comma, a rate say, changes as it goes on
            if name not in tasks:
                tasks[name] = bars.add_task(step, total=total)
            bars.update(tasks[name], completed=done, total=total, description=step)

        yield show

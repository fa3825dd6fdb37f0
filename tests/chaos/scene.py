"""Where a fault strikes, and what a fault is."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.chaos.load import Load
from tests.chaos.system import System


@dataclass(slots=True)
class Scene:
    """Where a fault strikes. It sets `struck` (monotonic), `warm` (seconds of a start it did), `note` for the table."""

    system: System
    load: Load
    chance: random.Random
    drained: Callable[[], Awaitable[None]]
    struck: float = 0.0
    warm: float | None = None
    note: str = ""
    later: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    """Done once the system works again, while the load still runs."""

    def hit(self, *names: str) -> None:
        """kill -9 of these processes and what is below them, at once."""
        pids = [self.system.pid(name) for name in names]
        self.struck = time.monotonic()
        self.load.ledger.crashes += "reactors" in names
        for pid in pids:
            self.system.kill_tree(pid)

    async def up(self) -> None:
        """`leadline up` again, on a folder that has been started before."""
        self.warm = await self.system.up()


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault. `group`: the short run takes one of each group."""

    name: str
    group: str
    strike: Callable[[Scene], Awaitable[None]]
    quiet: bool = False

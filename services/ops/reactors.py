"""The process `reactors`: the services on whose work nobody waits by the second, side by side, so that one laptop has memory for
all. The robots' timers, which must be on time, are a process of their own (decision 0026).

On a cluster each may run alone (`leadline serve delivery`). Invariants: they share nothing but the process, each has its own
connections; when one ends although nobody said so, all end, the process exits and is started again.
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from services.health import Health
    from services.serving import Run
    from services.settings import Settings

REACTORS: Final = ("delivery", "incidents")
"""Each has `services.NAME.app.run`. One that this release does not have is left out."""


async def run(settings: Settings, health: Health, stop: asyncio.Event) -> None:
    """Run all of `REACTORS` until `stop`. Raises what makes one of them unable to go on."""
    running = {asyncio.ensure_future(part(settings, health, stop)): name for name, part in _reactors().items()}
    try:
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            for task, name in running.items():
                if task.done():
                    task.result()
                    raise RuntimeError(f"the service «{name}» ended by itself")
        # each keeps to `settings.stop_within`, and the process ends what does not (`services.serving`)
        for ended in await asyncio.gather(*running, return_exceptions=True):
            if isinstance(ended, BaseException):
                raise ended
    finally:
        stop.set()
        _, late = await asyncio.wait(running, timeout=settings.stop_within)
        for task in late:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _reactors() -> dict[str, Run]:
    return {
        name: import_module(f"services.{name}.app").run
        for name in REACTORS
        if find_spec(f"services.{name}.app") is not None
    }

"""`leadline serve SERVICE`: one service process, against the configured cluster or under `leadline up`.

The services are named here and found by name when asked for, so that no service imports another. Invariants: a service that
does not exist or does not load ends with a clear line; logs are set up before the service's code is imported.
"""

from __future__ import annotations

import gc
import os
import select
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from services.ops.place import OpsError, load_settings

if TYPE_CHECKING:
    from services.serving import Run


GATE_SECONDS = 400.0
"""Longer than a migration may take under `leadline up`, which ends us when it fails."""
GATE_POLL = 0.02
NICEST: Final = 19


@dataclass(frozen=True, slots=True)
class Service:
    """Where a service's `run` is, and whether it answers `/health` and `/metrics` on an address of its own."""

    module: str
    own_web: bool
    what: str
    behind: bool = False
    """Whether it works in the gaps that others leave (decision 0026): nobody waits for it by the second."""


SERVICES = {
    "leads": Service("services.leads.app", True, "aggregate service: rules, event store, command door"),
    "relay": Service("services.eventlog.relay.app", False, "publishes the outbox to Kafka"),
    "projections": Service("projections.app", False, "builds board, timeline, people, funnel, robots"),
    "robots": Service("services.robots.app", False, "the robots' timers"),
    "reactors": Service("services.ops.reactors", False, "delivery and incidents, in one process", behind=True),
    "door": Service("services.web.app", True, "channels' intake, web API and pages"),
    "delivery": Service(
        "services.delivery.app",
        False,
        "sends letters, messages, audience changes; reports what came of it; part of reactors",
        behind=True,
    ),
    "incidents": Service(
        "services.incidents.app", False, "silent channels, dead letters, digests, card reviews; part of reactors"
    ),
}


def serve(name: str) -> int:
    """Run the service until SIGTERM, Ctrl-C or the end of its supervisor; the exit status. Raises OpsError."""
    service = SERVICES.get(name)
    if service is None:
        raise OpsError(f"no service is called {name!r}; there are: {', '.join(SERVICES)}")
    settings = load_settings()
    from services.logs import configure_logging
    from services.serving import serve_process

    try:
        configure_logging(name, settings.log_level)
    except ValueError as error:
        raise OpsError(str(error)) from None
    gc.disable()  # what the code makes as it is loaded stays: looking for garbage in it takes a sixth of the time
    run: Run = import_module(service.module).run
    if not _pass_gate(os.environ.get("LEADLINE_GATE", "")):
        return 0
    if service.behind:
        _stand_behind()
    return serve_process(name, run, settings, own_web=service.own_web, watch_supervisor=_watcher(settings.stop_within))


def _stand_behind() -> None:
    """Work in what the other processes leave of the processors from here on, and let them in at once: on a machine that is full a
    move is on the board as soon as ever, and letters go later. By `nice` where the system has no such class."""
    try:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    except (AttributeError, OSError):
        os.nice(NICEST)


def _pass_gate(gate: str) -> bool:
    """Wait until `leadline up` has prepared topics and tables: it starts us early, so that our code is loaded meanwhile.

    False when the supervisor is gone. Raises OpsError after `GATE_SECONDS`. Without a gate there is nothing to wait for.
    """
    from deploy.embedded.guard import inherited_fd

    fd, deadline = inherited_fd(), time.monotonic() + GATE_SECONDS
    while gate and not Path(gate).exists():
        if fd is None:
            time.sleep(GATE_POLL)
        elif select.select([fd], [], [], GATE_POLL)[0]:
            return False
        if time.monotonic() > deadline:
            raise OpsError(f"nothing was prepared within {GATE_SECONDS:.0f} s; the log of `leadline up` says why")
    return True


def _watcher(stop_within: float) -> Callable[[Callable[[], None]], None] | None:
    """Watches the pipe of `leadline up`, where there is one."""
    from deploy.embedded.guard import SUPERVISOR_FD, inherited_fd, watch_parent

    fd = inherited_fd()
    if fd is None:
        return None
    os.set_inheritable(fd, False)
    os.environ.pop(SUPERVISOR_FD)
    return lambda on_gone: watch_parent(fd, on_gone, exit_within=stop_within + 5.0)

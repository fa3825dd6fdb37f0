"""`leadline serve SERVICE`: one service process, against the configured cluster or under `leadline up`.

The services are named here and found by name when asked for, so that no service imports another. Invariants: a service that
does not exist or does not load ends with a clear line; logs are set up before the service's code is imported.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from services.ops.place import OpsError, load_settings

if TYPE_CHECKING:
    from services.serving import Run


@dataclass(frozen=True, slots=True)
class Service:
    """Where a service's `run` is, and whether it answers `/health` and `/metrics` on an address of its own."""

    module: str
    own_web: bool
    what: str


SERVICES = {
    "leads": Service("services.leads.app", True, "aggregate service: rules, event store, command door"),
    "relay": Service("services.eventlog.relay.app", False, "publishes the outbox to Kafka"),
    "projections": Service("projections.app", False, "builds board, timeline, people"),
    "door": Service("services.web.app", True, "channels' intake, web API and pages"),
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
    run: Run = import_module(service.module).run
    return serve_process(name, run, settings, own_web=service.own_web, watch_supervisor=_watcher(settings.stop_within))


def _watcher(stop_within: float) -> Callable[[Callable[[], None]], None] | None:
    """Watches the pipe of `leadline up`, where there is one."""
    from deploy.embedded.guard import SUPERVISOR_FD, inherited_fd, watch_parent

    fd = inherited_fd()
    if fd is None:
        return None
    os.set_inheritable(fd, False)
    os.environ.pop(SUPERVISOR_FD)
    return lambda on_gone: watch_parent(fd, on_gone, exit_within=stop_within + 5.0)

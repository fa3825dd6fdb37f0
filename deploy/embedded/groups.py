"""Which service groups `leadline up` runs, and what they are told about the servers.

To add a group, add its name here; a group is one process, `leadline serve NAME`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.children import ChildSpec

GROUPS = ("leads", "relay", "projections", "robots", "reactors", "door")


@dataclass(frozen=True, repr=False)
class Running:
    """The servers as the service groups see them, given to `children` and `prepare`."""

    data: Path
    http_url: str
    smtp_url: str
    leads_url: str
    bootstrap: str
    database_url: str
    bi_url: str
    environment: Mapping[str, str]
    """What every child gets; see `Supervisor`."""
    port: Callable[[str], int]
    """A free port on 127.0.0.1 for a name, the same at every start while nobody else takes it."""


def service_groups(running: Running) -> list[ChildSpec]:
    """The default children: leads, relay, projections, robots, reactors, door, each `leadline serve NAME`.

    `leads` answers at LEADLINE_LEADS_URL, `door` at LEADLINE_HTTP_PORT, the others at their LEADLINE_METRICS_PORT.
    """
    specs = []
    for name in GROUPS:
        port = running.port(f"{name}-metrics")
        base = {"leads": running.leads_url, "door": running.http_url}.get(name, f"http://127.0.0.1:{port}")
        argv = [sys.executable, "-m", "services.ops.main", "serve", name]
        specs.append(
            ChildSpec(
                name,
                argv,
                {"LEADLINE_METRICS_PORT": str(port), "LEADLINE_INSTANCE": f"up-{name}"},
                f"{base}/health/ready",
            )
        )
    return specs

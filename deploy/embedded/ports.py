"""Free ports on 127.0.0.1, chosen once per data folder and remembered in `ports.json`.

Invariants: a remembered port is used again as long as nobody else listens there, so that addresses written down stay
true; ports are taken below the range from which systems number outgoing connections, so that none of those gets in
the way. LEADLINE_PORTS (`20000-20999`) narrows the range: systems that start at the same moment on one machine, each with
a range of its own, never choose the same port.
"""

from __future__ import annotations

import json
import os
import random
import re
import socket
from pathlib import Path

from deploy.embedded.disk import write_atomically
from deploy.embedded.errors import EmbeddedError

LOWEST, HIGHEST = 15_000, 32_000


def is_free(port: int) -> bool:
    """True when a server may listen on 127.0.0.1:`port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as java and postgres do: TIME_WAIT is no obstacle
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def port_range() -> tuple[int, int]:
    """The lowest and the highest port to choose. Raises EmbeddedError when LEADLINE_PORTS names no range."""
    given = os.environ.get("LEADLINE_PORTS")
    if not given:
        return LOWEST, HIGHEST
    found = re.fullmatch(r"(\d{1,5})-(\d{1,5})", given)
    if not found or not 1024 <= int(found[1]) <= int(found[2]) <= 65_535:
        raise EmbeddedError(f"LEADLINE_PORTS must be two ports from 1024 to 65535, like 20000-20999; it is {given!r}")
    return int(found[1]), int(found[2])


def free_port(taken: set[int]) -> int:
    """A free port that is not in `taken`; it is added to `taken`. Raises EmbeddedError when 500 tries find none."""
    chance, (lowest, highest) = random.SystemRandom(), port_range()
    for _ in range(500):
        port = chance.randint(lowest, highest)
        if port not in taken and is_free(port):
            taken.add(port)
            return port
    raise EmbeddedError(f"no free port found between {lowest} and {highest} on 127.0.0.1")


class PortBook:
    """The ports of one data folder by name, kept in a file that is written whenever a port is chosen anew."""

    def __init__(self, path: Path) -> None:
        """Reads `path`; a missing or damaged file means that all ports are chosen anew."""
        self._path = path
        self._ports: dict[str, int] = {}
        self._sure: set[str] = set()
        try:
            found = json.loads(path.read_text(encoding="ascii"))
            self._ports = {str(name): int(port) for name, port in found.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            pass

    def port(self, name: str) -> int:
        """The port of that name: the remembered one where nobody else has it, else a new one; the same for this run."""
        if name not in self._sure:
            if name not in self._ports or not is_free(self._ports[name]):
                self._ports[name] = free_port(set(self._ports.values()))
                write_atomically(self._path, json.dumps(self._ports, indent=1) + "\n", mode=0o644)
            self._sure.add(name)
        return self._ports[name]

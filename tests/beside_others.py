"""What tests need because others run at the same moment (`make test` has two processes): ports of their own, and room where
they measure time.

Invariants: processes of one run (`make test` has two) and what they start never choose the same port: every process has a range
of its own, here and, by LEADLINE_PORTS, for the servers of `leadline up` and `deploy.embedded`; ports given here lie below those,
and both below the range from which systems number outgoing connections. A port that somebody else listens on is passed over.
"""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator

WORKER = os.environ.get("PYTEST_XDIST_WORKER")
"""The name of this process among several, gw0, gw1, …; None where it is alone."""
PORTS = "LEADLINE_PORTS"
PLACES, OWN, SERVERS = 8, (10_000, 15_000), (15_000, 32_000)


def _share(whole: tuple[int, int]) -> range:
    """This process's part of a range."""
    place = int((WORKER or "gw0").removeprefix("gw")) % PLACES
    size = (whole[1] - whole[0]) // PLACES
    return range(whole[0] + place * size, whole[0] + (place + 1) * size)


def keep_apart() -> None:
    """Servers that this process and its children start choose their ports among its own."""
    if WORKER:
        share = _share(SERVERS)
        os.environ[PORTS] = f"{share.start}-{share.stop - 1}"


def _ports() -> Iterator[int]:
    share = _share(OWN)
    begin = random.SystemRandom().randrange(len(share))  # another run on this machine begins elsewhere
    while True:
        yield from (*share[begin:], *share[:begin])


_NEXT = _ports()


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on, and that is given to nobody else."""
    for port in _NEXT:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError


def room(seconds: float) -> float:
    """How long what should take `seconds` may take here: a process that is not alone shares the processor and the disk."""
    return seconds * 3 if WORKER else seconds

"""The service groups as child processes: how one is started, seen to be ready, and stopped.

Invariants: a child has a session of its own (the terminal's Ctrl-C reaches the supervisor only), reads nothing from the
terminal, writes to `logs/NAME.log`, and holds the read end of the supervisor's pipe, which it must watch
(`guard.watch_parent`) to stop when the supervisor dies. Waits are bounded; what outlives them is killed with its group.
"""

# Starting processes is what this module is for; every command is a list made here, nothing of it comes from outside.
# Ends are awaited by polling on purpose (an object may be used from two event loops), and starting one takes a few milliseconds.
# ruff: noqa: ASYNC220, S603

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from deploy.embedded import guard
from deploy.embedded.server import POLL, open_log, tail

STOP_LIMIT = 15.0  # seconds from SIGTERM to SIGKILL
ANSWER_BYTES = 65_536

Readiness: TypeAlias = Literal["ready", "waits for a person", "at work", "not ready"]


class Said(NamedTuple):
    """What a process says of itself; `work`: how far the long work is that it is at."""

    readiness: Readiness
    work: str = ""


@dataclass(frozen=True)
class ChildSpec:
    """A process to run: `env` is added to what every child gets (see `Supervisor`).

    `ready_url` answers an HTTP GET with 200 when the child is ready; None: ready as soon as it runs.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    ready_url: str | None = None


class Child:
    """One child; started again and again by the supervisor under the same name."""

    def __init__(self, spec: ChildSpec, environment: Mapping[str, str], logs: Path, run: Path, lifeline: int) -> None:
        self.spec = spec
        self.name = spec.name
        self.log = self.output = logs / f"{spec.name}.log"
        self._note = run / f"{spec.name}.service"
        self._environment = {**environment, **spec.env, guard.SUPERVISOR_FD: str(lifeline)}
        self._lifeline = lifeline
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """True while the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_status(self) -> int | None:
        """Status of the last run (negative: ended by that signal); None while it runs or before the first."""
        return None if self._process is None else self._process.poll()

    async def start(self) -> None:
        """Start the process; does not wait until it is ready. Raises OSError when the program cannot be run."""
        with open_log(self.log) as log:
            self._process = subprocess.Popen(
                list(self.spec.argv),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[self._lifeline],
                start_new_session=True,
            )
        guard.write_note(str(self._note), self._process.pid)

    async def readiness(self) -> Said:
        """What the process says of itself, asked once, at most 2 s."""
        if not self.running:
            return Said("not ready")
        return Said("ready") if self.spec.ready_url is None else await readiness_at(self.spec.ready_url)

    async def wait_exit(self, limit: float | None = None) -> int | None:
        """Wait until the process has ended, at most `limit` seconds; its status, None when it still runs."""
        deadline = None if limit is None else time.monotonic() + limit
        while self.running and (deadline is None or time.monotonic() < deadline):
            await asyncio.sleep(POLL)
        return self.exit_status

    async def stop(self, limit: float = STOP_LIMIT) -> None:
        """SIGTERM, and SIGKILL to the whole group after `limit` seconds. Harmless when it does not run."""
        if self._process is None:
            return
        if self.running:
            self._process.send_signal(signal.SIGTERM)
            await self.wait_exit(limit)
        self.kill()
        await self.wait_exit(2.0)
        self._note.unlink(missing_ok=True)

    def kill(self) -> None:
        """SIGKILL to the whole group, at once."""
        if self._process is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)  # also what it may have left behind

    def tail(self) -> str:
        """The last lines of its log, for an error text."""
        return tail(self.log)


async def readiness_at(url: str, limit: float = 2.0) -> Said:
    """What an HTTP GET of `url` (plain http, `/health/ready` of a service) says within `limit` seconds."""
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    try:
        async with asyncio.timeout(limit):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(f"GET {parts.path or '/'} HTTP/1.0\r\nHost: {host}:{port}\r\n\r\n".encode())
                if b" 200 " in await reader.readline() + b" ":
                    return Said("ready")
                return _lacking(await reader.read(ANSWER_BYTES))
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):
        return Said("not ready")


def _lacking(answer: bytes) -> Said:
    """What an answer that is no 200 says: head and body, `services.serving.answer_health`."""
    try:
        body = json.loads(answer.partition(b"\r\n\r\n")[2])
    except ValueError:
        return Said("not ready")
    if not isinstance(body, dict):
        return Said("not ready")
    if body.get("waits_for_person"):
        return Said("waits for a person")
    work = body.get("at_work")
    return Said("at work", work) if isinstance(work, str) else Said("not ready")

"""What the embedded Kafka and Postgres have in common: a process under a guard, with a log, a note and a port.

Invariants: the server's process never outlives whoever holds the lifeline's write end (`guard`); at most one process
runs per `GuardedServer`; before a start, a living process noted in the same folder is ended. Waiting is by polling
every 20 ms, so that an object may be started in one event loop and stopped in another (test fixtures do that).
"""

# Starting processes is what this module is for; every command is a list made here, nothing of it comes from outside.
# Ends are awaited by polling on purpose (an object may be used from two event loops), and starting one takes a few milliseconds.
# ruff: noqa: ASYNC220, S603

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded import guard
from deploy.embedded.errors import EmbeddedError
from deploy.embedded.ports import is_free

POLL = 0.02  # seconds
LOG_LIMIT = 10 * 1024 * 1024  # bytes; a longer log is put aside at the next start, at five times that at once
TAIL_LINES = 20
PORT_LIMIT = 2.0  # seconds that a server which just ended has to leave its port


@dataclass(frozen=True)
class Account:
    """The system account a server runs as; None ids: the account of this process."""

    uid: int | None = None
    gid: int | None = None
    name: str = ""


class GuardedServer:
    """One server process. Subclasses say how to prepare its folder, start it and see that it answers."""

    name = "server"
    stop_signal = signal.SIGTERM
    stop_limit = 20.0  # seconds from the stop signal to SIGKILL

    def __init__(self, folder: Path, logs: Path, run: Path, lifeline: int) -> None:
        """`folder`: the server's data; `logs`, `run`: folders for its log and its notes; `lifeline`: pipe to watch."""
        self.folder = folder
        self.log = logs / f"{self.name}.log"
        self.output = self.log  # of the process; a server that writes its log itself has another file here
        self._note = run / f"{self.name}.server"
        self._guard_note = run / f"{self.name}.guard"
        self._lifeline = lifeline
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the server itself (not of its guard). Raises EmbeddedError when it does not run."""
        noted = read_note(self._note)
        if self._guard is None or self._guard.poll() is not None or noted is None or not is_alive(*noted):
            raise EmbeddedError(f"{self.name} does not run")
        return noted[0]

    @property
    def running(self) -> bool:
        """True while the guard (and so the server, or its end being noticed) lives."""
        return self._guard is not None and self._guard.poll() is None

    @property
    def exit_status(self) -> int | None:
        """Status of the last run: None while it runs or before the first; 128 + N after signal N."""
        return None if self._guard is None else self._guard.poll()

    async def wait_exit(self, limit: float | None = None) -> int | None:
        """Wait until the server has ended, at most `limit` seconds; its exit status, None when it still runs."""
        deadline = None if limit is None else time.monotonic() + limit
        while self.running and (deadline is None or time.monotonic() < deadline):
            await asyncio.sleep(POLL)
        return self.exit_status

    def kill9(self) -> None:
        """SIGKILL to the server, as a crash would end it. Returns at once; `wait_exit` waits."""
        os.kill(self.pid, signal.SIGKILL)

    def sigstop(self) -> None:
        """Freeze the server's process: connections stay open, nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def sigcont(self) -> None:
        """Let a frozen server go on."""
        os.kill(self.pid, signal.SIGCONT)

    async def stop(self, *, hard: bool = False) -> None:
        """Stop the server in order, with SIGKILL after `stop_limit`; `hard`: SIGKILL at once. Harmless when stopped."""
        if self._guard is None:
            return
        if self.running:
            self._guard.send_signal(signal.SIGTERM)
            if hard:
                await asyncio.sleep(POLL)  # two equal signals at the same moment would be one
                self._guard.send_signal(signal.SIGTERM)
            await self.wait_exit(self.stop_limit + 3.0)
        if self.running:
            self._guard.kill()
            await self.wait_exit(2.0)
        for note in (self._note, self._guard_note):
            note.unlink(missing_ok=True)

    async def _spawn(self, argv: Sequence[str], env: Mapping[str, str], account: Account) -> None:
        if self.running:
            raise EmbeddedError(f"{self.name} runs already (process {self._guard and self._guard.pid})")
        await end_noted([self._guard_note, self._note], patience=0.0)
        self._note.unlink(missing_ok=True)
        # -I -S: no site-packages, so that the guard stays small; it must not import this package
        command = [sys.executable, "-I", "-S", guard.__file__, "--fd", str(self._lifeline), "--note", str(self._note)]
        command += ["--signal", str(int(self.stop_signal)), "--limit", str(self.stop_limit)]
        if account.uid is not None:
            command += ["--uid", str(account.uid), "--gid", str(account.gid)]
        with open_log(self.output) as log:
            self._guard = subprocess.Popen(
                [*command, "--", *argv],
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[self._lifeline],
                start_new_session=True,
                cwd=self.folder.parent,
            )
        guard.write_note(str(self._guard_note), self._guard.pid)

    async def _wait_for_port(self, *ports: int) -> None:
        """Raise EmbeddedError when others listen on a port: their answer would be taken for this server's."""
        deadline = time.monotonic() + PORT_LIMIT
        for port in ports:
            while not is_free(port):
                if time.monotonic() > deadline:
                    raise EmbeddedError(
                        f"{self.name} cannot start: port {port} on 127.0.0.1 is taken by another program"
                    )
                await asyncio.sleep(POLL)

    def tail(self) -> str:
        """The last lines of the server's log, for an error text."""
        return tail(self.log)


def open_log(path: Path) -> _Log:
    """Open a log for appending, private to this user; one longer than `LOG_LIMIT` is first renamed to `NAME.log.1`."""
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.replace(path.with_name(path.name + ".1"))
    return _Log(path)


def trim_log(path: Path) -> None:
    """Cut a running process's log once it is past five times `LOG_LIMIT`; the old content goes to `NAME.log.1`."""
    with suppress(OSError):
        if path.stat().st_size > 5 * LOG_LIMIT:
            shutil.copyfile(path, path.with_name(path.name + ".1"))
            os.truncate(path, 0)  # its writer appends, so it goes on at the new end


class _Log:
    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> int:
        return self._fd

    def __exit__(self, *_error: object) -> None:
        os.close(self._fd)


def tail(path: Path, lines: int = TAIL_LINES) -> str:
    """The last `lines` lines of a log (at most its last 16 KiB); a sentence when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 16384))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        text = ""
    return "\n".join(text.splitlines()[-lines:]) or f"({path.name} is empty)"


def read_note(path: Path) -> tuple[int, str] | None:
    """The noted process as (pid, identity), None when there is no readable note."""
    try:
        pid, _, identity = path.read_text(encoding="ascii").strip().partition(" ")
        return int(pid), identity
    except (OSError, ValueError):
        return None


def is_alive(pid: int, identity: str) -> bool:
    """True when that very process lives; a later process with the same number is another one."""
    return guard.process_identity(pid) == identity


async def end_noted(notes: Sequence[Path], patience: float) -> list[int]:
    """End the processes that these notes name and that still live; returns their ids.

    They have `patience` seconds to end by themselves (whose supervisor died is stopping already), as long again after
    SIGTERM, then they get SIGKILL. Raises EmbeddedError when one still lives 5 s after that.
    """
    noted = [found for found in map(read_note, notes) if found is not None and is_alive(*found)]
    steps: list[tuple[signal.Signals | None, float]] = [(signal.SIGKILL, 5.0)]
    if patience > 0:
        steps = [(None, patience), (signal.SIGTERM, patience), *steps]
    for number, limit in steps:
        for pid, identity in noted:
            if number is not None and is_alive(pid, identity):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            if not any(is_alive(*found) for found in noted):
                return [pid for pid, _ in noted]
            await asyncio.sleep(POLL)
    raise EmbeddedError(
        f"the processes {[pid for pid, _ in noted]} of this data folder cannot be ended; end them by hand"
    )


def clean_environment(**extra: str) -> dict[str, str]:
    """A small fixed environment for a server, so that nothing in the user's shell changes how it runs."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"} | extra

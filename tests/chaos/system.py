"""The system under test, started as a user starts it: `leadline up --data DIR` as a process of its own.

Invariants: nothing of the product is imported, only its commands, files and ports are used; whatever happens to the test,
`close` (also at the interpreter's end) ends every process of the data folder and removes it. Every wait has a limit and says
what it waited for, with the end of the log.
"""

# Starting a process takes a few milliseconds, and its end is awaited by polling.
# ruff: noqa: ASYNC220

from __future__ import annotations

import asyncio
import atexit
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil

from tests.beside_others import PORTS, free_port

LEADLINE = Path(sys.executable).with_name("leadline")
GROUPS = ("leads", "relay", "projections", "robots", "reactors", "door")
RESPONSIBLES = ("anna", "boris", "clara")
START = "2026-11-30T09:00:00+03:00"
"""Where a practice clock starts."""
READY, PR_SET_PDEATHSIG = "leadline is ready", 1


class ChaosError(AssertionError):
    """The system did not do what it promises; the text says what, and where to look."""


async def until(what: str, look: Callable[[], Awaitable[Any]], limit: float, pause: float = 0.1) -> Any:
    """Ask `look` until it gives something true, at most `limit` seconds; its last complaint is told."""
    deadline, why = time.monotonic() + limit, "nothing yet"
    while True:
        try:
            async with asyncio.timeout(max(1.0, deadline - time.monotonic())):
                if found := await look():
                    return found
        except (OSError, TimeoutError, httpx.HTTPError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            why = repr(error)[:300]
        if time.monotonic() > deadline:
            raise ChaosError(f"not within {limit:.0f} s: {what} ({why})")
        await asyncio.sleep(pause)


class System:
    """One data folder. `up` starts it, faults may hit it, `close` removes it."""

    def __init__(
        self, base: Path | None = None, *, arguments: Sequence[str] = (), environment: Mapping[str, str] | None = None
    ) -> None:
        """`arguments`: further ones of `leadline up`; `environment`: settings of its own, over those every system has."""
        self.arguments, self.environment = tuple(arguments), dict(environment or {})
        self.base = Path(tempfile.mkdtemp(prefix="leadline-chaos-", dir=base))
        self.base.chmod(0o711)  # as root, Postgres' own account must pass through
        self.data = self.base / "data"
        self.log = self.base / "up.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.further: list[subprocess.Popen[bytes]] = []
        self.others = 0.0  # share of the machine that other programs had during the last start
        self.info: dict[str, Any] = {}
        self.secrets: dict[str, str] = {}
        self._owner = os.getpid()
        atexit.register(self.close)

    # --- up and down ---------------------------------------------------------------------------------------------

    async def up(self, limit: float = 120.0, *, ready: bool = True) -> float:
        """Start, wait until it says that it is ready; the seconds that took. `ready` False: do not wait."""
        begin, began = self.log.stat().st_size if self.log.exists() else 0, time.monotonic()
        busy, mine = _busy(), time.process_time()
        environment = {
            k: v for k, v in os.environ.items() if k == PORTS or not k.startswith(("LEADLINE_", "KAFKA_", "DATABASE_"))
        }
        environment |= {"LEADLINE_RESPONSIBLES": json.dumps(RESPONSIBLES), "NO_COLOR": "1"} | self.environment
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(LEADLINE), "up", "--data", str(self.data), "--port", "0", *self.arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )
        if not ready:
            return 0.0
        while READY.encode() not in self.log.read_bytes()[begin:]:
            if self.process.poll() is not None:
                raise ChaosError(f"`leadline up` ended with {self.process.returncode}:\n{self.tail()}")
            if time.monotonic() - began > limit:
                raise ChaosError(f"`leadline up` is not ready within {limit:.0f} s:\n{self.tail()}")
            await asyncio.sleep(0.02)
        took = time.monotonic() - began
        self.others = max(0.0, (_busy() - busy - self._used() + mine) / took / (os.cpu_count() or 1))
        self.read_places()
        return took

    def read_places(self) -> None:
        """Where everything listens, as a user reads it."""
        self.info = json.loads((self.data / "info.json").read_text())
        self.secrets = json.loads((self.data / "secrets.json").read_text())

    async def down(self, limit: float = 45.0) -> None:
        """Stop it in order, as Ctrl-C does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + limit
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                raise ChaosError(f"`leadline up` did not stop within {limit:.0f} s:\n{self.tail()}")
            await asyncio.sleep(0.05)
        if left := [pid for pid in self.pids().values() if psutil.pid_exists(pid)]:
            raise ChaosError(f"processes {left} outlive the supervisor's clean stop")

    def close(self) -> None:
        """End everything of this folder, at once, and remove it. Harmless when done before, or in a forked child."""
        if not self.base.exists() or os.getpid() != self._owner:
            return
        for process in [*self.further, *([self.process] if self.process else [])]:
            self.kill_tree(process.pid)
            with suppress(subprocess.TimeoutExpired):
                process.wait(5.0)
        for pid in self.pids().values():
            self.kill_tree(pid)
        if os.environ.get("LEADLINE_CHAOS_KEEP"):
            print(f"kept for a look: {self.base}", flush=True)
            self.base = self.base / "gone"
            return
        shutil.rmtree(self.base, ignore_errors=True)

    # --- processes -----------------------------------------------------------------------------------------------

    def pids(self) -> dict[str, int]:
        """Living processes of the folder by name: `leads`, …, `kafka`, `postgres`, and their guards."""
        found = {}
        for note in sorted((self.data / "run").glob("*")) if (self.data / "run").exists() else []:
            if note.suffix not in (".service", ".server", ".guard"):
                continue
            with suppress(OSError, ValueError, psutil.Error):
                pid = int(note.read_text().split()[0])
                process = psutil.Process(pid)
                if process.status() != psutil.STATUS_ZOMBIE and str(self.data) in _trace(process):
                    found[note.stem + ("-guard" if note.suffix == ".guard" else "")] = pid
        return found

    def _used(self) -> float:
        """CPU seconds of this process and of the system that was just started."""
        used = time.process_time()
        for pid in self.pids().values():
            with suppress(psutil.Error):
                each = psutil.Process(pid).cpu_times()
                used += each.user + each.system
        if self.process is not None:
            with suppress(psutil.Error):
                used += sum(psutil.Process(self.process.pid).cpu_times()[:4])  # with children that have ended
        return used

    def pid(self, name: str) -> int:
        """The process of that name. Raises ChaosError when it does not live."""
        pid = self.pids().get(name)
        if pid is None:
            raise ChaosError(f"{name} does not run:\n{self.tail()}")
        return pid

    @staticmethod
    def kill_tree(pid: int) -> None:
        """kill -9 of a process and all below it."""
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            for each in [process, *process.children(recursive=True)]:
                with suppress(psutil.Error):
                    each.send_signal(signal.SIGCONT)
                    each.kill()

    def kill_everything(self) -> None:
        """kill -9 of the supervisor and every process it has, as one blow."""
        assert self.process is not None
        self.kill_tree(self.process.pid)
        for pid in self.pids().values():
            self.kill_tree(pid)
        self.process.wait(5.0)

    def second_leads(self) -> tuple[subprocess.Popen[bytes], str]:
        """A second `leadline serve leads` with the first one's environment and a port of its own; process and URL."""
        environment = psutil.Process(self.pid("leads")).environ()
        environment.pop("LEADLINE_INSTANCE", None)  # the first one's own name
        environment.pop("LEADLINE_SUPERVISOR_FD", None)
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        environment |= {"LEADLINE_LEADS_URL": url, "LEADLINE_METRICS_PORT": "0"}
        with (self.base / "leads-2.log").open("ab") as log:
            process = subprocess.Popen(
                [str(LEADLINE), "serve", "leads"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )
        self.further.append(process)
        return process, url

    # --- ways in -------------------------------------------------------------------------------------------------

    async def command(self, *arguments: str, limit: float = 120.0) -> tuple[int, str, str]:
        """Run `leadline ARGUMENTS --data DIR`: exit status, stdout, stderr."""
        process = await asyncio.create_subprocess_exec(
            str(LEADLINE),
            *arguments,
            "--data",
            str(self.data),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(limit):
                out, err = await process.communicate()
        except TimeoutError:
            raise ChaosError(f"`leadline {' '.join(arguments)}` did not end within {limit:.0f} s") from None
        finally:
            if process.returncode is None:
                process.kill()
        return process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace")

    async def token(self, name: str, role: str) -> str:
        """A new API token."""
        status, out, err = await self.command("token", "--as", name, "--role", role)
        if status:
            raise ChaosError(f"leadline token: {err}")
        return out.strip()

    async def connect(self, url: str | None = None) -> asyncpg.Connection:
        """A connection to Postgres as the owner, or by another URL."""
        return await asyncpg.connect(url or self.info["database"], timeout=10.0, command_timeout=120.0)

    def tail(self, lines: int = 25) -> str:
        """The end of what `leadline up` said, and of each service's log."""
        texts = []
        for path in [self.log, *sorted((self.data / "logs").glob("*.log")), self.base / "leads-2.log"]:
            if path.exists() and path.name != "kafka.log":
                last = path.read_text(errors="replace").splitlines()[-(lines if path == self.log else 6) :]
                texts.append(f"--- {path.name}\n" + "\n".join(line[:400] for line in last))
        return "\n".join(texts)


def _busy() -> float:
    """CPU seconds that the machine has worked."""
    each = psutil.cpu_times()
    return float(sum(each) - each.idle - getattr(each, "iowait", 0.0) - getattr(each, "guest", 0.0))


def _trace(process: psutil.Process) -> str:
    """What shows that a process belongs to a data folder: its command line and environment."""
    text = " ".join(process.cmdline())
    with suppress(psutil.Error):
        text += " ".join(process.environ().values())
    return text


def end_with_parent() -> None:
    """Even a kill -9 of the test leaves nothing running: the kernel then stops `leadline up` (Linux)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

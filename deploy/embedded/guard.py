"""The small parent of java and postgres: when the supervisor dies, however it dies, its servers stop too.

The supervisor holds the only write end of a pipe; everybody else holds a read end. A kill -9 of the supervisor closes
the pipe, which a process notices without any polling. Java and postgres do not know that pipe, so this program stands
between: it starts its command, then waits for the first of: end of the pipe, SIGTERM or SIGINT (stop the command), the
command's own end (pass its status on). Python services watch the pipe themselves with `watch_parent`.

Invariants: imports only what Python has loaded anyway or costs under a millisecond (it runs as `python -I -S guard.py`,
about 9 MB); the command always has a process group of its own; after the limit, or at a second SIGTERM, the whole group
gets SIGKILL. When the command cannot be started the exit status is 127 and the reason is on stderr.

    python -m deploy.embedded.guard --fd N --note FILE --signal 2 --limit 20 [--uid U --gid G] -- COMMAND ARG...
"""

# Starting processes is what this module is for; every command is a list made here, nothing of it comes from outside.
# ruff: noqa: S603, S606, S607

from __future__ import annotations

import os
import select
import signal
import sys
import time

MYPY = False
if MYPY:  # typing and threading cost memory here; `watch_parent` imports threading where it is used
    from collections.abc import Callable
    from types import FrameType

SUPERVISOR_FD = "LEADLINE_SUPERVISOR_FD"
"""Environment variable with the number of the inherited read end of the supervisor's pipe."""


def process_identity(pid: int) -> str | None:
    """When process `pid` began, as text to compare for equality only; None when no such process lives.

    A process id alone is no identity: the kernel hands it out again. A zombie counts as gone.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as boot:
            # the start is in ticks since boot, so a reboot must make it differ
            return None if fields[0] in "ZX" else f"{boot.read().strip()}:{fields[19]}"
    except (FileNotFoundError, ProcessLookupError):
        if os.path.exists("/proc/self/stat"):
            return None
    import subprocess  # macOS: no /proc

    told = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = told.stdout.strip().partition(" ")
    return started.strip() or None if state and not state.startswith("Z") else None


def write_note(path: str, pid: int) -> None:
    """Note a process (`PID IDENTITY` on one line) so that a later start can find it; atomic."""
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "w", encoding="ascii") as note:
        note.write(f"{pid} {process_identity(pid) or '-'}\n")
    os.replace(temporary, path)


def inherited_fd() -> int | None:
    """The pipe handed down by the supervisor, or None for a service that runs on its own (`leadline serve`)."""
    text = os.environ.get(SUPERVISOR_FD, "")
    return int(text) if text.isdigit() else None


def watch_parent(fd: int, on_gone: Callable[[], None], exit_within: float = 20.0) -> None:
    """Call `on_gone` once, in a thread of its own, when the supervisor at the other end of `fd` is gone.

    `on_gone` begins an orderly stop (from asyncio: `lambda: loop.call_soon_threadsafe(stop.set)`). A process that still
    lives `exit_within` seconds later ends itself with status 75: nobody is left to do it.
    """
    import threading

    def wait() -> None:
        while True:
            try:
                if not os.read(fd, 4096):
                    break
            except InterruptedError:
                continue
            except OSError:
                break
        try:
            on_gone()
        finally:
            time.sleep(exit_within)
            os._exit(75)

    threading.Thread(target=wait, name="supervisor-watch", daemon=True).start()


def _start(command: list[str], uid: int | None, gid: int | None) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setpgid(0, 0)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        if gid is not None:
            os.setgroups([])
            os.setgid(gid)
        if uid is not None:
            os.setuid(uid)
        os.execv(command[0], command)
    except OSError as error:
        os.write(2, f"guard: cannot start {command[0]}: {error}\n".encode())
    os._exit(127)


def _kill_group(pid: int) -> None:
    for kill in (os.killpg, os.kill):
        try:  # noqa: SIM105 (contextlib would be loaded for this alone)
            kill(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass


def guard(
    fd: int, command: list[str], note: str, stop_with: int, limit: float, ids: tuple[int | None, int | None]
) -> int:
    """Run `command` until it ends; returns its exit status, 128 + N where signal N ended it."""
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    os.set_blocking(wake_read, False)
    stops = 0

    def on_signal(number: int, _frame: FrameType | None) -> None:
        nonlocal stops
        stops += number != signal.SIGCHLD

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, on_signal)
    signal.set_wakeup_fd(wake_write)  # makes select() return for signals that came just before it
    pid = _start(command, *ids)
    if note:
        write_note(note, pid)
    watched = [fd, wake_read]
    deadline: float | None = None
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        if stops and deadline is None:
            deadline = time.monotonic() + limit
            os.kill(pid, stop_with)
        if deadline is not None and (stops > 1 or time.monotonic() >= deadline):
            _kill_group(pid)
            deadline = time.monotonic() + 1.0
        wait = None if deadline is None else max(0.0, deadline - time.monotonic())
        readable, _, _ = select.select(watched, [], [], wait)
        if wake_read in readable:
            os.read(wake_read, 512)
        if fd in readable and not os.read(fd, 512):
            watched.remove(fd)
            stops = max(stops, 1)


def main(arguments: list[str]) -> int:
    """Read the command line (see the module's text) and guard the command."""
    split = arguments.index("--")
    options = dict(zip(arguments[:split:2], arguments[1:split:2], strict=True))
    uid, gid = options.get("--uid"), options.get("--gid")
    return guard(
        fd=int(options["--fd"]),
        command=arguments[split + 1 :],
        note=options.get("--note", ""),
        stop_with=int(options.get("--signal", signal.SIGTERM)),
        limit=float(options.get("--limit", 15)),
        ids=(int(uid) if uid else None, int(gid) if gid else None),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

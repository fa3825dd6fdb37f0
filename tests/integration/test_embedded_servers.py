"""The embedded servers and their supervisor, for real: kills, second starts, durability (spec I, design decision 1).

One folder is used through most of the file, so that a start is cold once. Every wait has a limit; nothing sleeps.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from deploy.embedded import aot, guard, jars
from deploy.embedded.errors import EmbeddedError
from deploy.embedded.ports import PortBook, free_port
from deploy.embedded.sandbox import EmbeddedServers
from deploy.embedded.server import read_note
from tests.beside_others import room

UP = """
import asyncio, os, sys
from pathlib import Path
from deploy.embedded.children import ChildSpec
from deploy.embedded.supervisor import Supervisor

def children(running):
    port = running.port("echo")
    return [ChildSpec("echo", [sys.executable, sys.argv[2], str(port)], {}, f"http://127.0.0.1:{port}/health/ready")]

async def prepare(running, servers_answer):
    await servers_answer.wait()
    print("preparing", running.bootstrap, flush=True)

limit = float(os.environ.get("READY_LIMIT", "60"))
supervisor = Supervisor(data=Path(sys.argv[1]), http_port=0, children=children, prepare=prepare, ready_limit=limit)
sys.exit(asyncio.run(supervisor.run()))
"""

ECHO = """
import http.server, os, sys, time
from deploy.embedded.guard import inherited_fd, watch_parent

class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global began
        began = began or time.monotonic()
        worked = time.monotonic() - began
        if "WAITS" in os.environ:
            body = b'{"ready":false,"waits_for_person":true}'
        elif worked < float(os.environ.get("WORKS", "0")):
            body = b'{"ready":false,"at_work":"building board: filling, %d of 8 streams"}' % worked
        else:
            body = b""
        self.send_response(503 if body else 200)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.write(os.environ["LEADLINE_MASTER_KEY"][:0].encode())

assert "KAFKA_BOOTSTRAP" in os.environ and "DATABASE_BI_URL" in os.environ
watch_parent(inherited_fd(), lambda: os._exit(0))
began = 0.0
if "READY_LIMIT" in os.environ and "WORKS" not in os.environ:
    sys.exit("the echo cannot start today")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
"""


async def until(true: Callable[[], object], limit: float = 60.0) -> None:
    """Wait for a condition, at most `limit` seconds."""
    deadline = time.monotonic() + limit
    while not true():
        assert time.monotonic() < deadline, f"not so within {limit} s"
        await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
async def servers() -> AsyncIterator[EmbeddedServers]:
    async with EmbeddedServers() as started:
        yield started


async def produce(servers: EmbeddedServers, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=servers.bootstrap, acks="all", max_request_size=8_000_000
    ) as producer:
        await producer.send_and_wait(topic, value, partition=0)


async def values(servers: EmbeddedServers, topic: str, count: int) -> list[bytes]:
    async with AIOKafkaConsumer(bootstrap_servers=servers.bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        async with asyncio.timeout(60):
            return [(await consumer.getone()).value for _ in range(count)]


async def create_topic(servers: EmbeddedServers, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1)])
    finally:
        await admin.close()


async def show(url: str, *names: str) -> list[Any]:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return [await connection.fetchval(f"SHOW {name}") for name in names]
    finally:
        await connection.close()


async def test_D1_postgres_reports_durability_on(servers: EmbeddedServers) -> None:
    names = ("fsync", "full_page_writes", "synchronous_commit", "data_checksums")
    assert await show(servers.database_url, *names) == ["on"] * 4
    assert await show(servers.database_url, "max_locks_per_transaction", "listen_addresses", "server_encoding") == [
        "512",
        "127.0.0.1",
        "UTF8",
    ]


async def test_I_postgres_wants_a_password_and_bi_may_only_log_in(servers: EmbeddedServers) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(servers.database_url.replace("leadline:", "leadline:x"), timeout=10)
    owner = await asyncpg.connect(servers.database_url, timeout=10)
    await owner.execute("CREATE TABLE secret (x int)")
    await owner.close()
    bi = await asyncpg.connect(servers.bi_url, timeout=10)
    for refused in ("SELECT * FROM secret", "CREATE TABLE public.t (x int)", "CREATE TEMP TABLE t (x int)"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await bi.execute(refused)
    assert await bi.fetchval("SELECT lower('ЯЩИК')") == "ящик"
    await bi.close()


async def test_I_kafka_refuses_5_mb_and_unknown_topics(servers: EmbeddedServers) -> None:
    await create_topic(servers, "sizes")
    await produce(servers, "sizes", b"x" * 900_000)
    with pytest.raises(MessageSizeTooLargeError):
        await produce(servers, "sizes", b"x" * 5_000_000)
    async with AIOKafkaProducer(bootstrap_servers=servers.bootstrap) as producer:
        with pytest.raises((TimeoutError, KafkaError)):
            await asyncio.wait_for(producer.send_and_wait("never-made", b"x", partition=0), 1)


async def test_I_acknowledged_records_and_rows_survive_kill_9_of_both(servers: EmbeddedServers) -> None:
    await create_topic(servers, "kept")
    await produce(servers, "kept", b"one")
    connection = await asyncpg.connect(servers.database_url, timeout=10)
    await connection.execute("CREATE TABLE kept AS SELECT 1 AS x")
    servers.kafka.kill9()
    servers.postgres.kill9()
    assert await servers.kafka.wait_exit(60) == 128 + signal.SIGKILL
    assert await servers.postgres.wait_exit(60) == 128 + signal.SIGKILL
    began = time.monotonic()
    await asyncio.gather(servers.kafka.start(), servers.postgres.start())
    assert time.monotonic() - began < room(20)
    assert await values(servers, "kept", 1) == [b"one"]
    assert await show(servers.database_url, "fsync") == ["on"]
    assert "[" in servers.postgres.tail()
    assert "Kafka Server started" in servers.kafka.tail(), "the broker must not be silent"


async def test_I_frozen_broker_goes_on(servers: EmbeddedServers) -> None:
    await create_topic(servers, "frozen")
    servers.kafka.sigstop()
    sending = asyncio.create_task(produce(servers, "frozen", b"late"))
    done, _ = await asyncio.wait([sending], timeout=0.5)
    assert not done
    servers.kafka.sigcont()
    await asyncio.wait_for(sending, 60)
    assert await values(servers, "frozen", 1) == [b"late"]


async def test_I_wiped_kafka_and_half_made_folders_start_empty(servers: EmbeddedServers) -> None:
    await servers.kafka.wipe()
    half = servers.folder / "kafka" / "format-killed" / "log"
    half.mkdir(parents=True)
    (half / "meta.properties").write_text("half")
    await servers.kafka.start()
    assert not half.exists()
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.bootstrap)
    await admin.start()
    assert "kept" not in await admin.list_topics()
    await admin.close()


async def test_I_a_folder_that_a_newer_kafka_wrote_is_left_alone_and_the_way_out_is_told(tmp_path: Path) -> None:
    servers = EmbeddedServers(folder=tmp_path)
    # the end of what Kafka 4.2.2 said of a folder of 4.3.1
    servers.kafka.log.write_text(
        "\tat kafka.server.KafkaRaftServer.startup(KafkaRaftServer.scala:94)\n\tat kafka.Kafka$.main(Kafka.scala:97)\n"
        "\tat kafka.Kafka.main(Kafka.scala)\nCaused by: org.apache.kafka.common.errors.UnsupportedVersionException: Can't read "
        "version 4 of BrokerEndpoint\n"
    )
    assert f"the folder {servers.kafka.folder} was written by a newer Kafka than" in servers.kafka._why_ended()
    servers.kafka.log.write_text("java.lang.OutOfMemoryError: Java heap space\n")
    assert servers.kafka._why_ended().startswith("Kafka ended with status")
    assert "Java heap space" in servers.kafka._why_ended()
    await servers.stop()


async def test_I_start_on_an_occupied_port_says_so(servers: EmbeddedServers) -> None:
    other = EmbeddedServers(fsync=False)
    other.kafka.port = servers.kafka.port
    with pytest.raises(EmbeddedError, match=f"port {servers.kafka.port} on 127.0.0.1 is taken"):
        await other.start()
    assert not other.folder.exists()


async def test_I_jar_that_differs_from_the_lock_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "kafka-jars.lock"
    lock.write_text("org.slf4j:slf4j-api:1.7.36 " + "0" * 64 + "\n")
    home = tmp_path / "kafka-jars"
    with pytest.raises(EmbeddedError, match="SHA-256 missing"):
        jars._check(home, jars.read_lock(lock))
    home.mkdir()
    (home / "slf4j-api-1.7.36.jar").write_bytes(b"altered")
    with pytest.raises(EmbeddedError, match="not what the lock"):
        jars._check(home, jars.read_lock(lock))


async def test_I_kafkas_classes_are_prepared_once_and_a_failure_of_that_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aot, "cache_folder", lambda: tmp_path)
    java, said, trained = Path(sys.executable), list[str](), list[Path]()

    async def train(work: Path, options: Sequence[str]) -> None:
        trained.append(work)

    for _ in range(2):  # this «java» writes no cache
        assert await aot.aot_options(java, ["--no-such-option"], "a.jar", train, said.append) == ()
    assert len(trained) == 1
    assert [line.partition(" (")[0].partition(":")[0] for line in said] == [
        "preparing Kafka for quick starts",
        "Kafka starts without the cache of its classes, a few seconds slower",
    ]
    (note,) = (tmp_path / "kafka-aot").glob("*.failed")
    assert "Remove this file" in note.read_text()
    assert not trained[0].exists()
    made = note.with_suffix(".aot")
    made.touch()
    assert await aot.aot_options(java, ["--no-such-option"], "a.jar", train, said.append) == (f"-XX:AOTCache={made}",)


async def test_I_ports_are_remembered_until_someone_takes_them(tmp_path: Path) -> None:
    import socket

    first = PortBook(tmp_path / "ports.json").port("kafka")
    assert PortBook(tmp_path / "ports.json").port("kafka") == first
    with socket.create_server(("127.0.0.1", first)):
        assert PortBook(tmp_path / "ports.json").port("kafka") != first
    assert free_port(set()) < 32768


def test_I_systems_beside_one_another_can_be_given_ranges_of_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.embedded.ports.is_free", lambda _port: True)
    monkeypatch.setenv("LEADLINE_PORTS", "9000-9003")
    taken = {9001, 9003}
    assert {free_port(taken), free_port(taken)} == {9000, 9002}
    with pytest.raises(EmbeddedError, match="9000 and 9003"):
        free_port(taken)
    for wrong in ("9000", "9003-9000", "80-90", "9000-70000", "any"):
        monkeypatch.setenv("LEADLINE_PORTS", wrong)
        with pytest.raises(EmbeddedError, match="LEADLINE_PORTS must be two ports"):
            free_port(set())


class Up:
    """A supervisor in a process of its own, as `leadline up` is."""

    def __init__(self, data: Path, scripts: Path, **extra: str) -> None:
        self.data = data
        self.out = scripts / f"out-{time.monotonic_ns()}.txt"
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **extra}
        command = [sys.executable, str(scripts / "up.py"), str(data), str(scripts / "echo.py")]
        with self.out.open("w") as out:
            self.process = subprocess.Popen(
                command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=environment, start_new_session=True
            )

    def said(self) -> str:
        return self.out.read_text()

    async def ready(self, limit: float = 60.0) -> float:
        began = time.monotonic()
        await until(lambda: "leadline is ready: http://" in self.said() or self.process.poll() is not None, limit)
        assert self.process.poll() is None, self.said()
        return time.monotonic() - began

    async def ended(self, limit: float = 60.0) -> int:
        await until(lambda: self.process.poll() is not None, limit)
        return self.process.returncode

    def noted(self) -> list[tuple[int, str]]:
        return [found for path in (self.data / "run").iterdir() if (found := read_note(path))]

    def child(self, name: str) -> int:
        found = read_note(self.data / "run" / name)
        assert found is not None
        return found[0]


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scripts")
    (folder / "up.py").write_text(textwrap.dedent(UP))
    (folder / "echo.py").write_text(textwrap.dedent(ECHO))
    return folder


class Folder:
    """One data folder and the supervisors started on it; `now` is the one that runs."""

    def __init__(self, data: Path, scripts: Path) -> None:
        self.data, self._scripts = data, scripts
        self._started: list[Up] = []

    def start(self, **extra: str) -> Up:
        self._started.append(Up(self.data, self._scripts, **extra))
        return self._started[-1]

    async def now(self) -> Up:
        """The running supervisor, started when there is none."""
        for each in self._started:
            if each.process.poll() is None:
                return each
        started = self.start()
        await started.ready()
        return started

    def end(self) -> None:
        for each in self._started:
            if each.process.poll() is None:
                each.process.kill()
                each.process.wait(10)


@pytest.fixture(scope="module")
def folder(scripts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    # spaces and letters beyond ASCII are no obstacle
    made = Folder(tmp_path_factory.mktemp("data") / "здесь данные", scripts)
    yield made
    made.end()


async def test_I_second_up_on_same_folder_is_refused(folder: Folder) -> None:
    first = await folder.now()
    second = folder.start()
    assert await second.ended() == 1
    assert f"in use by process {first.process.pid}" in second.said()
    info = json.loads((first.data / "info.json").read_text())
    assert set(info) == {"http", "kafka", "database", "bi_database", "smtp", "topics", "data"}
    for private in ("info.json", "secrets.json"):
        assert stat.S_IMODE((first.data / private).stat().st_mode) == 0o600
    secrets = json.loads((first.data / "secrets.json").read_text())
    logs = b"".join(path.read_bytes() for path in (first.data / "logs").iterdir()) + first.said().encode()
    assert not [name for name, secret in secrets.items() if secret.encode() in logs]


async def test_I_child_and_server_that_die_are_started_again(folder: Folder) -> None:
    running = await folder.now()
    os.kill(running.child("echo.service"), signal.SIGKILL)
    await until(lambda: "echo ended with status -9; starting it again" in running.said())
    old = running.child("postgres.server")
    os.kill(old, signal.SIGKILL)
    await until(lambda: "postgres ended with status 137; starting it again" in running.said())
    url = json.loads((running.data / "info.json").read_text())["database"]

    async def back() -> list[Any]:
        while True:
            try:
                return await show(url, "fsync")
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.05)

    assert await asyncio.wait_for(back(), 60) == ["on"]


async def test_I_supervisor_killed_children_stop_and_next_start_is_under_10s(folder: Folder) -> None:
    running = await folder.now()
    noted = running.noted()
    assert len(noted) == 5  # two servers with a guard each, one service
    running.process.kill()
    await until(lambda: not any(guard.process_identity(pid) == identity for pid, identity in noted), room(20))
    again = folder.start()
    assert await again.ready() < room(10)


async def test_I_start_right_after_a_kill_ends_what_is_left(folder: Folder) -> None:
    running = await folder.now()
    os.kill(running.child("kafka.guard"), signal.SIGKILL)  # now nobody stops java but the next start
    java = read_note(running.data / "run" / "kafka.server")
    assert java is not None
    running.process.kill()
    again = folder.start()
    assert await again.ready() < room(15)
    assert guard.process_identity(java[0]) != java[1]


async def test_I_ctrl_c_stops_cleanly_with_status_0(folder: Folder) -> None:
    running = await folder.now()
    noted = running.noted()
    running.process.send_signal(signal.SIGINT)
    assert await running.ended() == 0, running.said()
    assert not any(guard.process_identity(pid) == identity for pid, identity in noted)
    assert "database system is shut down" in (running.data / "logs" / "postgres.log").read_text()
    assert running.noted() == []


async def test_I_part_that_does_not_come_up_is_named_with_the_end_of_its_log(folder: Folder) -> None:
    failing = folder.start(READY_LIMIT="1")
    assert await failing.ended() == 1
    assert "echo ended with status 1; starting it again in 0.2 s" in failing.said()
    assert "echo is not ready:" in failing.said()
    assert "the echo cannot start today" in failing.said()
    assert failing.noted() == []


async def test_I_part_that_waits_for_a_person_keeps_the_system_up(folder: Folder) -> None:
    running = folder.start(WAITS="1")
    await until(lambda: "leadline is up, but echo waits for a person: see http://" in running.said(), 60)
    assert running.process.poll() is None
    assert "leadline is ready" not in running.said()
    running.process.send_signal(signal.SIGTERM)
    assert await running.ended() == 0, running.said()


async def test_M8_a_part_at_long_work_is_waited_for_and_how_far_it_is_is_said(folder: Folder) -> None:
    running = folder.start(READY_LIMIT="2", WORKS="8")
    await running.ready()
    said = [line for line in running.said().splitlines() if line.startswith("echo: building board: filling, ")]
    assert len(said) >= 2, running.said()
    running.process.send_signal(signal.SIGTERM)
    assert await running.ended() == 0, running.said()


async def test_I_stop_asked_twice_kills_at_once(folder: Folder) -> None:
    running = await folder.now()
    os.kill(running.child("kafka.server"), signal.SIGSTOP)  # a frozen broker would hold up a clean stop for 20 s
    noted = running.noted()
    running.process.send_signal(signal.SIGTERM)
    await until(lambda: "stopping" in running.said())
    running.process.send_signal(signal.SIGTERM)
    assert await running.ended(room(5)) == 130
    await until(lambda: not any(guard.process_identity(pid) == identity for pid, identity in noted), room(5))

"""What every service process stands on: its HTTP server for health and metrics, its signals, its orderly end.

Invariants: SIGTERM, SIGINT and the loss of the supervisor set one `stop` event, and a service that has not finished its
running batch `settings.stop_within` seconds later is cancelled; a part that no longer beats (`Health.stuck`) ends the
process, so that a stuck Kafka loop is restarted instead of looking alive; servers listen on 127.0.0.1 unless the
settings say else.
Exit statuses: 0 an orderly stop, 1 the service failed, 70 a part was stuck, 75 the stop took too long.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeAlias

import structlog

from services.health import Health
from services.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Generator

    from uvicorn import Server

Run: TypeAlias = Callable[[Settings, Health, asyncio.Event], Awaitable[None]]
"""A service part: returns when the event is set, raises only when it cannot go on."""

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Scope]]
Send: TypeAlias = Callable[[Scope], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

OK, FAILED, STUCK, TOO_SLOW = 0, 1, 70, 75
HEALTH_PATHS = frozenset({"/health/live", "/health/ready", "/metrics"})
CANCEL_SECONDS = 2.0
WATCH_SECONDS = 1.0
GC_THRESHOLDS = (500_000, 20, 50)
"""A batch of 2,000 records is some 100,000 objects that hold each other and no cycles: looking at them while they live is for
nothing (it was a ninth of the projections' time). What cycles leave behind is bounded by this number: tens of MB."""

log = structlog.get_logger(__name__)


def answer_health(health: Health, path: str) -> tuple[int, str, bytes] | None:
    """Status, content type and body for one of `HEALTH_PATHS`, None for any other path.

    `/health/live`: 503 when a part is stuck. `/health/ready`: 503 while a part is not ready, and which;
    `waits_for_person` when only a person's decision can change that (`leadline up` stays up then); `at_work`: how far
    the long work is that it waits for (`leadline up` waits with it). `/metrics`: Prometheus text, the process's metrics
    and `leadline_ready{service,part}`.
    """
    import orjson

    if path == "/metrics":
        from prometheus_client import REGISTRY, CollectorRegistry, Gauge
        from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

        own = CollectorRegistry()
        gauge = Gauge("leadline_ready", "1 while the part of the service works", ["service", "part"], registry=own)
        for name, part in health.parts.items():
            gauge.labels(health.service, name).set(int(part.ready))
        return 200, CONTENT_TYPE_LATEST, generate_latest(REGISTRY) + generate_latest(own)
    if path == "/health/live":
        stuck = health.stuck()
        body: dict[str, Any] = {"service": health.service, "alive": not stuck, "stuck": stuck}
        return 503 if stuck else 200, "application/json", orjson.dumps(body)
    if path == "/health/ready":
        ready = health.is_ready()
        parts = {name: {"ready": part.ready, "why": part.why} for name, part in health.parts.items()}
        body = {"service": health.service, "ready": ready, "parts": parts}
        if health.waits_for_person():
            body["waits_for_person"] = True
        if (work := health.at_work()) is not None:
            body["at_work"] = work
        return 200 if ready else 503, "application/json", orjson.dumps(body)
    return None


def health_app(health: Health) -> App:
    """A bare ASGI application with `/health/live`, `/health/ready` and `/metrics`; 404 for all else. Can be mounted."""

    async def app(
        scope: Scope, receive: Callable[[], Awaitable[Scope]], send: Callable[[Scope], Awaitable[None]]
    ) -> None:
        if scope["type"] != "http":
            return
        answer = answer_health(health, scope["path"]) if scope["method"] in ("GET", "HEAD") else None
        status, kind, body = answer or (404, "application/json", b'{"detail":"not here"}')
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    return app


def with_health(app: App, health: Health) -> App:
    """The application, which also answers `HEALTH_PATHS`."""
    pages = health_app(health)

    async def both(scope: Scope, receive: Receive, send: Send) -> None:
        mine = scope["type"] == "http" and scope["path"] in HEALTH_PATHS
        await (pages if mine else app)(scope, receive, send)

    return both


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError naming host and port when they are taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener


async def serve_http(app: Any, *, host: str, port: int, stop: asyncio.Event, within: float = 5.0) -> None:
    """Serve an ASGI application until `stop`; open requests then get `within` seconds to end.

    `port` 0 takes any free one and logs it. Raises OSError when the port is taken, RuntimeError when the application's
    own start-up fails. Signals are left alone: they belong to `serve_process`.
    """
    listener = listen(host, port)
    log.info("listening", host=host, port=listener.getsockname()[1])
    server = _server(app, within)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        try:
            await serving
        except SystemExit as error:
            raise RuntimeError("the HTTP application did not start; its log says why") from error
    finally:
        stopping.cancel()
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(serving, return_exceptions=True)
        for opened in getattr(server, "servers", ()):  # after a cancel the loop must not go on watching a closed socket
            opened.close()
        listener.close()


def _server(app: Any, within: float) -> Server:
    from uvicorn import Config
    from uvicorn import Server as Uvicorn

    class QuietServer(Uvicorn):
        @contextmanager
        def capture_signals(self) -> Generator[None, None, None]:
            yield

    return QuietServer(
        Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=max(1, int(within)),
            timeout_keep_alive=30,
            ws="none",
        )
    )


def serve_process(
    service: str,
    run: Run,
    settings: Settings,
    *,
    own_web: bool,
    watch_supervisor: Callable[[Callable[[], None]], None] | None = None,
) -> int:
    """Run one service until it is told to stop; returns the exit status (see the module's text).

    `own_web`: the service answers health and metrics on its own address; otherwise they are served here, on
    `settings.metrics_host:metrics_port`. `watch_supervisor` gets a function to call, from any thread, when the
    supervisor is gone.
    """
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(service, run, settings, own_web, watch_supervisor))


async def _serve(
    service: str,
    run: Run,
    settings: Settings,
    own_web: bool,
    watch_supervisor: Callable[[Callable[[], None]], None] | None,
) -> int:
    loop, stop, health = asyncio.get_running_loop(), asyncio.Event(), Health(service)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if watch_supervisor is not None:
        watch_supervisor(lambda: _set_from_thread(loop, stop))
    gc.collect()
    gc.freeze()  # what the imports made lives as long as the process
    gc.set_threshold(*GC_THRESHOLDS)
    gc.enable()  # `leadline serve` loads the code without it
    log.info("starting")
    work = asyncio.ensure_future(run(settings, health, stop))
    stuck = asyncio.create_task(_until_stuck(health), name="watch")
    asked = asyncio.create_task(stop.wait(), name="stop")
    pages: asyncio.Task[None] | None = None
    pages_stop = asyncio.Event()
    waiting: set[asyncio.Future[Any]] = {work, stuck, asked}
    if not own_web:
        host, port = settings.metrics_host, settings.metrics_port
        serving = serve_http(health_app(health), host=host, port=port, stop=pages_stop, within=1.0)
        pages = asyncio.create_task(serving, name="health")
        waiting.add(pages)
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        status = OK
        if stuck.done():
            status = STUCK
            log.error("stuck", parts=health.stuck())
        elif pages is not None and pages.done():
            status = FAILED
            log.error("the health page failed", exc_info=pages.exception())
        elif work.done() and not stop.is_set() and work.exception() is None:
            status = FAILED
            log.error("ended unasked")
        stop.set()
        finished = await _finish(work, settings.stop_within if status == OK else CANCEL_SECONDS)
        status = status or finished
    finally:
        pages_stop.set()
        stuck.cancel()
        asked.cancel()
        await asyncio.gather(*(waiting - {work}), return_exceptions=True)
    log.info("stopped", status=status)
    return status


def _set_from_thread(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    with suppress(RuntimeError):  # the loop is closed: the process is ending anyway
        loop.call_soon_threadsafe(event.set)


async def _finish(work: asyncio.Future[None], within: float) -> int:
    """Wait for the end of the work, at most `within` seconds; the exit status that follows from it."""
    await asyncio.wait([work], timeout=within)
    if not work.done():
        log.error("not stopped in time", seconds=within)
        work.cancel()
        await asyncio.wait([work], timeout=CANCEL_SECONDS)
        return TOO_SLOW
    if work.cancelled() or (error := work.exception()) is None:
        return FAILED if work.cancelled() else OK
    log.error("failed", exc_info=error)
    return FAILED


async def _until_stuck(health: Health) -> None:
    """Returns when a part is stuck at two looks running: a process that was frozen as a whole gets time to catch up."""
    before: set[str] = set()
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        now = set(health.stuck())
        if before & now:
            return
        before = now

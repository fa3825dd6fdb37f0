"""A service process: its health page, its orderly end, and the ends that are not (spec I, decision 4)."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from services.health import Health
from services.serving import answer_health

LIMIT = 60.0

PROCESS = """
import asyncio, sys
from services.logs import configure_logging
from services.serving import serve_process
from services.settings import Settings

{run}

configure_logging("test")
settings = Settings(metrics_port=0, stop_within={within})
sys.exit(serve_process("test", run, settings, own_web=False{more}))
"""

ORDERLY = """
async def run(settings, health, stop):
    health.expect("loop", limit=30)
    health.ready("loop")
    await stop.wait()
    print("finished its batch", flush=True)
"""


@contextmanager
def process(
    run: str, *, within: float = 5.0, more: str = "", fds: tuple[int, ...] = ()
) -> Iterator[subprocess.Popen[str]]:
    """A service process; killed at the end if it still runs."""
    code = PROCESS.format(run=textwrap.dedent(run), within=within, more=more)
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, pass_fds=fds
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate(timeout=LIMIT)


def wait_for(child: subprocess.Popen[str], pattern: str) -> str:
    """The first line on stderr that matches; a child that does not write it in time is killed."""
    assert child.stderr is not None
    too_late, read = threading.Timer(LIMIT, child.kill), ""
    too_late.start()
    try:
        for line in child.stderr:
            read += line
            if re.search(pattern, line):
                return line
    finally:
        too_late.cancel()
    raise AssertionError(f"no line like {pattern} in:\n{read}")


def get(url: str) -> tuple[int, str]:
    """Status and body."""
    try:
        with urllib.request.urlopen(url, timeout=LIMIT) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_K3_a_service_answers_health_and_metrics_and_ends_orderly_on_sigterm() -> None:
    with process(ORDERLY) as child:
        port = json.loads(wait_for(child, '"listening"'))["port"]
        status, body = get(f"http://127.0.0.1:{port}/health/ready")
        assert (status, json.loads(body)["parts"]) == (200, {"loop": {"ready": True, "why": ""}})
        assert get(f"http://127.0.0.1:{port}/health/live")[0] == 200
        status, body = get(f"http://127.0.0.1:{port}/metrics")
        assert 'leadline_ready{part="loop",service="test"} 1.0' in body
        assert get(f"http://127.0.0.1:{port}/elsewhere")[0] == 404
        child.send_signal(signal.SIGTERM)
        out, _ = child.communicate(timeout=LIMIT)
        assert (child.returncode, out) == (0, "finished its batch\n")


@pytest.mark.parametrize(
    ("run", "status", "said"),
    [
        ("async def run(settings, health, stop):\n    raise RuntimeError('no way on')", 1, "no way on"),
        ("async def run(settings, health, stop):\n    return", 1, "ended unasked"),
        (
            """
            async def run(settings, health, stop):
                health.expect("kafka", limit=0.1)
                await asyncio.sleep(60)
            """,
            70,
            '"stuck"',
        ),
    ],
    ids=["raises", "ends by itself", "stuck"],
)
def test_K3_a_service_that_cannot_go_on_ends_and_says_why(run: str, status: int, said: str) -> None:
    with process(run) as child:
        _, err = child.communicate(timeout=LIMIT)
        assert child.returncode == status
        assert said in err


def test_K3_a_service_that_does_not_stop_in_time_is_cancelled() -> None:
    run = """
    async def run(settings, health, stop):
        health.expect("loop")
        health.ready("loop")
        await asyncio.sleep(60)
    """
    with process(run, within=0.3) as child:
        wait_for(child, '"listening"')
        child.send_signal(signal.SIGTERM)
        _, err = child.communicate(timeout=LIMIT)
        assert child.returncode == 75
        assert "not stopped in time" in err


def test_K3_a_service_stops_when_its_supervisor_is_gone() -> None:
    read, write = os.pipe()
    more = f", watch_supervisor=lambda gone: __import__('deploy.embedded.guard', fromlist=['x']).watch_parent({read}, gone)"
    with process(ORDERLY, more=more, fds=(read,)) as child:
        os.close(read)
        wait_for(child, '"listening"')
        os.close(write)
        child.communicate(timeout=LIMIT)
        assert child.returncode == 0


def test_M8_a_part_at_long_work_says_how_far_it_is_until_it_is_done() -> None:
    health = Health("projections")
    health.expect("builds")
    health.work("builds", "building board: filling, 2,000 of 8,000 streams")
    status, _, body = answer_health(health, "/health/ready") or (0, "", b"{}")
    assert (status, json.loads(body)["at_work"]) == (503, "building board: filling, 2,000 of 8,000 streams")
    health.ready("builds")
    status, _, body = answer_health(health, "/health/ready") or (0, "", b"{}")
    assert status == 200
    assert "at_work" not in json.loads(body)


def test_K3_a_stuck_part_makes_the_service_not_alive_and_an_unready_one_not_ready() -> None:
    now = 0.0
    health = Health("projections", monotonic=lambda: now)
    health.expect("kafka", limit=10)
    health.expect("database")
    health.ready("kafka")
    assert answer_health(health, "/health/live") is not None
    ready = answer_health(health, "/health/ready")
    assert ready is not None
    assert ready[0] == 503
    assert json.loads(ready[2])["parts"]["database"] == {"ready": False, "why": "starting"}
    health.ready("database")
    assert (answer_health(health, "/health/ready") or (0,))[0] == 200
    now = 11.0
    assert (answer_health(health, "/health/live") or (0,))[0] == 503
    assert answer_health(health, "/") is None

"""A system as a user starts it, and Debian's chromium to look at it.

The browser is Debian's own (`apt-get install chromium`, which `.ci/run` does where it may); playwright brings none here. Without
it these tests are skipped with a word. A failed test leaves a picture of the page among pytest's temporary files.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import ConsoleMessage, Page, async_playwright

from tests.beside_others import PORTS
from tests.chaos.system import end_with_parent

LEADLINE = Path(sys.executable).with_name("leadline")
START_SECONDS = 120.0
WAIT_MS = 30_000
CHROMIUM = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo: where it is, the head's token it printed, and its data folder."""

    url: str
    token: str
    data: Path


@pytest.fixture(scope="package")
async def demo() -> AsyncIterator[Demo]:
    """`leadline up --demo` on a folder of its own."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    base = Path(tempfile.mkdtemp(prefix="leadline-browser-"))
    os.chmod(base, 0o711)  # noqa: S103 - as root, Postgres' own account must pass through
    log = base / "up.log"
    environment = {
        k: v for k, v in os.environ.items() if k == PORTS or not k.startswith(("LEADLINE_", "KAFKA_", "DATABASE_"))
    }
    with log.open("wb") as out:
        up = subprocess.Popen(  # noqa: ASYNC220 - starting takes milliseconds
            [str(LEADLINE), "up", "--demo", "--data", str(base / "data"), "--port", "0"],
            env={**environment, "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
    try:
        yield await _said(up, log, base / "data")
    finally:
        up.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(up.wait, 45)
        with suppress(ProcessLookupError):
            os.killpg(up.pid, signal.SIGKILL)
        shutil.rmtree(base, ignore_errors=True)


async def _said(up: subprocess.Popen[bytes], log: Path, data: Path) -> Demo:
    deadline = time.monotonic() + START_SECONDS
    while True:
        text = await asyncio.to_thread(log.read_text)
        url, token = re.search(r"leadline is ready: (\S+)", text), re.search(r"with the token (\S+)", text)
        if url and token:
            return Demo(url[1], token[1], data)
        assert up.poll() is None, text
        assert time.monotonic() < deadline, text
        await asyncio.sleep(0.1)


def _is_wrong(said: ConsoleMessage) -> bool:
    return said.type == "error" and "status of 422" not in said.text


@asynccontextmanager
async def browsing(demo: Demo, language: str, pictures: Path) -> AsyncIterator[Page]:
    """A fresh browser on the demo. Any error on the console (a blocked script, a broken request) fails the test.

    A page that answers 422 is none: it shows a refusal.
    """
    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            page = await browser.new_page(base_url=demo.url, locale=language)
            page.set_default_timeout(WAIT_MS)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda said: complaints.append(said.text) if _is_wrong(said) else None)
            try:
                yield page
            except BaseException:
                with suppress(Exception):
                    await page.screenshot(path=pictures / "page.png", full_page=True)
                    print(f"the page as it was: {pictures / 'page.png'}")
                raise
        finally:
            await browser.close()
    assert not complaints, complaints

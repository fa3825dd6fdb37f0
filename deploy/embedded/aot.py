"""Makes the broker's start cheap: its classes loaded and linked ahead of time, in a file that all data folders share.

The JVM's own AOT cache (JEP 483, 514) takes 2.0 instead of 4.6 seconds of processor for a start. It is made once for each Java,
class path and set of options: a broker runs in a folder of its own while the JVM records, and a second run writes the file.

Invariants: the file appears whole or not at all; two processes may do this at once (the second waits). It is never needed:
where it cannot be made, a note beside its place says why, the broker starts without it, and no later start tries again
until that note is removed. A JVM that finds it is not its own ignores it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from deploy.embedded.errors import EmbeddedError
from deploy.embedded.jars import cache_folder, only_one

CREATE_LIMIT = 180.0  # seconds; 3 on a quiet machine
KEPT = 3  # files of 68 MB

Train = Callable[[Path, Sequence[str]], Awaitable[None]]
"""Runs a broker with these further options in this empty folder until it answers, then stops it in good order."""


async def aot_options(
    java: Path, options: Sequence[str], class_path: str, train: Train, say: Callable[[str], None]
) -> tuple[str, ...]:
    """The option that names the AOT cache, made now if it is not there; nothing where it cannot be made."""
    file = await asyncio.to_thread(_place, java, options, class_path)
    failed = file.with_suffix(".failed")
    if not file.exists() and not failed.exists():
        with ExitStack() as stack:
            await asyncio.to_thread(stack.enter_context, only_one(file.parent / "lock", say))
            if not file.exists() and not failed.exists():
                say("preparing Kafka for quick starts (once, about 10 s)")
                await _make(file, failed, java, options, class_path, train, say)
    if not file.exists():
        return ()
    os.utime(file)
    return (f"-XX:AOTCache={file}",)


def _place(java: Path, options: Sequence[str], class_path: str) -> Path:
    """Where the cache of this Java, these options and this class path is; its folder exists."""
    about = "\0".join([str(java), str(java.stat().st_mtime_ns), *options, class_path])
    folder = cache_folder() / "kafka-aot"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{hashlib.sha256(about.encode()).hexdigest()[:16]}.aot"


async def _make(
    file: Path,
    failed: Path,
    java: Path,
    options: Sequence[str],
    class_path: str,
    train: Train,
    say: Callable[[str], None],
) -> None:
    # of a process killed midway; nobody else is at work while we hold the lock
    for left in file.parent.glob("train-*"):
        shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix="train-", dir=file.parent))
    recorded, fresh = work / "recorded", work / "fresh.aot"
    try:
        await train(work, ("-XX:AOTMode=record", f"-XX:AOTConfiguration={recorded}"))
        create = ("-XX:AOTMode=create", f"-XX:AOTConfiguration={recorded}", f"-XX:AOTCache={fresh}")
        await _run([str(java), *options, *create, "-cp", class_path])
        await asyncio.to_thread(_take_in, fresh, file)
    except (EmbeddedError, OSError, TimeoutError, subprocess.SubprocessError) as error:
        say(f"Kafka starts without the cache of its classes, a few seconds slower: {str(error).splitlines()[0]}")
        await asyncio.to_thread(
            failed.write_text, f"{error}\nRemove this file to have it tried again.\n", encoding="utf-8"
        )
    finally:
        await asyncio.to_thread(shutil.rmtree, work, True)


def _take_in(fresh: Path, file: Path) -> None:
    """Put the new cache in its place; those not used for longest go, of which each removed environment leaves one."""
    fresh.rename(file)
    for old in sorted(file.parent.glob("*.aot"), key=lambda path: path.stat().st_mtime)[:-KEPT]:
        old.unlink(missing_ok=True)


async def _run(command: Sequence[str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,  # a Ctrl-C at the terminal is the supervisor's to handle
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
    )
    try:
        async with asyncio.timeout(CREATE_LIMIT):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        raise EmbeddedError(f"java ended with status {process.returncode}:\n{said.decode(errors='replace')[-2000:]}")

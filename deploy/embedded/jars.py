"""Fetches the broker's jars once, into a cache that all data folders share, and checks them against the lock file.

`kafka-jars.lock` names every jar with its SHA-256. Invariants: a jar whose digest differs is never run; a cache folder
appears whole (filled under another name, then renamed) or not at all; two processes may do this at once (the second
waits for the first). When the registry is out of reach the error says so and leaves nothing half done.

A warm start compares sizes and times noted after the full check, and reads a jar again only where they differ.

    python -m deploy.embedded.jars          fetch and check
    python -m deploy.embedded.jars --lock   resolve `COORDINATES` anew and write the lock file
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from deploy.embedded.errors import EmbeddedError

KAFKA_VERSION = "4.2.2"
"""Not 4.3 or 4.4: they skip the end of a transaction while its partitions have no leader (docs/decisions/0027)."""
COORDINATES = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    # Kafka speaks SLF4J 1.7 and brings log4j-core; without this binding it logs nothing. `!`: its own version
    # management must not touch Kafka's dependencies (it would downgrade kafka-clients to 3.9).
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4!",
)
LOCK_FILE = Path(__file__).with_name("kafka-jars.lock")
PARALLEL = 8
TRIES = 4
WAIT_FOR_OTHER = 600.0  # seconds to wait while another process fetches


def cache_folder() -> Path:
    """Where fetched jars live: LEADLINE_CACHE, else the XDG cache folder of this user."""
    own = os.environ.get("LEADLINE_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "leadline"


def read_lock(path: Path = LOCK_FILE) -> dict[str, str]:
    """The locked jars, `group:artifact:version` to SHA-256 in hex. Raises EmbeddedError for a malformed line."""
    jars: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        coordinate, _, digest = line.partition(" ")
        if coordinate.count(":") != 2 or len(digest) != 64:
            raise EmbeddedError(f"{path.name}:{number}: expected `group:artifact:version sha256`, found {line!r}")
        jars[coordinate] = digest
    return jars


def ensure_jars(
    say: Callable[[str], None] = print, cache: Path | None = None, lock_file: Path = LOCK_FILE
) -> list[Path]:
    """The class path of the broker: absolute paths of all locked jars, fetched where missing and checked.

    `say` takes one line at a time where no terminal can show a progress bar. Raises EmbeddedError when a jar cannot be
    fetched or does not match its digest.
    """
    jars = read_lock(lock_file)
    digest = hashlib.sha256(lock_file.read_bytes()).hexdigest()[:16]
    root = (cache or cache_folder()) / "kafka-jars"
    home = root / f"{KAFKA_VERSION}-{digest}"
    if not home.is_dir():
        root.mkdir(parents=True, exist_ok=True)
        with only_one(root / "lock", say):
            if not home.is_dir():
                _fetch(jars, root, home, say)
    _check(home, jars)
    return [home / _file_name(coordinate) for coordinate in sorted(jars)]


def _file_name(coordinate: str) -> str:
    _, artifact, version = coordinate.split(":")
    return f"{artifact}-{version}.jar"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def only_one(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    """One process at a time in here; the others wait. Raises EmbeddedError after `WAIT_FOR_OTHER`."""
    with path.open("w") as file:
        deadline, told = time.monotonic() + WAIT_FOR_OTHER, False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise EmbeddedError(f"another process holds {path} for {WAIT_FOR_OTHER:.0f} s; end it") from None
                if not told:
                    say("waiting for another process that is preparing Kafka")
                    told = True
                time.sleep(0.2)
        yield


def _fetch(jars: dict[str, str], root: Path, home: Path, say: Callable[[str], None]) -> None:
    for left in root.glob(".fetch-*"):  # of a process killed midway; nobody else is at work while we hold the lock
        shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=".fetch-", dir=root))
    try:
        flat = work / "jars"
        flat.mkdir()
        with _progress(len(jars), say) as advance, ThreadPoolExecutor(PARALLEL) as pool:

            def one(coordinate: str) -> None:
                fetched = _fetch_one(coordinate, jars[coordinate], work / "repository")
                os.replace(fetched, flat / _file_name(coordinate))
                advance(_file_name(coordinate))

            for done in [pool.submit(one, coordinate) for coordinate in jars]:
                done.result()
        _write_marker(flat, jars)
        os.chmod(flat, 0o755)  # noqa: S103 (jars are public; other accounts of the machine may use them)
        os.replace(flat, home)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _fetch_one(coordinate: str, digest: str, repository: Path) -> Path:
    import requests
    from jgo.maven import MavenContext

    group, artifact, version = coordinate.split(":")
    context = MavenContext(repo_cache=repository, remote_repos=_repositories(), timeout=60)
    for attempt in range(1, TRIES + 1):
        try:
            path = Path(context.project(group, artifact).at_version(version).artifact().resolve())
            found = _digest(path)
            if found == digest:
                return path
            path.unlink()
            problem = f"its SHA-256 is {found}, the lock file {LOCK_FILE.name} wants {digest}; it is refused"
        except (requests.RequestException, RuntimeError, OSError) as error:
            problem = type(error).__name__ if isinstance(error, requests.RequestException) else str(error)
            shutil.rmtree(repository / group.replace(".", "/") / artifact, ignore_errors=True)
        if attempt < TRIES:
            time.sleep(0.5 * 2**attempt)
    raise EmbeddedError(
        f"cannot fetch {coordinate} for the embedded Kafka: {problem}. Check the network (a mirror can be named in "
        "jgo's own settings file) and start again"
    )


def _repositories() -> dict[str, str]:
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL

    return {**GlobalSettings.load().repositories, "central": MAVEN_CENTRAL_URL}


@contextmanager
def _progress(total: int, say: Callable[[str], None]) -> Iterator[Callable[[str], None]]:
    say(f"fetching Kafka {KAFKA_VERSION} ({total} jars, about 44 MB, once)")
    if not sys.stderr.isatty():
        yield lambda _name: None
        say("fetched Kafka")
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<44}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Kafka", total=total)
        yield lambda name: bar.update(task, advance=1, description=name)


def _write_marker(folder: Path, jars: dict[str, str]) -> None:
    stamps = {}
    for coordinate in jars:
        stat = (folder / _file_name(coordinate)).stat()
        stamps[_file_name(coordinate)] = [stat.st_size, stat.st_mtime_ns]
    temporary = folder / f".checked.{os.getpid()}"
    temporary.write_text(json.dumps(stamps), encoding="ascii")
    os.replace(temporary, folder / "checked.json")


def _check(home: Path, jars: dict[str, str]) -> None:
    try:
        stamps = json.loads((home / "checked.json").read_text(encoding="ascii"))
    except (OSError, ValueError):
        stamps = {}
    reread = False
    for coordinate, digest in jars.items():
        path = home / _file_name(coordinate)
        try:
            stat = path.stat()
            same = stamps.get(path.name) == [stat.st_size, stat.st_mtime_ns]
            found = digest if same else _digest(path)
        except OSError:
            found = "missing"
        if found != digest:
            raise EmbeddedError(
                f"{path} is not what the lock file {LOCK_FILE.name} names (SHA-256 {found}, wanted {digest}); it is "
                f"not run. Remove the folder {home} and start again, then it is fetched anew"
            )
        reread = reread or not same
    if reread:
        _write_marker(home, jars)


def write_lock(path: Path = LOCK_FILE) -> int:
    """Resolve `COORDINATES` with their dependencies, fetch all, write the lock file; returns the number of jars."""
    from jgo.maven import MavenContext

    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(repo_cache=Path(folder), remote_repos=_repositories(), timeout=60)
        dependencies = [context.create_dependency(coordinate) for coordinate in COORDINATES]
        direct, transitive = context.resolver.resolve(dependencies)
        lines = sorted(
            f"{found.groupId}:{found.artifactId}:{found.version} {_digest(Path(found.artifact.resolve()))}"
            for found in [*direct, *transitive]
        )
    path.write_text("# made by: python -m deploy.embedded.jars --lock\n" + "\n".join(lines) + "\n", encoding="ascii")
    return len(lines)


if __name__ == "__main__":
    try:
        if sys.argv[1:] == ["--lock"]:
            print(f"{LOCK_FILE.name}: {write_lock()} jars")
        else:
            print(f"{len(ensure_jars())} jars are in place")
    except EmbeddedError as error:
        sys.exit(f"error: {error}")

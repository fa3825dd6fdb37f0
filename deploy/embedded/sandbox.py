"""Kafka and Postgres in a throw-away folder, for tests and benchmarks.

Invariants: everything listens on 127.0.0.1 at free ports; the folder is removed at the end; when the test process dies,
however it dies, the servers stop by themselves (`guard`).
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from deploy.embedded.kafka import Kafka
from deploy.embedded.ports import free_port
from deploy.embedded.postgres import Passwords, Postgres


class EmbeddedServers:
    """Both servers together; `async with EmbeddedServers() as servers:` or `await start()` and `await stop()`.

    `servers.bootstrap`, `servers.database_url`, `servers.bi_url`, `servers.superuser_url` are ready for use;
    `servers.kafka` and `servers.postgres` each have `kill9()`, `sigstop()`, `sigcont()`, `await wait_exit(limit)`,
    `await start()`, `await stop()`, `await wipe()`. A start after a kill or a wipe keeps ports and passwords.
    """

    def __init__(
        self,
        *,
        folder: Path | None = None,
        fsync: bool = True,
        keep: bool = False,
        lasting: bool = False,
        say: Callable[[str], None] = print,
    ) -> None:
        """`fsync=False`: a faster Postgres that is not durable, for tests of logic alone. `keep`: leave the folder. `lasting`: a
        Kafka compiled as those of clusters are, and not for a quick start.

        `folder` must be one that the account of Postgres can reach; by default a new one among the temporary files.
        """
        self._own = folder is None and not keep
        self.folder = folder or Path(tempfile.mkdtemp(prefix="leadline-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        if folder is None:
            self.folder.chmod(0o711)
        self.logs, self.run = self.folder / "logs", self.folder / "run"
        for part in (self.logs, self.run):
            part.mkdir(exist_ok=True)
        self._lifeline, self._hold = os.pipe()
        taken: set[int] = set()
        ports = [free_port(taken) for _ in range(3)]
        places = (self.logs, self.run, self._lifeline)
        self.kafka = Kafka(
            self.folder / "kafka", *places, port=ports[0], controller_port=ports[1], lasting=lasting, say=say
        )
        passwords = Passwords(*(secrets.token_urlsafe(24) for _ in range(3)))
        self.postgres = Postgres(
            self.folder / "postgres", *places, port=ports[2], passwords=passwords, fsync=fsync, say=say
        )

    @property
    def bootstrap(self) -> str:
        """Kafka's address, `127.0.0.1:PORT`."""
        return self.kafka.bootstrap

    @property
    def database_url(self) -> str:
        """URL of the database's owner."""
        return self.postgres.url

    @property
    def bi_url(self) -> str:
        """URL of the BI role."""
        return self.postgres.bi_url

    @property
    def superuser_url(self) -> str:
        """URL of the superuser."""
        return self.postgres.superuser_url

    async def start(self) -> EmbeddedServers:
        """Start both; returns itself. Raises EmbeddedError when one does not come up (both are stopped then)."""
        try:
            starts = await asyncio.gather(self.kafka.start(), self.postgres.start(), return_exceptions=True)
            for error in starts:
                if error is not None:
                    raise error
        except BaseException:
            await self.stop()
            raise
        return self

    async def stop(self) -> None:
        """Stop both and remove the folder; harmless when done already."""
        # a throw-away folder needs no orderly stop, and a frozen server would not answer one
        await asyncio.gather(self.kafka.stop(hard=self._own), self.postgres.stop(hard=self._own))
        for fd in (self._lifeline, self._hold):
            if fd >= 0:
                os.close(fd)
        self._lifeline = self._hold = -1
        if self._own:
            await asyncio.to_thread(shutil.rmtree, self.folder, True)

    async def __aenter__(self) -> EmbeddedServers:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

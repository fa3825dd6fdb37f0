"""Debian's Dovecot as a real IMAP server: one user, a Maildir in a folder of its own, a free port on 127.0.0.1.

Runs as any user, root included; nothing outside the folder is written.
"""

from __future__ import annotations

import asyncio
import grp
import imaplib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.beside_others import free_port

USER, PASSWORD = "leads@firma.example", "p4ss-word"
LIMIT = 60.0
BINARY = shutil.which("dovecot", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")

needs_dovecot = pytest.mark.skipif(BINARY is None, reason="no Dovecot: apt-get install dovecot-imapd")

CONFIGURATION = """
protocols = imap
listen = 127.0.0.1
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
default_internal_user = {internal}
default_internal_group = {internal_group}
default_login_user = {login}
first_valid_uid = 1
mail_location = maildir:{folder}/mail
mail_fsync = never
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/home
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service imap {{
  process_limit = 20
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""


class Dovecot:
    """A running server."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it and wait until it lets the user in."""
        self._launch()
        deadline = time.monotonic() + LIMIT
        while (problem := await self._problem()) is not None:
            assert self._process is not None
            assert self._process.poll() is None, f"dovecot ended: {self.said()}"
            assert time.monotonic() < deadline, f"dovecot does not answer: {problem}\n{self.said()}"
            await asyncio.sleep(0.05)

    def _launch(self) -> None:
        assert BINARY is not None
        command = [BINARY, "-F", "-c", str(self.folder / "dovecot.conf")]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    async def _problem(self) -> str | None:
        try:
            await self.do(lambda client: client.noop())
        except (OSError, imaplib.IMAP4.error) as error:
            return repr(error)
        return None

    def said(self) -> str:
        """Its log."""
        log = self.folder / "dovecot.log"
        return log.read_text() if log.exists() else ""

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(LIMIT)
            self._process = None

    async def do(self, what: Callable[[imaplib.IMAP4], Any]) -> Any:
        """Do something as the owner of the mailbox."""

        def logged_in() -> Any:
            with imaplib.IMAP4("127.0.0.1", self.port, LIMIT) as client:
                client.login(USER, PASSWORD)
                return what(client)

        return await asyncio.to_thread(logged_in)

    async def deliver(self, *letters: bytes) -> None:
        """Put letters into INBOX."""

        def append(client: imaplib.IMAP4) -> None:
            for letter in letters:
                answer = client.append("INBOX", "", "", letter)
                assert answer[0] == "OK", answer

        await self.do(append)

    async def flags(self) -> list[bytes]:
        """What FETCH FLAGS says of each letter."""

        def fetch(client: imaplib.IMAP4) -> list[bytes]:
            client.select("INBOX", readonly=True)
            return [item for item in client.fetch("1:*", "(FLAGS)")[1] if isinstance(item, bytes)]

        found: list[bytes] = await self.do(fetch)
        return found

    def forget_uids(self) -> None:
        """Make the server number its letters anew, as after a mailbox was put back from a backup; stop it first."""
        for file in (self.folder / "mail").glob("dovecot*"):
            file.unlink()


def configured(folder: Path) -> int:
    """Write what a server in this folder needs; the port it will listen on."""
    root = os.geteuid() == 0
    owner = pwd.getpwnam("nobody") if root else pwd.getpwuid(os.geteuid())
    for name in ("mail", "home", "run", "state"):
        (folder / name).mkdir()
    if root:
        folder.chmod(0o755)
        for name in ("mail", "home"):
            os.chown(folder / name, owner.pw_uid, owner.pw_gid)
    port = free_port()
    (folder / "dovecot.conf").write_text(
        CONFIGURATION.format(
            folder=folder,
            port=port,
            password=PASSWORD,
            uid=owner.pw_uid,
            gid=owner.pw_gid,
            internal="dovecot" if root else owner.pw_name,
            internal_group="dovecot" if root else grp.getgrgid(os.getegid()).gr_name,
            login="dovenull" if root else owner.pw_name,
        )
    )
    return port


@asynccontextmanager
async def dovecot() -> AsyncIterator[Dovecot]:
    """A server with an empty mailbox."""
    with tempfile.TemporaryDirectory(prefix="dovecot-") as made:
        folder = Path(made)
        server = Dovecot(folder, configured(folder))
        try:
            await server.start()
            yield server
        finally:
            server.stop()

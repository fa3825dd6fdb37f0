"""The data folder of `leadline up`: who holds it, its secrets, and where everything listens.

    DATA/lock           held (flock) by the one supervisor at work, whose process id stands in it
    DATA/secrets.json   made once, 0600; whoever loses it loses the personal data: it belongs in a backup of its own
    DATA/ports.json     the ports chosen, kept as long as nobody else takes them
    DATA/info.json      what `leadline info --json` says; 0600, its URLs contain passwords
    DATA/kafka, DATA/postgres, DATA/logs, DATA/run (notes on running processes)

Invariants: at most one supervisor per folder (the lock ends with its process, however that ends); secrets are never
made anew beside existing data. Errors name the file and the way out, never a secret.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from deploy.embedded.disk import write_atomically
from deploy.embedded.errors import EmbeddedError, FolderInUseError
from deploy.embedded.postgres import Passwords


@dataclass(frozen=True, repr=False)
class Secrets:
    """All secrets of one data folder. `master_key` and `pepper` are 32 random bytes in base64."""

    postgres_superuser: str
    postgres_owner: str
    postgres_bi: str
    master_key: str
    pepper: str
    internal_token: str

    @classmethod
    def make(cls) -> Secrets:
        """New random secrets."""
        return cls(
            postgres_superuser=secrets.token_urlsafe(24),
            postgres_owner=secrets.token_urlsafe(24),
            postgres_bi=secrets.token_urlsafe(24),
            master_key=base64.b64encode(secrets.token_bytes(32)).decode(),
            pepper=base64.b64encode(secrets.token_bytes(32)).decode(),
            internal_token=secrets.token_urlsafe(32),
        )

    @property
    def passwords(self) -> Passwords:
        """The passwords of the three Postgres roles."""
        return Passwords(self.postgres_superuser, self.postgres_owner, self.postgres_bi)


class DataFolder:
    """One data folder; made (private to this user) when it does not exist."""

    def __init__(self, path: Path) -> None:
        """Raises EmbeddedError when the folder cannot be made or written."""
        self.path = path.expanduser().absolute()
        self.logs, self.run = self.path / "logs", self.path / "run"
        try:
            # as root, Postgres' account must be able to pass through; the files in it are private each
            self.path.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
            for part in (self.logs, self.run):
                part.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise EmbeddedError(
                f"the data folder {self.path} cannot be used: {error.strerror}; choose another with --data"
            ) from None
        self.ports_file = self.path / "ports.json"
        self.gate = self.run / "gate"
        """There once the topics and tables are: services wait for it (`LEADLINE_GATE`)."""

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder for this process. Raises FolderInUseError, naming the process that holds it already."""
        # not truncated on opening: the pid of the holder must stay readable
        with os.fdopen(os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise FolderInUseError(str(self.path), _pid_in(file.read())) from None
            file.seek(0)
            file.truncate()
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield

    def holder(self) -> int | None:
        """Process id of the supervisor that holds the folder now, 0 when unreadable, None when nobody does."""
        try:
            with (self.path / "lock").open("r") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except OSError:
                    return _pid_in(file.read()) or 0
        except FileNotFoundError:
            pass
        return None

    def notes(self) -> list[Path]:
        """Notes on all processes that were started for this folder."""
        return sorted(path for path in self.run.iterdir() if path.suffix in (".guard", ".server", ".service"))

    def secrets(self) -> Secrets:
        """The folder's secrets, made at the first call. Raises EmbeddedError when they are lost or damaged."""
        path = self.path / "secrets.json"
        try:
            found = json.loads(path.read_text(encoding="ascii"))
            return Secrets(**{field.name: str(found[field.name]) for field in fields(Secrets)})
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError):
            raise EmbeddedError(f"{path} is damaged; put the right one back from the backup") from None
        if (self.path / "postgres").exists():
            raise EmbeddedError(
                f"{path} is missing, but there is data that was encrypted with it; put it back from the backup, or "
                "start in an empty folder: --data"
            )
        made = Secrets.make()
        write_atomically(path, json.dumps(asdict(made), indent=1) + "\n")
        return made

    def write_info(self, info: Mapping[str, Any]) -> None:
        """Write `info.json`, what `leadline info --json` prints."""
        write_atomically(self.path / "info.json", json.dumps(info, ensure_ascii=False, indent=1) + "\n")

    def read_info(self) -> dict[str, Any]:
        """What the running system said of itself. Raises EmbeddedError when none ever came up in this folder."""
        try:
            info: dict[str, Any] = json.loads((self.path / "info.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise EmbeddedError(
                f"nothing was started in {self.path} yet; start it with: leadline up --data {self.path}"
            ) from None
        return info


def _pid_in(text: str) -> int | None:
    return int(text) if text.strip().isdigit() else None

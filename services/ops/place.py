"""Where the running system is: a data folder of `leadline up`, or the environment of a cluster.

Order: `--data DIR`; else the environment, when it names the database (`DATABASE_URL`); else `LEADLINE_DATA`; else `./data`.
Invariants: nothing is written and no folder is made; secrets are read only from `secrets.json` or the environment and end in
`Settings` as they are there. Raises `OpsError`, one line that names the file and the way out.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from services.settings import Settings

DEFAULT_DATA = "data"
BAD_INPUT = 2


class OpsError(Exception):
    """What a person at the terminal did or asked for does not work: one clear line, and the exit status (default 2)."""

    def __init__(self, text: str, status: int = BAD_INPUT) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Place:
    """The system that a command is about. `folder` is None when the environment alone describes it."""

    folder: Path | None

    def info(self) -> dict[str, Any]:
        """What `leadline info` says: http, kafka, database, bi_database, smtp, topics, data."""
        if self.folder is not None:
            return _read(self.folder, "info.json")
        from contracts.topics import TOPICS

        settings = self.settings()
        return {
            "http": f"http://{settings.http_host}:{settings.http_port}",
            "kafka": settings.kafka_bootstrap,
            "database": settings.database_url.get_secret_value(),
            "bi_database": settings.database_bi_url.get_secret_value(),
            "smtp": None if settings.smtp_port is None else f"smtp://{settings.smtp_host}:{settings.smtp_port}",
            "topics": [settings.kafka_topic_prefix + topic.name for topic in TOPICS],
            "data": None,
        }

    def settings(self) -> Settings:
        """The settings the system's services run with. Raises OpsError when they are incomplete or malformed."""
        overrides = {} if self.folder is None else _from_folder(self.folder)
        return load_settings(overrides)


def find_place(data: Path | None) -> Place:
    """The place that `--data` (or its absence) means; it is not looked into yet."""
    if data is None and os.environ.get("DATABASE_URL"):
        return Place(None)
    return Place((data or Path(os.environ.get("LEADLINE_DATA") or DEFAULT_DATA)).expanduser())


def load_settings(overrides: dict[str, Any] | None = None) -> Settings:
    """Settings from the environment, with `overrides` by field name. Raises OpsError naming what is malformed."""
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from services.settings import Settings

    try:
        return Settings(**(overrides or {}))
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False)]
        raise OpsError("settings: " + "; ".join(faults)) from None
    except SettingsError as error:
        raise OpsError(f'settings: {error} (lists are written as JSON, for example ["anna"])') from None


def _from_folder(folder: Path) -> dict[str, Any]:
    info, secrets = _read(folder, "info.json"), _read(folder, "secrets.json")
    try:
        found = {
            "kafka_bootstrap": info["kafka"],
            "database_url": info["database"],
            "database_bi_url": info["bi_database"],
            "http_port": int(str(info["http"]).rpartition(":")[2]),
            "master_key": secrets["master_key"],
            "pepper": secrets["pepper"],
            "internal_token": secrets["internal_token"],
        }
        found["leads_url"] = f"http://127.0.0.1:{int(_read(folder, 'ports.json')['leads'])}"
    except (KeyError, ValueError, TypeError) as error:
        raise OpsError(
            f"the files in {folder} are damaged ({error}); start the system once more: leadline up"
        ) from None
    return found


def _read(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise OpsError(
            f"no running system in {folder} ({name} is not there); start one with: leadline up --data {folder}, "
            "or name another folder with --data"
        ) from None
    except (OSError, ValueError) as error:
        raise OpsError(f"{path} cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise OpsError(f"{path} is damaged: it holds no JSON object")
    return found

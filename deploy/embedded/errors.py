"""What can go wrong while embedded servers start, said so that a person can act on it."""

from __future__ import annotations


class EmbeddedError(Exception):
    """A start or stop failed. The text names the part, the place and the way out; it never contains a secret."""


class FolderInUseError(EmbeddedError):
    """Another process holds the data folder.

    `pid` is that process, or None where it could not be read.
    """

    def __init__(self, folder: str, pid: int | None) -> None:
        holder = f"process {pid}" if pid is not None else "another process"
        super().__init__(
            f"the data folder {folder} is in use by {holder}; stop that one first (Ctrl-C, or kill {pid or 'PID'}), "
            "or give another folder with --data"
        )
        self.pid = pid

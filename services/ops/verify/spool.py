"""Bucket files for joins that do not fit in memory: written in one pass, read back bucket by bucket.

Invariants: a temporary folder, private to this user and removed at the end, also after an error; at most `BUFFERED` bytes wait
in memory. Holds ids and digests, never personal data.
"""

from __future__ import annotations

import tempfile
from collections.abc import Hashable, Iterator
from pathlib import Path
from types import TracebackType

BUFFERED = 8 * 1024 * 1024


class Spool:
    """Byte strings by bucket; `with Spool() as spool:`."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._files: dict[Hashable, Path] = {}
        self._waiting: dict[Hashable, bytearray] = {}
        self._size = 0

    def add(self, bucket: Hashable, record: bytes) -> None:
        """Append a record to a bucket."""
        self._waiting.setdefault(bucket, bytearray()).extend(record)
        self._size += len(record)
        if self._size > BUFFERED:
            self._flush()

    def take(self, bucket: Hashable) -> bytes:
        """All of a bucket, in the order it was added."""
        if self._files:
            self._flush()
        if bucket in self._files:
            return self._files[bucket].read_bytes()
        return bytes(self._waiting.get(bucket, b""))

    def buckets(self) -> Iterator[Hashable]:
        """The buckets that hold anything."""
        yield from {**self._files, **self._waiting}

    def _flush(self) -> None:
        assert self._folder is not None, "a spool is used inside `with`"
        for bucket, waiting in self._waiting.items():
            path = self._files.setdefault(bucket, Path(self._folder.name) / str(len(self._files)))
            with path.open("ab") as file:
                file.write(waiting)
        self._waiting.clear()
        self._size = 0

    def __enter__(self) -> Spool:
        self._folder = tempfile.TemporaryDirectory(prefix="leadline-verify-")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._folder is not None
        self._folder.cleanup()

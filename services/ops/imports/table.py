"""A file of rows, read once to know it and once to import it: CSV, also compressed with gzip.

Invariants: memory does not grow with the file; each record carries the line it begins in; a record that is no CSV is a record
with a problem, and reading goes on after it. Raises `TableError` where nothing sensible can be read on: a damaged gzip file,
an encoding that does not fit, no header.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

GZIP_MAGIC = b"\x1f\x8b"
BLOCK = 1 << 20


class TableError(ValueError):
    """The file cannot be read; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the first reading tells: the digest of the file as it lies there (32 bytes), and about how many lines it has."""

    sha256: bytes
    lines: int


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the file. `cells` is empty where it could not be taken apart: then `problem` says why, `raw` is its text."""

    line: int
    cells: list[str]
    problem: str | None = None
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A file to import."""

    path: Path
    encoding: str = "utf-8"
    delimiter: str = ","

    def measure(self) -> Measured:
        """Read the file through. Raises TableError."""
        digest = hashlib.sha256()
        try:
            with self.path.open("rb") as file:
                while block := file.read(BLOCK):
                    digest.update(block)
            lines = 0
            with self._bytes() as stream:
                while block := stream.read(BLOCK):
                    lines += block.count(b"\n")
        except (OSError, EOFError, zlib.error) as error:
            raise TableError(f"{self.path} cannot be read: {_words(error)}") from None
        return Measured(digest.digest(), lines)

    @contextmanager
    def records(self) -> Iterator[tuple[list[str], Iterator[Record]]]:
        """The header, and the records after it. Raises TableError, also while the records are read."""
        with self._bytes() as stream, self._text(stream) as text:
            found = _records(_Lines(text, self), self.delimiter)
            header = next(found, None)
            if header is None:
                raise TableError(f"{self.path} is empty; its first line names the columns")
            if header.problem or any("\udc80" <= sign <= "\udcff" for cell in header.cells for sign in cell):
                raise TableError(
                    f"{self.path}: the header in line {header.line} cannot be read as {self.encoding}, separated by "
                    f"{self.delimiter!r}; name encoding and delimiter in the mapping"
                )
            yield header.cells, found

    @contextmanager
    def _bytes(self) -> Iterator[IO[bytes]]:
        with self.path.open("rb") as file:
            magic = file.read(2)
            file.seek(0)
            if magic == GZIP_MAGIC:
                with gzip.open(file, "rb") as plain:
                    yield plain  # type: ignore[misc]
            else:
                yield file

    @contextmanager
    def _text(self, stream: IO[bytes]) -> Iterator[io.TextIOWrapper]:
        # utf-8-sig drops the mark that spreadsheets put before a file; a byte that does not belong becomes a surrogate, by
        # which its row is known and through which it is written back as it was
        encoding = "utf-8-sig" if self.encoding.lower().replace("_", "-") in ("utf-8", "utf8") else self.encoding
        text = io.TextIOWrapper(stream, encoding, errors="surrogateescape", newline="")
        try:
            yield text
        finally:
            text.detach()


class _Lines:
    """The lines of a text; `taken` is what the CSV reader took since it was last cleared."""

    def __init__(self, text: io.TextIOWrapper, table: Table) -> None:
        self._text, self._table = text, table
        self.taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        try:
            line = next(self._text)
        except UnicodeError as error:
            name = self._table.encoding
            raise TableError(
                f"{self._table.path} is not in {name}: {error}; name its encoding in the mapping"
            ) from None
        except (OSError, EOFError, zlib.error) as error:
            raise TableError(f"{self._table.path} cannot be read: {_words(error)}") from None
        self.taken.append(line)
        return line


def _records(lines: _Lines, delimiter: str) -> Iterator[Record]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.taken.clear()
        begins = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Record(begins, [], f"no CSV: {error}", "".join(lines.taken).rstrip("\r\n"))
            continue
        if cells:
            yield Record(begins, cells)


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__

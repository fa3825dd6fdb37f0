"""The rows that did not go in, as a file of the same form: mend it and import it like the first.

Invariants: it has the file's own columns, encoding and delimiter, and beside them the line, the column, the rule, why and the
way out; a byte that could not be read is written back as it was. It is readable for its owner only (it holds what the
file holds); while it is written it bears another name, so that a file under the final name is whole. A file that is there
already is kept beside, as `….old`.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import TextIO

from services.ops.imports.mapping import PREFIX
from services.ops.imports.rows import Bad

COLUMNS = tuple(PREFIX + name for name in ("line", "column", "rule", "why", "way_out", "rest"))


class Rejected:
    """Writes rejected rows; the file appears with the first of them."""

    def __init__(self, path: Path, header: tuple[str, ...], encoding: str, delimiter: str) -> None:
        self.path = path
        self._own = [n for n, heading in enumerate(header) if not heading.startswith(PREFIX)]
        self._header, self._encoding, self._delimiter = header, encoding, delimiter
        self._part = path.with_name(path.name + ".part")
        self._file: TextIO | None = None

    def add(self, bad: Bad) -> None:
        """One row. Raises OSError when it cannot be written."""
        if self._file is None:
            descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            self._file = open(descriptor, "w", encoding=self._encoding, errors="surrogateescape", newline="")  # noqa: SIM115
            self._writer = csv.writer(self._file, delimiter=self._delimiter, lineterminator="\n")
            self._writer.writerow([self._header[n] for n in self._own] + list(COLUMNS))
        cells = bad.record.cells
        own = [cells[n] if n < len(cells) else "" for n in self._own]
        rest = bad.record.raw or self._delimiter.join(cells[len(self._header) :])
        said = [str(bad.record.line), bad.column, bad.rule, bad.why, bad.way_out]
        self._writer.writerow(own + [self._writable(text) for text in said] + [rest])

    def close(self) -> None:
        """Give the file its final name; without rejected rows there is none."""
        if self._file is None:
            return
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if self.path.exists():
            os.replace(self.path, self.path.with_name(self.path.name + ".old"))
        os.replace(self._part, self.path)

    def _writable(self, text: str) -> str:
        return text.encode(self._encoding, "replace").decode(self._encoding)

"""What the linter says: a finding with its rule, how grave it is, where it stands, why it harms and how to mend it (S5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "info"]
"""`error`: the pipeline cannot work as written. `warning`: it works and harms. `info`: worth knowing, fails nothing."""
Path = tuple[str | int, ...]
"""Where in the pipeline's file: keys and indexes from the top."""


class Said(NamedTuple):
    """A sentence for people, in both languages."""

    ru: str
    en: str


class Found(NamedTuple):
    """What a rule saw at one place. `stages`: the stages it is about; none: the pipeline as a whole."""

    path: Path
    said: Said
    stages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding. `expected`: why it stands nevertheless, where the pipeline says so."""

    rule: str
    severity: Severity
    path: Path
    said: Said
    why: Said
    mend: Said
    stages: tuple[str, ...] = ()
    expected: Said | None = None

    @property
    def fails(self) -> bool:
        """Whether it has to be mended, or expected with a reason."""
        return self.expected is None and self.severity != "info"

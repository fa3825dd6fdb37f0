"""One change between two texts of a pipeline. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `what`: a stable word for programs; `at`: the id it is about, `stage/criterion` for what is of a stage."""

    what: str
    at: str
    ru: str
    en: str

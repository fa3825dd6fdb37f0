"""A change of a pipeline's text, and how what every part can undergo is told: renamed, moved, added, removed (M3). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from contracts.pipeline import Titles


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `what`: a stable word for programs; `at`: the id it is about, `stage/criterion` for what is of a stage."""

    what: str
    at: str
    ru: str
    en: str


HIM: Final = {"added": "добавлен", "removed": "убран", "changed": "изменён"}
WORDS: Final = {
    "added": ("добавлено", "added"),
    "removed": ("убрано", "removed"),
    "changed": ("изменено", "changed"),
}


def reordered(
    what: str,
    at: str,
    ru: str,
    en: str,
    then: Sequence[str],
    now: Sequence[str],
    said_ru: str,
    said_en: str,
) -> Iterator[Change]:
    """Parts of one kind that stand in another order; those in both texts are compared."""
    kept_then, kept_now = [n for n in then if n in now], [n for n in now if n in then]
    if kept_then != kept_now:
        order = ", ".join(kept_now)
        yield Change(
            f"{what}_reordered",
            at,
            f"{ru}: другой порядок {said_ru}".rstrip() + f": {order}",
            f"{en}: another order {said_en}".rstrip() + f": {order}",
        )


def renamed(what: str, at: str, ru: str, en: str, before: Titles, after: Titles) -> Iterator[Change]:
    """A part that is called otherwise."""
    if before != after:
        yield Change(
            f"{what}_renamed",
            at,
            f"{ru} «{before.ru}» теперь называется «{after.ru}»"
            + (f" (en: {after.en})" if before.ru == after.ru else ""),
            f"{en} “{before.en}” is now called “{after.en}”" + (f" (ru: {after.ru})" if before.en == after.en else ""),
        )


def how_changed(before: object | None, after: object | None) -> str | None:
    """Whether a part was added, removed or changed; None: it is the same."""
    if before == after:
        return None
    return "added" if before is None else "removed" if after is None else "changed"

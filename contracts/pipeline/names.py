"""How it is told that a part does not fit, or names nothing: the place, the near name, and the names there are (M3). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple

from pydantic_core import PydanticCustomError

Path = tuple[str | int, ...]
LISTED = 40
"""How many names are listed at most."""


class Misfit(NamedTuple):
    """What does not fit: where, from the part it is told of, and in which words."""

    path: Path
    en: str
    ru: str


def misfits(found: Iterable[Misfit]) -> PydanticCustomError | None:
    """The error that carries them all, each with its path; None where there are none."""
    places = tuple(found)
    if not places:
        return None
    words = "; ".join(misfit.en for misfit in places).replace("{", "{{").replace("}", "}}")
    return PydanticCustomError("misfit", words, {"places": places})


def there_are(names: Iterable[str], meant: str | None = None) -> str:
    """«; did you mean NAME?; there are: NAME, …», as far as there are any."""
    guess, listed = _near_and_all(names, meant)
    return (f"; did you mean {guess}?" if guess else "") + (f"; there are: {listed}" if listed else "")


def there_are_ru(names: Iterable[str], meant: str | None = None) -> str:
    """The same in Russian."""
    guess, listed = _near_and_all(names, meant)
    return (f"; может быть, {guess}?" if guess else "") + (f"; есть: {listed}" if listed else "")


def _near_and_all(names: Iterable[str], meant: str | None) -> tuple[str, str]:
    there = sorted(set(names))
    near = get_close_matches(meant, there, 1, 0.7) if meant else []
    more = f" … (+{len(there) - LISTED})" if len(there) > LISTED else ""
    return (near[0] if near else ""), ", ".join(there[:LISTED]) + more


def twice(what: str, what_ru: str, ids: Iterable[str], path: Path) -> Iterable[Misfit]:
    """Ids that stand more than once, each at its second place."""
    seen: dict[str, int] = {}
    for n, name in enumerate(ids):
        if name in seen:
            yield Misfit(
                (*path, n, "id"),
                f"{what} ids must be unique; twice: {name}, first as number {seen[name] + 1} of the list; "
                "give this one another id",
                f"{what_ru}: id не повторяются; дважды: {name}, впервые — номер {seen[name] + 1} в списке; дайте другой id",
            )
        seen.setdefault(name, n)

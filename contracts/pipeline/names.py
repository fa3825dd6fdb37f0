"""How it is told that a part does not fit, or names nothing: the place, the near name, and the names there are (M3). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from pydantic_core import PydanticCustomError

Path = tuple[str | int, ...]
Misfit = tuple[Path, str]
"""What does not fit: where, from the part it is told of, and in which words."""
LISTED = 40
"""How many names are listed at most."""


def misfits(found: Iterable[Misfit]) -> PydanticCustomError | None:
    """The error that carries them all, each with its path; None where there are none."""
    places = tuple(found)
    if not places:
        return None
    words = "; ".join(message for _, message in places).replace("{", "{{").replace("}", "}}")
    return PydanticCustomError("misfit", words, {"places": places})


def there_are(names: Iterable[str], meant: str | None = None) -> str:
    """«; did you mean NAME?; there are: NAME, …», as far as there are any."""
    there = sorted(set(names))
    near = get_close_matches(meant, there, 1, 0.7) if meant else []
    guess = f"; did you mean {near[0]}?" if near else ""
    more = f" and {len(there) - LISTED} more" if len(there) > LISTED else ""
    return f"{guess}; there are: {', '.join(there[:LISTED])}{more}" if there else guess


def twice(what: str, ids: Iterable[str], path: Path) -> Iterable[Misfit]:
    """Ids that stand more than once, each at its second place."""
    seen: dict[str, int] = {}
    for n, name in enumerate(ids):
        if name in seen:
            yield (
                (*path, n, "id"),
                f"{what} ids must be unique; twice: {name}, first as number {seen[name] + 1} of the list; "
                "give this one another id",
            )
        seen.setdefault(name, n)

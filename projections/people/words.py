"""The words by which a name is found."""

from __future__ import annotations

import re

WORD_LENGTH = 60  # letters of a word that search looks at


def words_of(text: str) -> set[str]:
    """The words of a name, in small letters, ё as е."""
    return {word[:WORD_LENGTH] for word in re.findall(r"\w+", text.lower().replace("ё", "е"))}

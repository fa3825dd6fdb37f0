"""A sentence that scenarios are made of: how a pattern is read, and whether a text is that sentence (docs/howto/pipelines.md).

A pattern is read so: `{name}` is a text in quotes («…» or "…"), `{name*}` the rest of the sentence, `[…]` may be left out,
`(a|b)` is one of several. Capitals, `ё` for `е` and the number of spaces do not matter. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from services.leads.scenarios.script import Language, Part


@dataclass(frozen=True)
class Phrase:
    """A sentence. `what`: `fields` or `items` where lines with them may stand below it."""

    id: str
    part: Part
    ru: str
    en: str
    example: tuple[str, str]
    """In Russian and in English, with a title of the gap's kind in each gap."""
    what: str = ""
    alone: bool = False
    """Whether it happens without anybody acting."""

    @cached_property
    def patterns(self) -> dict[Language, re.Pattern[str]]:
        """The compiled patterns by language."""
        return {"ru": _compiled(self.ru), "en": _compiled(self.en)}

    def fits(self, sentence: str, language: Language) -> dict[str, str] | None:
        """The texts in the gaps, or None where it is another sentence."""
        found = self.patterns[language].fullmatch(plain(sentence))
        if found is None:
            return None
        spans = {name: found.span(name) for name in found.groupdict() if found.group(name) is not None}
        return {name: sentence[start:end].strip() for name, (start, end) in spans.items()}


def plain(text: str) -> str:
    """The text as it is compared: letter by letter in the same places."""
    return text.replace("ё", "е").replace("Ё", "Е")


def _compiled(pattern: str) -> re.Pattern[str]:
    text = re.sub(r"\s+", r"\\s+", plain(pattern).replace(".", r"\."))
    text = text.replace("[", "(?:").replace("]", ")?")
    text = re.sub(r"\((?!\?)", "(?:", text)
    text = re.sub(r"\{(\w+)\*\}", r"(?P<\1>.+?)", text)
    text = re.sub(r"\{(\w+)\}", r"[«\"“„](?P<\1>[^»\"“”]*)[»\"”“]", text)
    return re.compile(text, re.IGNORECASE)

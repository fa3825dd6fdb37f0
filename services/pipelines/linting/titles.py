"""What a stage's title says: an action, something done, something expected, an outcome; and about what (S4, S5). Pure.

No morphology: words are known by stems and endings of the lexicon. What is not known counts as a noun, and a title of nouns says
what is being done. A wrong reading makes a finding that a person can expect, never an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from services.pipelines.linting.lexicon import Forms, Lexicon

Form = Literal["action", "done", "expected", "outcome", "fine"]
_WORD = re.compile(r"[a-zа-я0-9]+(?:-[a-zа-я0-9]+)*")


@dataclass(frozen=True, slots=True)
class Reading:
    """A title as read. `deeds` and `things`: concepts of the lexicon; `meaning`: these, and stems of all other words."""

    form: Form
    deeds: frozenset[str] = frozenset()
    things: frozenset[str] = frozenset()
    meaning: frozenset[str] = frozenset()
    rank: int | None = None
    negated: bool = False


def read_title(title: str, lexicon: Lexicon) -> Reading:
    """What a title says in its language."""
    words = _WORD.findall(title.lower().replace("ё", "е"))
    content = [word for word in words if word not in lexicon.ignored and not word.isdigit()]
    deeds = {name for name, concept in lexicon.deeds.items() if any(concept.covers(word) for word in content)}
    things = {name for name, concept in lexicon.things.items() if any(concept.covers(word) for word in content)}
    for name in (*deeds, *things):
        gone = set(lexicon.absorbs.get(name, ()))
        deeds, things = deeds - gone, things - gone
    ranks = [lexicon.ranks[name] for name in (*deeds, *things) if name in lexicon.ranks]
    return Reading(
        form=_form(words, content, deeds, lexicon),
        deeds=frozenset(deeds),
        things=frozenset(things),
        meaning=frozenset({*deeds, *things, *_others(content, lexicon)}),
        rank=max(ranks, default=None),
        negated=any(word in lexicon.negations for word in words),
    )


def _form(words: list[str], content: list[str], deeds: set[str], lexicon: Lexicon) -> Form:
    negated = any(word in lexicon.negations for word in words)
    if " ".join(words) in lexicon.outcome_phrases or any(lexicon.outcomes.covers(word) for word in content):
        return "outcome"
    if _is_action(words, content, deeds, lexicon):
        return "action"
    if any(word.startswith(lexicon.pending) for word in content if lexicon.pending):
        return "expected"
    if all(lexicon.neutral.covers(word) for word in content):
        return "fine"
    if any(_is(word, lexicon.participle, lexicon) or _is(word, lexicon.past, lexicon) for word in content):
        return "fine" if negated else "done"
    return "expected"


def _is_action(words: list[str], content: list[str], deeds: set[str], lexicon: Lexicon) -> bool:
    if any(_is(word, lexicon.verb, lexicon) for word in content):
        return True
    if any(lexicon.activities.covers(word) for word in content):
        return True
    if "send" in deeds and any(lexicon.carriers.covers(word) for word in content):
        return True
    if not content or not content[0].startswith(lexicon.either or ("\0",)):
        return False
    after = words[words.index(content[0]) + 1 :]
    return bool(after) and (after[0] in lexicon.no_object or _is_object(after[-1], lexicon))


def _is_object(word: str, lexicon: Lexicon) -> bool:
    return bool(lexicon.objects) and word.startswith(lexicon.objects) and not _is(word, lexicon.participle, lexicon)


def _is(word: str, forms: Forms, lexicon: Lexicon) -> bool:
    """Whether a word is of a form."""
    if word in forms.words:
        return True
    if word in forms.but or (forms.but_endings and word.endswith(forms.but_endings)):
        return False
    if forms.endings and word.endswith(forms.endings):
        return True
    return bool(forms.of_deeds) and word.endswith(forms.of_deeds) and word.startswith(lexicon.deed_stems)


def _others(content: list[str], lexicon: Lexicon) -> set[str]:
    """Stems of the words that mean nothing known."""
    known = (*lexicon.deeds.values(), *lexicon.things.values())
    return {word[: lexicon.stem_length] for word in content if not any(concept.covers(word) for concept in known)}

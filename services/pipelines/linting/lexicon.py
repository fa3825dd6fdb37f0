"""The lexicon that titles are read by: stems, endings and concepts of a language, as data (S5). Pure.

One YAML file a language (`services/pipelines/lexicons/`), read strictly: an unknown key or an empty stem is an error. Words in it
are in lower case; in Russian «ё» is written «е». Matching is by the beginning of a word, endings by its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Stem = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-zа-я0-9\-]+$")]
Stems = tuple[Stem, ...]


class Part(BaseModel):
    """Base of the lexicon's parts: strict and frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Forms(Part):
    """How words of a form are known: by ending, or by being one of `words`; never those in `but`, nor with an ending of
    `but_endings`. `of_deeds`: an ending counts only on a word that begins like a deed."""

    endings: Stems = ()
    of_deeds: Stems = ()
    words: frozenset[Stem] = frozenset()
    but: frozenset[Stem] = frozenset()
    but_endings: Stems = ()


class Concept(Part):
    """Words that mean one thing. `rank`: where stages about it usually stand on a scale, from 0."""

    stems: Stems = ()
    words: frozenset[Stem] = frozenset()
    rank: int | None = None

    @model_validator(mode="after")
    def _is_said_somehow(self) -> Concept:
        if not self.stems and not self.words:
            raise ValueError("a concept needs stems or words")
        return self

    def covers(self, word: str) -> bool:
        """Whether the word means this."""
        return word in self.words or word.startswith(self.stems)


class Lexicon(Part):
    """A language's words, as far as stage titles need them."""

    language: Literal["ru", "en"]
    ignored: frozenset[Stem]
    """Words that add nothing to what a title says."""
    no_object: frozenset[Stem] = frozenset()
    """Words after which a word that may be a verb is one: articles and the like."""
    negations: frozenset[Stem]
    stem_length: int = Field(ge=3, le=12)
    """How many letters of a word that means nothing known are compared."""
    verb: Forms
    """Infinitives and imperatives: what is to be done."""
    either: Stems = ()
    """Words that are a verb or a noun; a verb when the object of an action follows."""
    objects: Stems = ()
    """What actions are done to."""
    participle: Forms
    past: Forms
    pending: Stems = ()
    """Words that say of what follows that it is not done yet: awaiting, «ожидание»."""
    activities: Concept
    """Things that are activities by themselves: a call, a letter."""
    carriers: Concept
    """Things that, once sent, are only the trace of an activity."""
    neutral: Concept
    """Words that fit any style."""
    outcomes: Concept
    """Words that tell how the work ended."""
    outcome_phrases: frozenset[str] = frozenset()
    """Whole titles that tell how the work ended."""
    deeds: dict[str, Concept]
    things: dict[str, Concept]
    absorbs: dict[str, tuple[str, ...]] = {}
    """Concepts that say nothing more beside another: negotiations are about terms."""

    @model_validator(mode="after")
    def _concepts_are_there(self) -> Lexicon:
        known = {*self.deeds, *self.things}
        for concept, others in self.absorbs.items():
            if unknown := {concept, *others} - known:
                raise ValueError(f"absorbs names no concept: {', '.join(sorted(unknown))}")
        for needed in ("prepare", "send"):
            if needed not in self.deeds:
                raise ValueError(f"deeds must have {needed}: a rule asks for it")
        return self

    @cached_property
    def deed_stems(self) -> tuple[str, ...]:
        """All beginnings of deeds."""
        return tuple(stem for concept in self.deeds.values() for stem in (*concept.stems, *concept.words))

    @cached_property
    def ranks(self) -> dict[str, int]:
        """The usual place of each concept that has one."""
        return {
            name: concept.rank for name, concept in {**self.deeds, **self.things}.items() if concept.rank is not None
        }


@dataclass(frozen=True)
class Lexicons:
    """The lexicons of both languages."""

    ru: Lexicon
    en: Lexicon

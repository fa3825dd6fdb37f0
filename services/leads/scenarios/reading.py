"""From a scenario text to a `Script` (M3). Pure. Raises `ScriptError`, all faults of the text at once.

The text: a line `Воронка: ID` (or `Pipeline: ID`), then scenarios, each a line `Сценарий: its name` and sentences that begin
with Дано, Когда, Тогда (Given, When, Then) or go on with И, А, Но (And, But). Lines that stand further to the right than their
sentence belong to it: `Field: value`, or `- item`. `#` begins a comment line.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from services.leads.scenarios.phrase import Phrase, plain
from services.leads.scenarios.phrases import ACTORS, PHRASES
from services.leads.scenarios.script import Detail, Language, Part, Scenario, Script, ScriptError, Step
from services.leads.scenarios.texts import say

SOURCE_CHARACTERS = 500_000
LINE_CHARACTERS = 2_000
TAB = 4

HEADERS: Final[dict[str, Language]] = {"воронка": "ru", "pipeline": "en"}
TITLES: Final[dict[str, Language]] = {"сценарий": "ru", "scenario": "en"}
PARTS: Final[dict[Language, dict[str, Part | None]]] = {
    "ru": {"дано": "given", "когда": "when", "тогда": "then", "и": None, "а": None, "но": None},
    "en": {"given": "given", "when": "when", "then": "then", "and": None, "but": None},
}
"""What a sentence begins with; None: it goes on with the part before."""
DETAIL = re.compile(r"(?P<name>[^:]{1,200}?)\s*:\s*(?P<value>.*)")


@dataclass(slots=True)
class _Draft:
    """A scenario while it is read."""

    name: str
    line: int
    steps: list[Step] = field(default_factory=list)


class _Reader:
    """Reads line by line; faults are collected, and the line that has one is left out."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.language: Language = "ru"
        self.pipeline: str | None = None
        self.drafts: list[_Draft] = []
        self.faults: list[str] = []
        self.part: Part | None = None
        self.indent = 0
        self.stray = False
        """Whether the sentence above was not understood: what stands below it is passed over."""

    def fault(self, line: int, key: str, **values: object) -> None:
        """Note a fault of a line."""
        self.faults.append(f"{self.file}:{line}: {say(self.language, key, **values)}")

    def take(self, number: int, raw: str) -> None:
        """Read one line."""
        text = raw.expandtabs(TAB).rstrip()
        body = text.lstrip("\ufeff ")
        if not body or body.startswith("#"):
            return
        if len(body) > LINE_CHARACTERS:
            self.fault(number, "long_line", most=LINE_CHARACTERS)
            return
        indent = len(text) - len(body)
        head, colon, rest = body.partition(":")
        word = head.strip().lower()
        if colon and word in HEADERS and not self.drafts:
            self._header(number, HEADERS[word], rest.strip())
        elif colon and word in TITLES:
            self._scenario(number, rest.strip())
        elif self.pipeline is None and not self.faults:
            self.fault(number, "no_header")
        elif not self.drafts:
            self.fault(number, "before_scenario", text=body)
        elif self.part is not None and indent > self.indent:
            if not self.stray:
                self._detail(number, body)
        else:
            self.indent = indent
            self._sentence(number, body)

    def _header(self, number: int, language: Language, pipeline: str) -> None:
        self.language = language
        if self.pipeline is not None:
            self.fault(number, "second_header")
        elif not re.fullmatch(r"[a-z][a-z0-9_]{0,59}", pipeline):
            self.fault(number, "header_id", text=pipeline)
        self.pipeline = pipeline

    def _scenario(self, number: int, name: str) -> None:
        first = next((draft.line for draft in self.drafts if draft.name == name), None)
        if not name:
            self.fault(number, "no_name")
        elif first is not None:
            self.fault(number, "name_twice", name=name, first=first)
        self.drafts.append(_Draft(name, number))
        self.part, self.stray = None, False

    def _sentence(self, number: int, body: str) -> None:
        word, _, rest = body.partition(" ")
        named = PARTS[self.language]
        if word.lower() not in named:
            self.stray = True
            self.part = self.part or "given"
            self.fault(number, "no_part", text=body)
            return
        part = named[word.lower()] or self.part
        self.stray = part is None
        if part is None:
            self.fault(number, "nothing_to_go_on", word=word)
            return
        self.part = part
        step = self._step(number, part, rest.strip(), body)
        if step is None:
            self.stray = True
        else:
            self.drafts[-1].steps.append(step)

    def _step(self, number: int, part: Part, sentence: str, whole: str) -> Step | None:
        sentence = sentence.rstrip(".") if not sentence.endswith("..") else sentence
        actor, act = _actor(sentence, self.language)
        for phrase in _tried(part, actor is not None):
            gaps = phrase.fits(act if phrase.part == "when" and not phrase.alone else sentence, self.language)
            if gaps is not None:
                return Step(part, number, whole, phrase.id, gaps, actor if phrase.part == "when" else None)
        near = _nearest(sentence if actor is None else act, part, self.language, acting=actor is not None)
        self.fault(number, "not_understood", text=sentence, near=near)
        return None

    def _detail(self, number: int, body: str) -> None:
        steps = self.drafts[-1].steps
        if not steps:
            self.fault(number, "detail_of_nothing", text=body)
            return
        step = steps[-1]
        phrase = next(p for p in PHRASES if p.id == step.phrase)
        if body.startswith(("- ", "— ", "– ")):
            item = body[2:].strip()
            if phrase.what == "items":
                steps[-1] = replace(step, details=(*step.details, Detail(number, None, item)))
            elif phrase.id in ("move", "reject", "pause", "convert"):
                along = self._step(number, "when", f"{_somebody(self.language)} {item}", item)
                if along is not None:
                    steps[-1] = replace(step, along=(*step.along, along))
            else:
                self.fault(number, "no_items_here", text=step.text)
            return
        found = DETAIL.fullmatch(body)
        if found is None or phrase.what != "fields":
            self.fault(number, "no_fields_here" if found else "no_detail", text=body, step=step.text)
            return
        steps[-1] = replace(
            step, details=(*step.details, Detail(number, found["name"].strip(), found["value"].strip()))
        )


def _somebody(language: Language) -> str:
    return ACTORS["seller"][0 if language == "ru" else 1][0]


def _actor(sentence: str, language: Language) -> tuple[str | None, str]:
    """Who acts, and what they do."""
    for actor, names in ACTORS.items():
        for name in names[0 if language == "ru" else 1]:
            if plain(sentence).lower().startswith(f"{name} "):
                return actor, sentence[len(name) + 1 :].strip()
    return None, sentence


def _tried(part: Part, acting: bool) -> Iterator[Phrase]:
    """The phrases a sentence can be. What was given may be said as acts too."""
    for phrase in PHRASES:
        if phrase.part == "when" and not phrase.alone:
            if acting and part in ("given", "when"):
                yield phrase
        elif phrase.part == part or (phrase.alone and part == "given"):
            yield phrase


def _nearest(sentence: str, part: Part, language: Language, *, acting: bool) -> str:
    """Examples of the phrases that look most like a sentence."""
    index = 0 if language == "ru" else 1
    who = f"{_somebody(language)} "
    examples = [
        (who if phrase.part == "when" and not phrase.alone else "") + phrase.example[index]
        for phrase in PHRASES
        if phrase.part == part or (part == "given" and acting and phrase.part == "when")
    ]
    wanted = (who if acting else "") + sentence
    near = difflib.get_close_matches(wanted, examples, 3, 0.35) or examples[:3]
    return "; ".join(f"«{example}»" for example in near)


def read_script(text: str, file: str = "scenarios.txt") -> Script:
    """The scenarios of a text. `file` names it in errors. Raises ScriptError."""
    if len(text) > SOURCE_CHARACTERS:
        raise ScriptError(f"{file}: longer than {SOURCE_CHARACTERS} characters")
    reader = _Reader(file)
    for number, line in enumerate(text.splitlines(), 1):
        reader.take(number, line)
    if reader.pipeline is None and not reader.faults:
        reader.fault(1, "no_header")
    if not reader.drafts and not reader.faults:
        reader.fault(1, "no_scenarios")
    for draft in reader.drafts:
        if not reader.faults and not any(step.part == "then" for step in draft.steps):
            reader.fault(draft.line, "expects_nothing", name=draft.name)
    if reader.faults:
        raise ScriptError("\n".join(reader.faults))
    return Script(
        file,
        reader.language,
        reader.pipeline or "",
        tuple(Scenario(draft.name, draft.line, tuple(draft.steps)) for draft in reader.drafts),
    )

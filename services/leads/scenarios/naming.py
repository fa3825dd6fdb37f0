"""What the words of a scenario name in its pipeline: stages, fields, facts, options, reasons, by title or id.

Titles are compared without regard to capitals, `ё`, quotes and spaces; the beginning of a title will do where one alone begins
so. Raises `UnknownNameError`, which says what there is.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from contracts.pipeline import DECLINED, UNKNOWN, CardField, Fact, FactOption, Pipeline, Reason, Robot, Stage, Titles
from contracts.pipeline.deadlines import AssignmentRule
from services.leads.domain.deadlines.setting import ACTIVITY, MEETING
from services.leads.scenarios.phrase import plain
from services.leads.scenarios.script import Language
from services.leads.scenarios.texts import TEXTS, say
from services.pipelines.robot_words import robot_titles


class UnknownNameError(ValueError):
    """A name that names nothing; the message says what there is."""


class _Named(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def titles(self) -> Titles: ...


Thing = TypeVar("Thing", bound=_Named)


def same(text: str) -> str:
    """A title as it is compared."""
    return re.sub(r"\s+", " ", re.sub(r"[«»\"“”„]", "", plain(text))).strip(" .").casefold()


@dataclass(frozen=True)
class Names:
    """The names of one pipeline, in the language of a scenario."""

    pipeline: Pipeline
    language: Language

    def title(self, titles: Titles) -> str:
        """A title in the language of the scenario."""
        return titles.ru if self.language == "ru" else titles.en

    def stage_title(self, stage: str) -> str:
        """The title of a stage id."""
        known = self.pipeline.by_id.get(stage)
        return self.title(known.titles) if known else stage

    def stage(self, text: str) -> Stage:
        """The stage of this title or id. Raises UnknownNameError."""
        return self._found(text, self.pipeline.stages, "no_stage")

    def fact(self, text: str) -> Fact:
        """The fact of this title or id. Raises UnknownNameError."""
        return self._found(text, tuple(self.pipeline.facts_by_id.values()), "no_fact")

    def robot(self, text: str) -> Robot:
        """The robot of this title or id. Raises UnknownNameError."""
        return self._found(text, [robot for _, robot in self.pipeline.robots_by_id.values()], "no_robot")

    def robot_title(self, robot: str) -> str:
        """The title of a robot's id; those of every pipeline have words of their own."""
        if f"robot.{robot}" in TEXTS:
            return say(self.language, f"robot.{robot}")
        return self.title(robot_titles(robot, self.pipeline))

    def deadline(self, text: str) -> str:
        """The id of the deadline of this title or id, those of every pipeline too. Raises UnknownNameError."""
        wanted = same(text)
        for built_in in (MEETING, ACTIVITY):
            titles = robot_titles(built_in)
            if wanted in (built_in, same(titles.ru), same(titles.en)):
                return built_in
        return self._found(text, [one for _, one in self.pipeline.deadlines_by_id.values()], "no_deadline").id

    def result_title(self, deadline: str, result: str | None) -> str:
        """The title of a deadline's result; empty for none."""
        found = self.pipeline.deadlines_by_id.get(deadline)
        results = found[1].results if found is not None else ()
        return next((self.title(one.titles) for one in results if one.id == result), result or "")

    def assignment_rule(self, text: str) -> AssignmentRule:
        """The rule by which leads are given, of this title or id. Raises UnknownNameError."""
        assignment = self.pipeline.assignment
        return self._found(text, assignment.rules if assignment is not None else (), "no_assignment_rule")

    def assignment_rule_title(self, rule: str) -> str:
        """The title of such a rule's id."""
        return self.title(self.assignment_rule(rule).titles)

    def option(self, fact: Fact, text: str) -> FactOption:
        """The option of a fact. Raises UnknownNameError."""
        return self._found(text, fact.options, "no_option", of=self.title(fact.titles))

    def reason(self, stage: Stage, text: str) -> Reason:
        """The reason of a stage. Raises UnknownNameError."""
        return self._found(text, stage.reasons, "no_reason", of=self.title(stage.titles))

    def field(self, text: str) -> str:
        """The id of a field of the card, or `name`, `company`, `phone`, `email`. Raises UnknownNameError."""
        wanted = same(text)
        for key in ("name", "company", "phone", "email"):
            if wanted == key or wanted in _CONTACT[key]:
                return key
        return self._found(text, self.pipeline.fields, "no_field").id

    def field_title(self, name: str) -> str:
        """The title of a field's id."""
        known = self.pipeline.fields_by_id.get(name)
        if known is not None:
            return self.title(known.titles)
        return say(self.language, f"contact.{name}") if f"contact.{name}" in TEXTS else name

    def typed(self, field: CardField | None, text: str) -> str:
        """What is typed into a field for what a scenario says: options by their titles, yes and no by their words."""
        wanted = same(text)
        if field is None or not wanted:
            return text
        if field.may_be_unknown and wanted in _words("unknown"):
            return UNKNOWN
        if field.declined and wanted in _words("declined"):
            return DECLINED
        if field.type == "yes_no":
            return next((answer for answer in ("yes", "no") if wanted in _words(answer)), text)
        if field.type == "choice":
            return self._found(text, field.options, "no_option", of=self.title(field.titles)).id
        return text

    def shown(self, name: str, value: str) -> str:
        """A value of the card as people say it."""
        field = self.pipeline.fields_by_id.get(name)
        if not value:
            return say(self.language, "empty")
        if field is not None and value == UNKNOWN and field.may_be_unknown:
            return say(self.language, "unknown")
        if field is not None and value == DECLINED and field.declined:
            return say(self.language, "declined")
        if field is not None and field.type == "yes_no" and value in ("yes", "no"):
            return say(self.language, value)
        options = {option.id: self.title(option.titles) for option in field.options} if field is not None else {}
        return options.get(value, value)

    def _found(self, text: str, things: Sequence[Thing], key: str, **values: str) -> Thing:
        wanted = same(text)
        for thing in things:
            if wanted in (thing.id, same(thing.titles.ru), same(thing.titles.en)):
                return thing
        begins = [t for t in things if wanted and self._begins(t.titles, wanted)]
        if len(begins) == 1:
            return begins[0]
        titles = [self.title(thing.titles) for thing in begins or things]
        raise UnknownNameError(say(self.language, key, text=text, near=near(self.language, text, titles), **values))

    def _begins(self, titles: Titles, wanted: str) -> bool:
        return any(same(title).startswith(wanted) for title in (titles.ru, titles.en))


def near(language: Language, text: str, names: Iterable[str]) -> str:
    """What a name may have been meant to be, or what there is."""
    listed = list(names)
    by_form = {same(name): name for name in listed}
    close = [by_form[form] for form in difflib.get_close_matches(same(text), list(by_form), 3, 0.6)]
    if not listed:
        return say(language, "there_are_none")
    return say(language, "maybe" if close else "there_are", names=", ".join(f"«{name}»" for name in close or listed))


def _words(key: str) -> frozenset[str]:
    return frozenset(same(text) for text in (*TEXTS[key], key))


_CONTACT = {
    "name": {"имя", "имя клиента", "name"},
    "company": {"фирма", "компания", "название фирмы", "company", "company name"},
    "phone": {"телефон", "телефон фирмы", "phone"},
    "email": {"e-mail", "email", "почта", "эл. почта", "электронная почта"},
}
"""How people call what is known of every client."""

"""A team as people write it, in YAML: members, head, what each can take, when misses escalate (C4, N19).

Pure. Faults are told together, each with file, line, path and the way out, in English and Russian. Raises `TeamFileError`.
"""

from __future__ import annotations

from typing import Final

from contracts.team import Team
from services.strict_yaml import YamlError, read_written
from services.yaml_words import Words

EXAMPLES: Final = {
    "team": "team: sales",
    "titles": 'titles: {ru: "Продажи", en: "Sales"}',
    "ru": 'ru: "Продажи"',
    "en": 'en: "Sales"',
    "head": "head: olga",
    "calendar": "calendar: sales",
    "members": "members: [{name: anna}, {name: boris}]",
    "name": "name: anna",
    "manager": "manager: olga",
    "skills": "skills: [stone, export]",
    "languages": "languages: [ru, en]",
    "directions": "directions: [north]",
    "quota": "quota: {open: 40, day: 10}",
    "weight": "weight: 2",
    "takes": "takes: false",
    "since": "since: 2026-12-01",
    "left": "left: 2026-12-31",
    "escalation": "escalation: {misses: 3, days: 30}",
}
"""By key, how it is written."""


class TeamFileError(ValueError):
    """A team's text is wrong; the message says where and how to mend it. `ru`: the same in Russian."""

    def __init__(self, en: str, ru: str | None = None) -> None:
        super().__init__(en)
        self.ru = ru if ru is not None else en


def read_team(text: str, file: str = "team.yaml") -> Team:
    """The team in a YAML text. `file` names it in errors. Raises TeamFileError."""
    try:
        return read_written(
            text,
            Team,
            file,
            whole=Words("the team", "команда"),
            begins=Words("a team begins with `team: sales`", "команда начинается с `team: sales`"),
            examples=EXAMPLES,
        ).model
    except YamlError as error:
        raise TeamFileError(str(error), error.ru) from error

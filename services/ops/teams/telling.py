"""What `leadline team` prints: members and what each can take, in Russian or English, and the same as JSON.

Pure. People are named as they sign in, which is no personal data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from contracts.team import Member, Team
from services.pipelines.change import Change
from services.teams.publishing import Published

WORDS: Final = {
    "fits": ("{file}: команда {team} годится", "{file}: the team {team} is right"),
    "head": ("{team}@{number}", "{team}@{number}"),
    "published": ("{team}: действует версия {number}", "{team}: version {number} is in force"),
    "in_force": ("{team}: версия {number} действует и так", "{team}: version {number} is in force already"),
    "changes": ("Изменения против версии {number}:", "Changes against version {number}:"),
    "headed": ("  руководитель: {head}", "  head: {head}"),
    "calendar": ("  календарь: {calendar}", "  calendar: {calendar}"),
    "escalation": (
        "  эскалация: при пропуске № {misses} за {days} дн.",
        "  escalation: at miss {misses} within {days} days",
    ),
    "members": ("  сотрудники:", "  members:"),
    "nobody": ("  сотрудников нет: лиды ждут в пуле", "  no members: leads wait in the pool"),
    "left": ("ушёл {day}", "left on {day}"),
    "since": ("с {day}", "from {day}"),
    "takes_none": ("лидов не получает", "is assigned none"),
    "weight": ("вес {weight}", "weight {weight}"),
    "open": ("открытых ≤ {most}", "open ≤ {most}"),
    "day": ("в день ≤ {most}", "a day ≤ {most}"),
    "manager": ("о пропусках узнаёт {manager}", "{manager} is told of misses"),
    "skills": ("навыки: {these}", "skills: {these}"),
    "languages": ("языки: {these}", "languages: {these}"),
    "directions": ("направления: {these}", "directions: {these}"),
    "has": ("открытых лидов {count}", "{count} open leads"),
    "has_now": ("{person}: открытых и отложенных лидов {count}", "{person}: {count} open and paused leads"),
    "would_get": ("{person} получит: {count}", "{person} would get {count}"),
    "got": ("{person} получил: {count}", "{person} got {count}"),
    "to_pool": ("в пул, взять некому: {count}", "to the pool, as nobody may have them: {count}"),
    "has_tasks": ("{person}: дел на чужих лидах {count}", "{person}: {count} tasks on leads of others"),
    "tasks_of_nobody": (
        "на ответственном, которого пока нет: {count}",
        "for whoever gets these leads, which nobody has: {count}",
    ),
    "stays": ("{lead} остаётся: {why}", "{lead} stays: {why}"),
    "more_stay": ("и ещё {count}", "and {count} more"),
    "unchanged": (
        "Ничего не изменено; чтобы раздать, повторите без --preview.",
        "Nothing was changed; leave --preview out to hand over.",
    ),
    "one": (
        "{team}@{number}  {title}: сотрудников {count}, руководитель {head}",
        "{team}@{number}  {title}: {count} members, head {head}",
    ),
}


class Say:
    """Words in one language."""

    def __init__(self, language: str) -> None:
        self.english = language == "en"

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key."""
        return WORDS[key][self.english].format(**values)

    def of(self, told: Any) -> str:
        """Of anything with `ru` and `en`."""
        return str(told.en if self.english else told.ru)


def summary(team: Team, loads: Mapping[str, int], say: Say) -> list[str]:
    """Head, calendar, members. `loads`: open leads by person, where they are known."""
    lines = [
        say("headed", head=team.head or "—"),
        say("calendar", calendar=team.calendar),
        say("escalation", misses=team.escalation.misses, days=team.escalation.days),
    ]
    if not team.members:
        return [*lines, say("nobody")]
    return [*lines, say("members"), *(f"    {_member(member, loads, say)}" for member in team.members)]


def changed(made: Published, changes: Sequence[Change], say: Say) -> list[str]:
    """What was put in force."""
    team, number = made.team.team, made.number
    if not made.new:
        return [say("in_force", team=team, number=number)]
    lines = [say("published", team=team, number=number)]
    if made.before is not None and changes:
        lines += [say("changes", number=made.before[1]), *(f"  - {say.of(change)}" for change in changes)]
    return lines


def one_line(team: Team, number: int, say: Say) -> str:
    """A team in a list."""
    return say(
        "one", team=team.team, number=number, title=say.of(team.titles), count=len(team.members), head=team.head or "—"
    )


def _member(member: Member, loads: Mapping[str, int], say: Say) -> str:
    told = []
    if member.left is not None:
        told.append(say("left", day=member.left.isoformat()))
    if member.since is not None:
        told.append(say("since", day=member.since.isoformat()))
    if not member.takes:
        told.append(say("takes_none"))
    if member.weight != 1:
        told.append(say("weight", weight=member.weight))
    told += [
        say(name, most=most)
        for name, most in (("open", member.quota.open), ("day", member.quota.day))
        if most is not None
    ]
    told += [
        say(name, these=", ".join(these))
        for name in ("skills", "languages", "directions")
        if (these := getattr(member, name))
    ]
    if member.manager is not None:
        told.append(say("manager", manager=member.manager))
    if member.name in loads:
        told.append(say("has", count=loads[member.name]))
    return f"{member.name}: {'; '.join(told)}" if told else member.name


def as_object(team: Team, number: int | None, loads: Mapping[str, int]) -> dict[str, Any]:
    """A team for programs; `open_leads` by person, where they are known."""
    return {**team.model_dump(mode="json"), "number": number, "open_leads": dict(loads)}

"""What `leadline calendar` prints: hours, days off, absences, changes, in Russian or English, and the same as JSON.

Pure. People are named as they sign in, which is no personal data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

from services.calendars.calendar import Calendar, Hours
from services.calendars.day_hours import written
from services.calendars.differences import Change, day_in_words, hours_in_words, week_in_words

COMING: Final = 90
"""Days to come that are counted."""
SHOWN: Final = 14
"""Days to come that are listed by `--show`."""
NAMED: Final = 20
"""Changes that are told at most."""
DAY: Final = timedelta(days=1)
WORDS: Final = {
    "fits": ("{file}: календарь команды {team} годится", "{file}: the calendar of the team {team} is right"),
    "zone": ("  часовой пояс: {zone}", "  time zone: {zone}"),
    "hours": ("  часы: {hours}", "  hours: {hours}"),
    "coming": (
        "  ближайшие {days} дней: рабочих {worked}, выходных {off}",
        "  the next {days} days: {worked} worked, {off} off",
    ),
    "differ": ("  из них не как обычно:", "  among them, other than usual:"),
    "away": ("  отсутствуют:", "  away:"),
    "until": ("{first}–{last}", "{first} to {last}"),
    "published": ("{team}: действует календарь {number}", "{team}: calendar {number} is in force"),
    "in_force": ("{team}: календарь {number} действует и так", "{team}: calendar {number} is in force already"),
    "changes": ("Изменения против календаря {number}:", "Changes against calendar {number}:"),
    "armed": (
        "Сроки, которые уже идут, остаются как есть; по нему считаются новые.",
        "Deadlines that run already stay as they are; new ones are counted by it.",
    ),
    "more": ("  и ещё {count}", "  and {count} more"),
    "head": ("{team}@{number}, {zone}", "{team}@{number}, {zone}"),
    "absent": ("нет: {people}", "away: {people}"),
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

    def day(self, day: date) -> str:
        """A date."""
        return day.isoformat() if self.english else f"{day:%d.%m.%Y}"


def summary(calendar: Calendar, today: date, titles: Mapping[date, str], say: Say) -> list[str]:
    """Hours of the week, the days to come that are off or differ, who is away."""
    coming = [today + DAY * n for n in range(COMING)]
    worked = sum(calendar.is_working_day(day) for day in coming)
    lines = [
        say("zone", zone=calendar.zone.key),
        say("hours", hours="; ".join(say.of(run) for run in week_in_words(calendar))),
        say("coming", days=COMING, worked=worked, off=COMING - worked),
    ]
    if differ := [day for day in coming if day in calendar.days]:
        lines += [say("differ"), *(f"    {_day(calendar, day, titles, say)}" for day in differ)]
    away = [
        (first, last, who) for who, absences in calendar.absences.items() for first, last in absences if last >= today
    ]
    if away:
        lines.append(say("away"))
        lines += [
            f"    {who}: {say('until', first=say.day(first), last=say.day(last))}" for first, last, who in sorted(away)
        ]
    return lines


def changed(team: str, number: int, before: Calendar | None, changes: Sequence[Change], say: Say) -> list[str]:
    """What was put in force; `before`: what was till then."""
    if before is None:
        return [say("published", team=team, number=number)]
    if before.number == number:
        return [say("in_force", team=team, number=number)]
    lines = [say("published", team=team, number=number)]
    if changes:
        lines += [say("changes", number=before.number), *(f"  - {say.of(change)}" for change in changes[:NAMED])]
        if len(changes) > NAMED:
            lines.append(say("more", count=len(changes) - NAMED))
    return [*lines, say("armed")]


def days_to_come(calendar: Calendar, today: date, titles: Mapping[date, str], say: Say) -> list[str]:
    """The next days, one a line: hours, who is away."""
    lines = [say("head", team=calendar.team, number=calendar.number, zone=calendar.zone.key)]
    for day in (today + DAY * n for n in range(SHOWN)):
        line = _day(calendar, day, titles, say)
        if people := absent(calendar, day):
            line = f"{line}  [{say('absent', people=', '.join(people))}]"
        lines.append(line)
    return lines


def absent(calendar: Calendar, day: date) -> list[str]:
    """Who is away on a day."""
    return sorted(who for who, away in calendar.absences.items() if any(first <= day <= last for first, last in away))


def _day(calendar: Calendar, day: date, titles: Mapping[date, str], say: Say) -> str:
    hours, title = calendar.hours(day), titles.get(day)
    text = f"{say.of(day_in_words(day))}  {say.of(hours_in_words(hours))}"
    return f"{text}: {title}" if title and not hours else text


def as_object(calendar: Calendar, today: date, days: int, titles: Mapping[date, str]) -> dict[str, Any]:
    """A calendar and its days to come, for programs."""
    return {
        "team": calendar.team,
        "number": calendar.number or None,
        "time_zone": calendar.zone.key,
        "days": [
            {
                "day": day.isoformat(),
                "hours": _hours(calendar.hours(day)),
                "title": titles.get(day) if not calendar.hours(day) else None,
                "absent": absent(calendar, day),
            }
            for day in (today + DAY * n for n in range(days))
        ],
    }


def _hours(hours: Sequence[Hours]) -> list[str]:
    return [written(one) for one in hours]


def changes_object(changes: Sequence[Change]) -> list[dict[str, str]]:
    """Changes for programs, in both languages: all of them."""
    return [{"what": change.what, "at": change.at, "ru": change.ru, "en": change.en} for change in changes]

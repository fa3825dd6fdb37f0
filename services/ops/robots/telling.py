"""What `leadline robots start` prints: the preview with a table of each person's tasks by day, and what was started.

Pure. Invariants: nothing personal but our own people's names is in it: leads are named by id; every text stands in both
languages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts.commands import Refusal
from services.leads.starting.preview import DAYS, Preview
from services.leads.starting.run import Started
from services.ops.terminal import plain

NAMED: Final = 20
"""Refused leads that are named; the rest is counted."""
BAR: Final = 20
"""Columns of the longest bar."""

WORDS = {
    "head": (
        "{pipeline}: роботы с {at}; открытых и отложенных лидов просмотрено: {count}",
        "{pipeline}: robots from {at}; {count} open and paused leads looked at",
    ),
    "starting": (
        "Роботы начнутся у лидов: {count}; первый сработает {first}",
        "Robots would start for {count} leads; the first is due {first}",
    ),
    "nothing": ("Запускать нечего.", "There is nothing to start."),
    "robot": ("  {stage} / {robot}: лидов {count}, {when}", "  {stage} / {robot}: {count} leads, {when}"),
    "when": ("{first}", "{first}"),
    "between": ("с {first} по {last}", "from {first} to {last}"),
    "left": ("Остаются как есть:", "Left alone:"),
    "left.had": (
        "роботы на этой стадии уже есть или были: {count}",
        "{count} that have or had robots in this stage visit",
    ),
    "left.none": (
        "в их версии воронки на этой стадии нет таких роботов: {count}",
        "{count} whose version of the pipeline has no such robots there",
    ),
    "left.undated": (
        "робот ждёт даты, которой в карточке пока нет: {count}",
        "{count} whose robots wait for a date that the card has not yet",
    ),
    "left.other_source": ("пришли не из импорта: {count}", "{count} that did not come by an import"),
    "tasks": (
        "Дела по людям и дням, {days} дней с {first}:",
        "Tasks by person and day, {days} days from {first}:",
    ),
    "nobody": ("(без ответственного)", "(nobody responsible)"),
    "total": ("всего", "total"),
    "acts": ("Что ещё сделают роботы за это время:", "What else robots would do in this time:"),
    "did.email": ("писем: {count}", "{count} letters"),
    "did.sms": ("SMS: {count}", "{count} short messages"),
    "did.audience": ("изменений рекламных аудиторий: {count}", "{count} changes of ad audiences"),
    "did.webhook": ("вызовов webhook: {count}", "{count} webhook calls"),
    "did.move": ("переводов по стадиям: {count}", "{count} moves to another stage"),
    "did.reject": ("отклонено лидов: {count}", "{count} leads rejected"),
    "did.assign": ("смен ответственного: {count}", "{count} changes of the responsible"),
    "did.field": ("записей в карточки: {count}", "{count} fields written"),
    "did.tag": ("меток: {count}", "{count} labels changed"),
    "did.warn": ("напоминаний: {count}", "{count} reminders"),
    "did.assign_again": ("новых назначений ответственного: {count}", "{count} choices of somebody responsible"),
    "did.incident": ("инцидентов: {count}", "{count} incidents"),
    "did.come_back": ("возвратов из отложенных: {count}", "{count} paused leads come back"),
    "skips": ("Сработают впустую:", "Would do nothing when due:"),
    "skip.contact_refused": (
        "клиент отказался от такого обращения: {count}, людей: {people}",
        "{count} where the client refused such contact, {people} people",
    ),
    "skip.no_address": ("нет адреса или телефона: {count}", "{count} without an address"),
    "skip.condition": ("не выполнено условие: {count}", "{count} whose condition does not hold"),
    "skip.predecessor": ("не сработал предыдущий робот: {count}", "{count} whose predecessor did not run"),
    "skip.rules": ("не пускает правило: {count}", "{count} stopped by a rule"),
    "skip.loop": ("слишком много переходов подряд: {count}", "{count} stopped as a loop"),
    "skip.removed": ("робота в воронке больше нет: {count}", "{count} that the pipeline no longer has"),
    "skip.date_passed": ("дата уже прошла: {count}", "{count} whose date has passed"),
    "skip.once": ("для этого клиента уже срабатывал: {count}", "{count} that ran for this client before"),
    "failed": (
        "Не смогут сработать (например, шаблон без значения): {count}; о каждом будет дело.",
        "{count} could not run (a template without a value, say); each makes a task.",
    ),
    "cut": (
        "У {count} лидов срабатываний больше, чем просмотрено.",
        "{count} leads have more instants than were looked at.",
    ),
    "assumed": (
        "Если ничего другого с лидами не случится и всё отправленное дойдёт.",
        "If nothing else happens to the leads and all that is sent is delivered.",
    ),
    "refused": ("Не запускаются ({count}), с причиной:", "Not started ({count}), with the reason:"),
    "service_failed": (
        "внутренняя ошибка, журнал службы говорит почему",
        "an error of the service's own, its log says why",
    ),
    "more": ("и ещё {count}", "and {count} more"),
    "dry": ("Ничего не записано.", "Nothing was written."),
    "ask": ("Запустить роботов? (да): ", "Start these robots? Type yes: "),
    "started": ("Запущено роботов: {robots}, у лидов: {leads}", "{robots} robots started for {leads} leads"),
    "again": (
        "Повторите ту же команду: она возьмёт тех, у кого роботов ещё нет.",
        "Run the same command again: it takes those that have no robots yet.",
    ),
}
WEEKDAYS = (("пн", "вт", "ср", "чт", "пт", "сб", "вс"), ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"))


class Say:
    """Words in one language."""

    def __init__(self, language: str) -> None:
        self.english = language == "en"

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key."""
        shown = {name: f"{value:,}" if isinstance(value, int) else value for name, value in values.items()}
        return WORDS[key][self.english].format(**shown)

    def failure(self, refusal: Refusal | None) -> str:
        """Why a lead's robots were not started."""
        if refusal is None:
            return self("service_failed")
        return f"{plain(refusal.en if self.english else refusal.ru)} [{', '.join(refusal.rules)}]"


def previewed(found: Preview, say: Say, zone: str) -> list[str]:
    """What would happen."""

    def at(moment: Any) -> str:
        return f"{moment.astimezone(ZoneInfo(zone)):%d.%m.%Y %H:%M}"

    lines = [say("head", pipeline=found.asked.pipeline, at=at(found.asked.at), count=found.looked_at)]
    if found.first is None:
        lines.append(say("nothing"))
    else:
        lines.append(say("starting", count=found.starting, first=at(found.first)))
    for one in sorted(found.robots.values(), key=lambda one: (one.first, one.stage, one.robot)):
        first, last = at(one.first), at(one.last)
        when = say("when", first=first) if first == last else say("between", first=first, last=last)
        lines.append(say("robot", stage=one.stage, robot=one.robot, count=one.leads, when=when))
    if found.left:
        lines += [say("left"), *(f"  {say(f'left.{why}', count=n)}" for why, n in found.left.most_common())]
    lines += refusals(found.refused, say)
    if found.starting:
        lines += [*tasks(found, say), *_acts(found, say), say("assumed")]
    return lines


def tasks(found: Preview, say: Say) -> list[str]:
    """The table of tasks: a row for each person, a column for each day that has any, a bar for the sum."""
    if not found.tasks:
        return []
    weekdays = WEEKDAYS[say.english]
    days = [day for day in found.days if any(by_day[day] for by_day in found.tasks.values())]
    rows = sorted(found.tasks.items(), key=lambda pair: (-pair[1].total(), pair[0] or ""))
    names = [who or say("nobody") for who, _ in rows]
    wide, most = max(len(name) for name in names), max(by_day.total() for _, by_day in rows)
    heads = [f"{weekdays[day.weekday()]} {day:%d.%m}" for day in days]
    lines = [say("tasks", days=DAYS, first=f"{found.days[0]:%d.%m.%Y}")]
    lines.append(f"  {'':<{wide}}  {'  '.join(heads)}  {say('total'):>7}")
    for name, (_, by_day) in zip(names, rows, strict=True):
        cells = "  ".join(f"{by_day[day] or '·':>{len(head)}}" for day, head in zip(days, heads, strict=True))
        total = by_day.total()
        lines.append(f"  {name:<{wide}}  {cells}  {total:>7}  {'█' * max(1, round(BAR * total / most))}")
    return lines


def _acts(found: Preview, say: Say) -> list[str]:
    lines = [f"  {say(f'did.{word}', count=n)}" for word, n in found.did.most_common() if f"did.{word}" in WORDS]
    if lines:
        lines = [say("acts"), *lines]
    if found.skipped:
        people = len(found.refusing)
        lines += [
            say("skips"),
            *(f"  {say(f'skip.{why}', count=n, people=people)}" for why, n in found.skipped.most_common()),
        ]
    for key, count in (("failed", found.failed), ("cut", found.cut)):
        if count:
            lines.append(say(key, count=count))
    return lines


def started(made: Started, say: Say) -> list[str]:
    """What was started."""
    lines = [say("started", robots=made.robots, leads=made.leads), *refusals(made.refused, say)]
    return [*lines, say("again")] if made.refused else lines


def refusals(refused: Mapping[UUID, Refusal | None], say: Say) -> list[str]:
    """Leads whose robots are not started, each with the reason."""
    if not refused:
        return []
    named = list(refused.items())[:NAMED]
    lines = [
        say("refused", count=len(refused)),
        *(f"  {lead}: {say.failure(refusal)}" for lead, refusal in named),
    ]
    return lines if len(named) == len(refused) else [*lines, f"  {say('more', count=len(refused) - len(named))}"]


def started_object(made: Started) -> dict[str, Any]:
    """What was started, for programs."""
    return {
        "leads": made.leads,
        "robots": made.robots,
        "left": made.left,
        "refused": [
            {"lead": str(lead), "refusal": refusal.model_dump(mode="json") if refusal else None}
            for lead, refusal in made.refused.items()
        ],
    }

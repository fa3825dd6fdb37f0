"""What the incidents service tells people, in Russian or English: names of channels, ids of leads, nobody's data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from services.incidents.domain import MOST_LINES, Overdue, Silence

Language = Literal["ru", "en"]
_KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "call": ("звонок", "call"),
    "letter": ("письмо", "letter"),
    "meeting": ("встреча", "meeting"),
    "task": ("задача", "task"),
}


def _of(language: str, ru: str, en: str) -> str:
    return ru if language == "ru" else en


def hours(length: timedelta, language: str) -> str:
    """A length of working time in hours and minutes."""
    minutes = int(length.total_seconds() // 60)
    whole, rest = divmod(minutes, 60)
    return _of(language, f"{whole} ч {rest} мин", f"{whole} h {rest} min")


def silent(silence: Silence, zone: ZoneInfo, language: str) -> str:
    """Why it is thought that a channel is broken."""
    last = f"{silence.channel.last.astimezone(zone):%d.%m.%Y %H:%M}"
    longest = hours(silence.longest, language)
    return _of(
        language,
        f"Канал {silence.channel.name} молчит: последнее обращение {last}. За четыре недели он ни разу не молчал дольше "
        f"{longest} рабочего времени. Проверьте форму, телефонию или ящик.",
        f"The channel {silence.channel.name} is silent: the last message came at {last}. In four weeks it was never silent for "
        f"longer than {longest} of working time. Check the form, the telephone system or the mailbox.",
    )


def unread(channel: str, number: int, language: str) -> str:
    """Messages that nobody can read by a machine."""
    return _of(
        language,
        f"Канал {channel}: не разобрано обращений — {number}. Они целы и ждут на странице «Входящие»: исправьте и запустите "
        "снова.",
        f"The channel {channel}: {number} messages could not be read. They are kept on the page “Intake”: mend them and run "
        "them again.",
    )


def parked(consumer: str, number: int, language: str) -> str:
    """Records that a service could not apply."""
    return _of(
        language,
        f"Служба {consumer} отложила записей — {number}. Они видны на странице «Система»; после исправления верните их в "
        "работу.",
        f"The service {consumer} has put {number} records aside. They stand on the page “System”; release them when it is "
        "mended.",
    )


def digest(
    team: str,
    day: date,
    tasks: Sequence[Overdue],
    people: Mapping[str, int],
    zone: ZoneInfo,
    language: str,
    public_url: str | None,
) -> tuple[str, str]:
    """(subject, text) of the day's list."""
    subject = _of(
        language, f"Просрочено дел: {len(tasks)} — {day:%d.%m.%Y}", f"{len(tasks)} tasks overdue — {day:%Y-%m-%d}"
    )
    lines = [_of(language, f"Команда {team}. По людям:", f"Team {team}. By person:")]
    nobody = _of(language, "без ответственного", "nobody responsible")
    lines += [f"  {nobody if who == 'nobody' else who}: {number}" for who, number in people.items()]
    lines.append("")
    for task in tasks[:MOST_LINES]:
        kind = _KINDS.get(task.kind, (task.kind, task.kind))[0 if language == "ru" else 1]
        due = f"{task.due_at.astimezone(zone):%d.%m.%Y %H:%M}"
        where = f"{public_url}/leads/{task.lead}" if public_url else str(task.lead)
        lines.append(f"{due}  {kind}  {task.doer or nobody}  {where}")
    if len(tasks) > MOST_LINES:
        rest = len(tasks) - MOST_LINES
        lines.append(_of(language, f"… и ещё {rest}", f"… and {rest} more"))
    return subject, "\n".join(lines)

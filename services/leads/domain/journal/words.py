"""What people of ours are told of incidents, in the company's language (Q6). Pure.

Invariants: a lead is named by its link, or its id where the settings have none: nothing of the client is in a notice; times are
those of the team's calendar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from contracts import events as e
from contracts.pipeline import Pipeline
from services.calendars.calendar import Calendar
from services.leads.domain.journal.state import Incident
from services.subject import spoken

LISTED: Final = 50
"""Misses that a notice of an escalation names."""
OWN_DEADLINES: Final[dict[str, tuple[str, str]]] = {
    "meeting_result": ("Записать итог встречи", "Record how the meeting went"),
    "activity": ("Сделать запланированное", "Do what was planned"),
    "pool": ("⟨Лид ждёт, и взять его|Сделка ждёт, и взять её⟩ некому", "A ⟨lead|deal⟩ waits, and nobody may take it"),
}
"""Deadlines that no pipeline names."""
CAUSES: Final[dict[str, tuple[str, str]]] = {
    "robot_failed": ("робот, на котором держится срок, не сработал", "the robot that it rests on failed"),
    "delivery_failed": ("сообщение, на котором держится срок, не ушло", "the message that it rests on did not go out"),
    "assigned_late": ("передан поздно", "it was handed over late"),
    "absent": ("вас не было на работе", "you were away"),
    "outside_hours": ("срок пришёлся на нерабочее время", "it was due outside working hours"),
    "nobody_responsible": ("ответственного не было", "nobody was responsible"),
    "left": ("ответственный уволился", "whoever was responsible has left"),
    "channel": ("канал молчит", "the channel is silent"),
    "provider": ("внешняя служба не приняла", "the other side did not take it"),
}
"""Why a miss is not the person's."""
DEAD_LETTERS: Final[dict[str, tuple[str, str]]] = {
    "email": ("Письмо клиенту не ушло", "A letter to a client did not go out"),
    "sms": ("SMS клиенту не ушло", "A short message to a client did not go out"),
    "audience": ("Рекламная аудитория не изменена", "An ad audience was not changed"),
    "webhook": ("Внешняя система не ответила", "The other system did not answer"),
}


@dataclass(frozen=True, slots=True)
class Saying:
    """How it is said: the language, where leads are seen from outside, the calendar whose clock is meant."""

    language: Literal["ru", "en"]
    public_url: str | None
    calendar: Calendar

    def of(self, pair: tuple[str, str], of_deal: bool = False) -> str:
        """The text of a pair (ru, en)."""
        return spoken(pair[self.language == "en"], of_deal=of_deal)

    def at(self, moment: datetime) -> str:
        """An instant on the team's clock."""
        return f"{self.calendar.local(moment):%d.%m.%Y %H:%M}"

    def title(self, deadline: str, pipeline: Pipeline | None, *, of_deal: bool = False) -> str:
        """What a deadline or robot is called."""
        if deadline in OWN_DEADLINES:
            return self.of(OWN_DEADLINES[deadline], of_deal)
        found = pipeline.deadlines_by_id.get(deadline) if pipeline is not None else None
        return self.of((found[1].titles.ru, found[1].titles.en)) if found is not None else deadline

    def length(self, seconds: int) -> str:
        """A length of time: hours and minutes."""
        minutes = seconds // 60
        hours, minutes = divmod(minutes, 60)
        h, m = ("h", "min") if self.language == "en" else ("ч", "мин")
        return " ".join(
            filter(None, (f"{hours} {h}" if hours else "", f"{minutes} {m}" if minutes or not hours else ""))
        )

    def link(self, recorded: e.IncidentRecorded) -> str | None:
        """Where the lead is, or its id."""
        return None if recorded.lead is None else self.link_of(recorded.lead)

    def link_of(self, lead: UUID) -> str:
        """Where a lead is, or its id."""
        return str(lead) if self.public_url is None else f"{self.public_url}/leads/{lead}"

    def incident(self, recorded: e.IncidentRecorded, misses: int, days: int) -> tuple[str, str]:
        """Subject and text of the notice of an incident."""
        what = recorded.text or recorded.rule
        head = {
            "deadline": ("Пропущен срок", "A deadline was missed"),
            "pool": ("⟨Лид|Сделка⟩ без ответственного", "A ⟨lead|deal⟩ of nobody"),
        }
        subject = f"{self.of(head.get(recorded.incident_kind, ('Инцидент', 'Incident')), recorded.of_deal)}: {what}"
        lines = [what]
        if (link := self.link(recorded)) is not None:
            lines.append(f"{self.of(('⟨Лид|Сделка⟩', '⟨Lead|Deal⟩'), recorded.of_deal)}: {link}")
        lines.append(f"{self.of(('Срок', 'Due'))}: {self.at(recorded.due_at)}")
        if recorded.missed_s:
            late = self.length(recorded.missed_s)
            lines.append(self.of((f"Пропущен на {late} рабочего времени", f"Late by {late} of working time")))
        if recorded.cause in CAUSES:
            why = self.of(CAUSES[recorded.cause])
            lines.append(self.of((f"Пропуском не считается: {why}", f"It counts as no miss: {why}")))
        elif recorded.counts:
            period = f"{days} {self.of(('дн.', 'days'))}"
            lines.append(
                self.of(
                    (
                        f"Пропуск засчитан. Пропусков за {period} до эскалации руководителю: {misses}",
                        f"It counts as a miss. Misses in {period} until the manager is told: {misses}",
                    )
                )
            )
        return _short(subject), "\n".join(lines)

    def escalation(self, employee: str, strike: int, days: int, listed: Sequence[Incident]) -> tuple[str, str]:
        """Subject and text of the notice of an escalation, or of a miss that is added to one."""
        subject = self.of(
            (
                f"Эскалация: {employee}, пропуск № {strike} за {days} дн.",
                f"Escalation: {employee}, miss no. {strike} in {days} days",
            )
        )
        lines = [subject]
        for incident in listed[-LISTED:]:
            recorded = incident.recorded
            parts = (recorded.text or recorded.rule, self.at(incident.due_at), self.link(recorded))
            lines.append("- " + ", ".join(part for part in parts if part))
        return _short(subject), "\n".join(lines)

    def card_review(self, pipeline: str, start: date, end: date) -> tuple[str, str]:
        """Subject and text of the request to look a card over (Q11)."""
        subject = self.of((f"Посмотрите карточку воронки {pipeline}", f"Look over the card of pipeline {pipeline}"))
        period = f"{start:%d.%m.%Y}-{end:%d.%m.%Y}"
        text = self.of(
            (
                f"Прошёл период {period}. Посмотрите, что в карточке заполняют, что из неё используют и что говорят клиенты.",
                f"The period {period} is over. See what is filled in on the card, what of it is used, what clients say.",
            )
        )
        return subject, text if self.public_url is None else f"{text}\n{self.public_url}/incidents"


def working_seconds(calendar: Calendar, begin: datetime, end: datetime, person: str | None) -> int:
    """Working time between two instants, in whole seconds; none where the second is not after the first."""
    if end <= begin:
        return 0
    return int(calendar.working_between(begin, end, person) / timedelta(seconds=1))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 300 else line[:299] + "…"

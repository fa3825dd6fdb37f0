"""How pages show values and tell events: times in the team's zone, money, ages, one sentence an event.

Pure. Invariants: an event type without a sentence is told by its type, never left out; what was erased is said to be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from contracts.pipeline import Pipeline, Titles
from services.web.shapes import EventOut
from services.web.texts import Words

NBSP = "\u00a0"
_TOLD_AS_THEY_ARE = frozenset(
    {
        *("volume", "comment", "reason", "name", "company", "phone", "email", "channel", "form", "other_lead", "into"),
        *("number", "line", "agent", "subject", "text", "page", "place", "assignee", "result", "account"),
    }
)
_TOLD_IN_WORDS = frozenset({"in_turn", "by_hand", "imported", "callback_ordered", "missed_call", "answered_call"})
_STAGE_SENTENCES = {"adopted": "event.stage_adopted", "unmerged": "event.stage_unmerged"}
_MOMENTS = frozenset({"due_at", "ended_at"})
_LISTS = frozenset({"candidates", "to", "cc", "attachment_names"})
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Told:
    """An event as the timeline shows it: a sentence, and label-value pairs to it."""

    event: EventOut
    sentence: str
    details: list[tuple[str, str]]
    link: str | None = None
    """Where a call can be heard: an address that somebody else gave (http or https)."""


@dataclass(frozen=True, slots=True)
class Telling:
    """The reader's language and the team's zone."""

    words: Words
    zone: ZoneInfo

    def time(self, moment: datetime | None) -> str:
        """A moment on the team's wall."""
        if moment is None:
            return "—"
        local = moment.astimezone(self.zone)
        return f"{self.day(local.date())} {local:%H:%M}"

    def day(self, day: date | str | None) -> str:
        """A date, as read in the language."""
        if day is None:
            return "—"
        if isinstance(day, str):
            day = date.fromisoformat(day)
        if self.words.language == "ru":
            return f"{day:%d.%m.%Y}"
        return f"{day.day} {MONTHS[day.month - 1]} {day.year}"

    def money(self, amount: Decimal | str | None, currency: str | None) -> str:
        """An amount with its currency, thousands apart."""
        if amount is None:
            return ""
        text = f"{Decimal(amount):,.2f}"
        if self.words.language == "ru":
            text = text.replace(",", NBSP).replace(".", ",")
        text = text.removesuffix(",00").removesuffix(".00")
        return f"{text}{NBSP}{currency or ''}".strip()

    def percent(self, value: Decimal) -> str:
        """A percentage, to a tenth where it has one."""
        text = f"{value:.1f}".removesuffix(".0")
        return f"{text.replace('.', ',') if self.words.language == 'ru' else text}{NBSP}%"

    def span(self, seconds: float | None) -> str:
        """A duration in its two largest units."""
        if seconds is None:
            return "—"
        return self._span(int(seconds // 60))

    def age(self, since: datetime | None, now: datetime) -> str:
        """How long ago, in its two largest units."""
        if since is None:
            return "—"
        return self._span(max(0, int((now - since).total_seconds() // 60)))

    def _span(self, minutes: int) -> str:
        days, hours = minutes // 1440, minutes // 60 % 24
        if days:
            return self.words("days", n=days) + (f"{NBSP}{self.words('hours', n=hours)}" if hours and days < 10 else "")
        if hours:
            return self.words("hours", n=hours)
        return self.words("minutes", n=minutes)

    def tell(self, event: EventOut, pipeline: Pipeline, *, before: Pipeline | None = None) -> Told:
        """An event in words, as it was called in the version it happened under; `before`: the version under which the events
        before it happened, for the stage that was left."""
        data, words = event.data, self.words

        def stage(name: Any) -> str:
            return words.of(titles) if (titles := _titles(str(name), pipeline, before)) else str(name)

        key = f"event.{event.type}"
        values: dict[str, object] = {
            "source": data.get("source", ""),
            "stage": stage(data.get("stage")),
            "before": stage(data.get("from_stage")),
            "to": data.get("to", ""),
            "answer": words.get(f"answer.{data.get('answer')}", str(data.get("answer"))),
            "status": stage(data.get("status")),
            "until": self.day(data.get("until")),
            "kind": words.get(str(data.get("identity_kind")), str(data.get("identity_kind"))).lower(),
            "pipeline": words.of(pipeline.titles),
            "number": data.get("number", ""),
        }
        if event.type.endswith(".stage_entered") and data.get("from_stage"):
            key = _STAGE_SENTENCES.get(str(data.get("cause")), "event.stage_from")
        elif event.type.endswith(".adopted") and data.get("pipeline") == data.get("from_pipeline"):
            key = "event.adopted_version"
        elif event.type.endswith((".call_recorded", ".call_updated")):
            values["call"] = self.call(data)
        elif "activity_kind" in data:
            values["activity"] = words(f"activity.{data['activity_kind']}")
        elif "mail_kind" in data:
            key = f"{key}.{data['mail_kind']}"
        sentence = words.get(key, event.type).format(**values)
        details = self._details(data, pipeline)
        if data.get("returns_to"):
            details.append((words("returns_to"), stage(data["returns_to"])))
        if event.erased:
            details.append((words("erased"), ", ".join(words.get(name, name) for name in event.erased)))
        return Told(event, sentence, details, linked(data.get("recording")))

    def call(self, call: Mapping[str, Any]) -> str:
        """A call in words: which way, whether somebody talked, how long."""
        words = self.words
        told = words(f"call.{call['call_direction']}.{'answered' if call.get('answered') else 'missed'}")
        if call.get("answered") and call.get("ended_at"):
            lasted = _moment(call["ended_at"]) - _moment(call["started_at"])
            told = f"{told}, {int(lasted.total_seconds()) // 60}:{int(lasted.total_seconds()) % 60:02d}"
        return told

    def _details(self, data: dict[str, Any], pipeline: Pipeline) -> list[tuple[str, str]]:
        words = self.words
        titles = {field.id: words.of(field.titles) for field in pipeline.fields}
        found: list[tuple[str, str]] = []
        for name, value in data.items():
            label = titles.get(name) or words.get(name, name)
            if name in ("values", "fields"):
                found += [
                    (titles.get(k) or words.get(k, k), str(v) or words("cleared")) for k, v in dict(value).items()
                ]
            elif name == "price":
                found.append((label, self.money(value["amount"], value["currency"])))
            elif name == "delivery_date":
                found.append((words("delivery"), self.day(value)))
            elif name == "delivery_days":
                found.append((words("delivery"), words("days_of", days=value)))
            elif name in _LISTS and isinstance(value, list):
                found += [(label, ", ".join(map(str, value)))] if value else []
            elif name == "reason" and value in _TOLD_IN_WORDS:
                found.append((label, words(f"event.{value}")))
            elif name in _MOMENTS:
                found.append((label, self.time(_moment(value))))
            elif name in _TOLD_AS_THEY_ARE:
                found.append((label, str(value)))
        return found


def _titles(stage: str, *versions: Pipeline | None) -> Titles | None:
    """What a stage is called in the first of these versions that has it."""
    return next((p.by_id[stage].titles for p in versions if p is not None and stage in p.by_id), None)


def linked(address: object) -> str | None:
    """An address a page may link to: http or https, whatever else was stored."""
    text = str(address) if address else ""
    return text if text.startswith(("https://", "http://")) else None


def _moment(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))

"""How pages show values and tell events: times in the team's zone, money, ages, one sentence an event.

Pure. Invariants: an event type without a sentence is told by its type, never left out; what was erased is said to be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from contracts.events.deal import AS_OF_LEADS
from contracts.pipeline import DECLINED, UNKNOWN, CardField, Pipeline, Titles
from services.leads.domain.rules import RULES
from services.pipelines.robot_words import robot_titles
from services.web.shapes_card import StepOut
from services.web.telling_deadlines import KINDS as OF_DEADLINES
from services.web.telling_deadlines import told_of_deadlines
from services.web.telling_robots import KINDS as OF_ROBOTS
from services.web.telling_robots import told_of_robots
from services.web.texts import Words

if TYPE_CHECKING:
    from services.web.shapes import EventOut

NBSP = "\u00a0"
_TOLD_AS_THEY_ARE = frozenset(
    {
        *("volume", "comment", "reason", "name", "company", "phone", "email", "form", "other_lead", "into"),
        *("number", "line", "agent", "subject", "text", "page", "place", "result", "account"),
        "override_reason",
    }
)
_MOMENTS = frozenset({"ended_at"})
_LISTS = frozenset({"to", "cc", "attachment_names"})
_STEPS = frozenset(
    {
        *(
            "captured",
            "opened",
            "seen",
            "accepted",
            "card_recorded",
            "offer_made",
            "answer_received",
            "call_held",
            "meeting_held",
        ),
        *("document_sent", "file_attached", "approval_given", "fact_established", "stage_entered", "activity_done"),
        *("call_recorded", "letter_received", "inbound_joined"),
    }
)
"""Events that are a step of the work (P8); the others are bookkeeping around it."""
_FACT_OF = {
    "call_held": ("call_held", "result"),
    "meeting_held": ("meeting_held", "result"),
    "document_sent": ("document_sent", "document"),
    "file_attached": ("file_attached", "label"),
    "fact_established": (None, "value"),
    "fact_withdrawn": (None, None),
}
"""Of which fact an event tells (None: it names it), and where its value stands."""
_RULES = {rule.id: (rule.ru, rule.en) for rule in RULES}
DEALS_TYPES = "leadline.deal."
"""How the types of a deal's events begin."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Told:
    """An event as the timeline shows it: a sentence, and label-value pairs to it."""

    event: EventOut
    sentence: str
    details: list[tuple[str, str]]
    link: str | None = None
    """Where a call can be heard or a file seen: an address that somebody else gave (http or https)."""
    link_words: str = ""


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

    def days(self, since: datetime, until: datetime) -> str:
        """A period by its first and last day, the end not included."""
        last = until.astimezone(self.zone) - timedelta(microseconds=1)
        return f"{self.day(since.astimezone(self.zone).date())} – {self.day(last.date())}"

    def money(self, amount: Decimal | str | None, currency: str | None) -> str:
        """An amount with its currency, thousands apart."""
        if amount is None:
            return ""
        text = f"{Decimal(amount):,.2f}"
        if self.words.language == "ru":
            text = text.replace(",", NBSP).replace(".", ",")
        text = text.removesuffix(",00").removesuffix(".00")
        return f"{text}{NBSP}{currency or ''}".strip()

    def decimal(self, value: float | None) -> str:
        """A number to a tenth."""
        if value is None:
            return "—"
        return f"{value:.1f}".replace(".", "," if self.words.language == "ru" else ".")

    def percent(self, value: Decimal | float) -> str:
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
        if self.words.of_deal != event.type.startswith(DEALS_TYPES):
            about = self.words.about(event.type.startswith(DEALS_TYPES))
            return replace(self, words=about).tell(event, pipeline, before=before)
        data, words = event.data, self.words

        def stage(name: Any) -> str:
            return words.of(titles) if (titles := _titles(str(name), pipeline, before)) else str(name)

        key = f"event.{event.type}"
        if words.get(key, "") == "":  # a deal's event is told as a lead's, where it has no sentence of its own
            key = f"event.{AS_OF_LEADS.get(event.type, event.type)}"
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
        kind = event.type.rpartition(".")[2]
        if kind in OF_ROBOTS:
            sentence, details = told_of_robots(kind, data, pipeline, before, self)
            return Told(event, sentence, details + self._erased(event))
        if kind in OF_DEADLINES:
            sentence, details = told_of_deadlines(kind, data, pipeline, before, self)
            return Told(event, sentence, details + self._erased(event))
        if kind == "stage_entered" and data.get("from_stage"):
            key = _stage_key(data)
        elif kind == "captured" and data.get("channel") == "hand":
            key = "event.captured_by_hand"
            values["source"] = "" if data.get("source") in (None, "by_hand") else f": {data['source']}"
        elif kind in _FACT_OF:
            key = self._fact(kind, key, data, pipeline, values)
        elif kind == "approval_given":
            key = f"{key}.{data.get('decision')}"
        elif event.type.endswith(".adopted") and data.get("pipeline") == data.get("from_pipeline"):
            key = "event.adopted_version"
        elif event.type.endswith((".call_recorded", ".call_updated")):
            values["call"] = self.call(data)
        elif "activity_kind" in data:
            values["activity"] = words(f"activity.{data['activity_kind']}")
        elif "mail_kind" in data:
            key = f"{key}.{data['mail_kind']}"
        sentence = words.get(key, event.type).format(**values)
        # of an adoption the sentence says all: which version, and that it was published
        said = {name: data[name] for name in data if name not in ("number", "reason")} if kind == "adopted" else data
        details = self._details(said, pipeline)
        if data.get("returns_to"):
            details.append((words("returns_to"), stage(data["returns_to"])))
        details += self._erased(event)
        link, words_of_link = linked(data.get("recording")), words("recording")
        if link is None:
            link, words_of_link = linked(data.get("link")), words("open_link")
        return Told(event, sentence, details, link, words_of_link)

    def _erased(self, event: EventOut) -> list[tuple[str, str]]:
        if not event.erased:
            return []
        return [(self.words("erased"), ", ".join(self.words.get(name, name) for name in event.erased))]

    def last_step(self, events: Iterable[EventOut], pipeline: Pipeline) -> StepOut | None:
        """P8: the last step done on a lead, in both languages; `events`: newest first."""
        for event in events:
            if event.type.rpartition(".")[2] in _STEPS:
                ru, en = (
                    replace(self, words=Words(language)).tell(event, pipeline).sentence for language in ("ru", "en")
                )
                return StepOut(
                    type=event.type, version=event.version, at=event.happened_at, actor=event.actor, ru=ru, en=en
                )
        return None

    def _fact(self, kind: str, key: str, data: Mapping[str, Any], pipeline: Pipeline, values: dict[str, object]) -> str:
        """The sentence's key for a recorded fact; what it is called, and its value, go into `values`."""
        named, where = _FACT_OF[kind]
        fact = pipeline.facts_by_id.get(named or str(data.get("fact")))
        value = str(data[where]) if where and data.get(where) else None
        option = fact.option(value) if fact else None
        values["fact"] = self.words.of(fact.titles) if fact else str(data.get("fact"))
        values["value"] = (
            self.words.of(option.titles) if option else self.words.get(f"document.{value}", value) if value else ""
        )
        return f"{key}.with" if value else key

    def value(self, field: CardField | None, text: str) -> str:
        """A kept value of the card in words: choices by their titles, numbers with their unit, money and dates as read here."""
        if field is None or not text:
            return text
        if text == UNKNOWN and field.may_be_unknown:
            return self.words("unknown")
        if text == DECLINED and field.declined:
            return self.words("declined")
        try:
            match field.type:
                case "choice":
                    option = next((option for option in field.options if option.id == text), None)
                    return self.words.of(option.titles) if option else text
                case "yes_no":
                    return self.words.get(text, text) if text in ("yes", "no") else text
                case "number":
                    shown = f"{Decimal(text):f}".replace(".", "," if self.words.language == "ru" else ".")
                    return f"{shown}{NBSP}{self.words.of(field.unit)}" if field.unit else shown
                case "money":
                    amount, _, currency = text.partition(" ")
                    return self.money(amount, currency)
                case "date":
                    return self.day(text)
        except (ValueError, ArithmeticError):
            pass  # written while the field was of another type: shown as it is kept
        return text

    def _rule(self, rule: str) -> str:
        return self.words.said(_RULES.get(rule, (rule, rule)))

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
        fields = pipeline.fields_by_id
        titles = {name: words.of(field.titles) for name, field in fields.items()}
        found: list[tuple[str, str]] = []
        for name, value in data.items():
            label = titles.get(name) or words.get(name, name)
            if name in ("values", "fields"):
                found += [
                    (titles.get(k) or words.get(k, k), self.value(fields.get(k), str(v)) or words("cleared"))
                    for k, v in dict(value).items()
                ]
            elif name == "overridden":
                found += [(words("overridden"), self._rule(str(rule))) for rule in value]
            elif name in ("reason", "reason_id") and (named := _reason(data, str(value), pipeline)) is not None:
                found.append((words("reason"), words.of(named)))
            elif name == "outcome":
                found += [(words("outcome_of"), words(f"lost.{value}"))] if "status" in data else []
            elif name == "via":
                found += [(words("via"), words(f"via.{value}"))] if value != "other" else []
            elif name == "price":
                found.append((label, self.money(value["amount"], value["currency"])))
            elif name == "delivery_date":
                found.append((words("delivery"), self.day(value)))
            elif name == "delivery_days":
                found.append((words("delivery"), words("days_of", days=value)))
            elif name in _LISTS and isinstance(value, list):
                found += [(label, ", ".join(map(str, value)))] if value else []
            elif name == "channel":
                found.append((label, words.get(f"channel.{value}", str(value))))
            elif name in _MOMENTS:
                found.append((label, self.time(_moment(value))))
            elif name == "robot":
                found.append((words("robot"), words.of(robot_titles(str(value), pipeline))))
            elif name in _TOLD_AS_THEY_ARE:
                found.append((label, str(value)))
        return found


def _stage_key(data: Mapping[str, Any]) -> str:
    """How a change of stage is told: who or what moved the lead, and whether the rules were kept."""
    cause = data.get("cause")
    if data.get("basis") == "override":
        return "event.stage_override"
    return f"event.stage_{cause}" if cause in ("adopted", "auto", "undone", "unmerged") else "event.stage_from"


def _reason(data: Mapping[str, Any], reason: str, pipeline: Pipeline) -> Titles | None:
    """A reason of a reject status or a pause by its title; None where it is no such id."""
    stage = pipeline.by_id.get(str(data.get("status")))
    found = stage.reason(reason) if stage else None
    return found.titles if found else None


def _titles(stage: str, *versions: Pipeline | None) -> Titles | None:
    """What a stage is called in the first of these versions that has it."""
    return next((p.by_id[stage].titles for p in versions if p is not None and stage in p.by_id), None)


def linked(address: object) -> str | None:
    """An address a page may link to: http or https, whatever else was stored."""
    text = str(address) if address else ""
    return text if text.startswith(("https://", "http://")) else None


def _moment(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))

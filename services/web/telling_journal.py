"""How events of the incident journal are told: a sentence each, and what belongs to it (Q6, Q9, D6, N20).

Pure. Invariants: a restated verdict is told beside the original one, never instead of it; of a strike it is said which one of how
many it is; deadlines and stages are called by their titles where the pipeline is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from contracts.pipeline import Pipeline, Titles
from services.pipelines.robot_words import robot_titles
from services.web.telling_deadlines import term_in_words

if TYPE_CHECKING:
    from services.web.telling import Telling

Data = Mapping[str, Any]
Details = list[tuple[str, str]]


def told_of_journal(kind: str, data: Data, pipeline: Pipeline | None, tell: Telling) -> tuple[str, Details]:
    """The sentence of an event of the journal, by the last word of its type, and label-value pairs to it."""
    words = tell.words
    key = f"event.leadline.incident.{kind}"
    values: dict[str, object] = {}
    match kind:
        case "recorded":
            values |= {
                "kind": words.about(data.get("of_deal"))(f"incident_kind.{data['incident_kind']}"),
                "rule": words.of(rule_titles(str(data["incident_kind"]), str(data["rule"]), pipeline)),
                "who": data["employee"],
            }
        case "told":
            values["via"] = words(f"told_via.{data['via']}")
            if data.get("strike"):
                key = f"{key}.strike"
                values["strike"] = strike_in_words(int(data["strike"]), int(data["of"]), int(data["days"]), tell)
        case "excused":
            values["reason"] = data["reason"]
        case "restated":
            values["verdict"] = words(f"verdict.{data['verdict']}")
        case "escalation_opened" | "escalation_extended":
            values |= {"strike": data["strike"], "to": data.get("to") or words("every_head")}
        case "escalation_closed":
            key = f"{key}.{data['by']}"
        case "notice_requested":
            values |= {"to": data["to"], "about": words(f"notice_about.{data['about']}")}
        case "notice_repeated":
            values["to"] = data.get("to") or "—"
        case "notice_failed":
            values["why"] = data["reason"]
        case "digest_made":
            values |= {"day": tell.day(data["day"]), "n": data["overdue"]}
        case "card_review_due":
            values |= {
                "pipeline": words.of(pipeline.titles) if pipeline else data["pipeline"],
                "start": tell.day(data["period_start"]),
                "end": tell.day(data["period_end"]),
            }
    return words(key, **values), list(_details(kind, data, tell))


def rule_titles(kind: str, rule: str, pipeline: Pipeline | None) -> Titles:
    """What an incident is about: its deadline or robot by title; a channel or letter by its name."""
    if kind in ("deadline", "pool", "raised"):
        return robot_titles(rule, pipeline)
    return Titles(ru=rule, en=rule)


def strike_in_words(strike: int, of: int, days: int, tell: Telling) -> str:
    """«2-й из 3 за 30 дней»."""
    return tell.words("strike_of", strike=strike, of=of, days=days)


def _details(kind: str, data: Data, tell: Telling) -> Details:
    words = tell.words
    found: Details = []

    def say(label: str, value: object) -> None:
        if value not in (None, "", []):
            found.append((words(label), str(value)))

    match kind:
        case "recorded":
            say("due_at", tell.time(_moment(data["due_at"])))
            say("missed_by", tell.span(float(data["missed_s"])))
            say("cause", words(f"cause.{data['cause']}"))
            say("why_so_long", term_in_words(data["term"], tell) if data.get("term") else None)
            say("turn", data["turn"] if (data.get("turn") or 1) > 1 else None)
            say("calendar", data.get("calendar"))
            say("counting", words("counts_once_told" if data["counts"] else "counts_not"))
            say("text", data.get("text"))
        case "acknowledged" | "escalation_closed" | "card_review_done":
            say("comment", data.get("comment"))
        case "restated":
            say("due_in_truth", tell.time(_moment(data["due_at"])))
            say("calendar", data["calendar"])
            say("strike_restated", data.get("strike") or words("counts_not"))
            say("reason", data["reason"])
        case "notice_requested":
            say("subject", data["subject"])
        case "notice_done" | "notice_failed":
            say("provider", data.get("provider"))
            say("attempts", data.get("attempts") or None)
        case "digest_made":
            for who, count in data["people"].items():
                found.append((str(who), str(count)))
    return found


def _moment(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))

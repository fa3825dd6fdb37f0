"""How events of deadlines, assignment, activities and quality control are told: a sentence each, and what belongs to it
(Q1-Q8, C4, N19, U).

Pure. Invariants: deadlines, fields and rules are called by their titles in the version the event happened under; of a deadline
it is said why it is this long; of an assignment who could, with their loads, and why not each of the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from contracts import events as e
from contracts.pipeline import Period, Pipeline, Titles
from services.leads.domain.criteria import CONTACT_WORDS
from services.pipelines.condition_words import condition_words
from services.pipelines.robot_words import period_words, robot_titles

if TYPE_CHECKING:
    from services.web.telling import Telling

KINDS: Final = frozenset(
    event.TOPIC.rpartition(".")[2]
    for event in (
        *(e.DeadlineSet, e.DeadlineMet, e.DeadlineAsked, e.DeadlineMissed, e.DeadlineDropped, e.IncidentRaised),
        *(e.LeadAssigned, e.LeadPooled, e.ActivityPlanned, e.ActivityMoved),
        *(e.ReviewOpened, e.ReviewConfirmed, e.ReviewReturned, e.ReviewDropped, e.ClientViewRecorded),
    )
)
"""The last word of the types told here."""
SHOWN_LATE_MS: Final = 60_000
"""From which delay of the check on it is worth saying."""
POOL: Final = "pool"
"""The deadline of a lead that nobody may have (C4)."""
_OTHER_LACKS: Final = {"result": Titles(ru="результат", en="the result")}
Data = Mapping[str, Any]
Details = list[tuple[str, str]]


def told_of_deadlines(
    kind: str, data: Data, pipeline: Pipeline, before: Pipeline | None, tell: Telling
) -> tuple[str, Details]:
    """The sentence of such an event, and label-value pairs to it."""
    words = tell.words
    key = f"event.leadline.lead.{kind}"
    values: dict[str, object] = {}
    if "deadline" in data and kind.startswith("deadline_"):
        values["deadline"] = words.of(robot_titles(str(data["deadline"]), pipeline, before))
    if "activity_kind" in data:
        values["activity"] = words(f"activity.{data['activity_kind']}")
    match kind:
        case "deadline_set":
            key = f"{key}.again" if int(data["turn"]) > 1 else key
            values |= {"due": tell.time(_moment(data["due_at"])), "turn": data["turn"]}
        case "deadline_met" if data.get("result"):
            key = f"{key}.with"
            values["result"] = _result(data, tell, pipeline)
        case "deadline_asked":
            values["lacks"] = ", ".join(lacks_in_words(data["lacks"], tell, pipeline))
        case "deadline_missed":
            values["whose"] = _whose(data, tell)
        case "deadline_dropped":
            values["why"] = words(f"dropped.{data['by']}")
        case "incident_raised":
            values["text"] = data["text"]
        case "assigned":
            values["to"] = data["to"]
        case "activity_moved":
            values |= {
                "previous": _due(data.get("previous"), tell),
                "due": _due(data.get("due_at"), tell),
            }
        case "review_opened":
            stage = pipeline.by_id.get(str(data["status"]))
            values["status"] = words.of(stage.titles) if stage else data["status"]
        case "review_dropped":
            values["why"] = words(f"review_dropped.{data['by']}")
        case "client_view_recorded":
            values |= {name: data[name] for name in ("ease", "time", "comfort")}
    return words(key, **values), list(_details(kind, data, pipeline, tell))


def term_in_words(term: Data, tell: Telling) -> str:
    """A term: «4 рабочих часа»; empty for none."""
    length = {name: term.get(name) or 0 for name in ("months", "days", "hours", "minutes")}
    if not any(length.values()):
        return ""
    return tell.words.of(period_words(Period(**length, working=bool(term.get("working")) and not length["months"])))


def why_so_long(deadline: str, term: Data, clause: str | None, tell: Telling, pipeline: Pipeline) -> str:
    """Why the term is as it is: its length, and the words of the condition by which it was chosen («есть телефон»)."""
    words = tell.words
    length = term_in_words(term, tell)
    stated = pipeline.deadlines_by_id.get(deadline)
    chosen = next((w for w in stated[1].within if w.when == clause), None) if stated else None
    if chosen is not None and chosen.titles is not None:
        why = words.of(chosen.titles)
    elif clause is not None:
        why = words.of(condition_words(clause, pipeline))
    else:
        why = words("otherwise") if stated is not None and len(stated[1].within) > 1 else ""
    return words("why_so_long.of", term=length, why=why) if length and why else length or why


def lacks_in_words(lacks: Iterable[object], tell: Telling, pipeline: Pipeline) -> list[str]:
    """What is asked for, by its title: fields of the card, facts, contact data."""
    return [tell.words.of(lack_titles(str(name), pipeline)) for name in lacks]


def lack_titles(name: str, pipeline: Pipeline) -> Titles:
    """What a field, fact or contact datum is called; its id where the pipeline has no such thing."""
    if name in pipeline.fields_by_id:
        return pipeline.fields_by_id[name].titles
    fact = name.partition(":")[0]
    if fact in pipeline.facts_by_id:
        return pipeline.facts_by_id[fact].titles
    return CONTACT_WORDS.get(name) or _OTHER_LACKS.get(name) or Titles(ru=name, en=name)


def excluded_words(reason: str, tell: Telling) -> str:
    """Why somebody may not have a lead, in words."""
    return tell.words.get(f"excluded.{reason}", reason)


def _whose(data: Data, tell: Telling) -> str:
    cause = str(data.get("cause", "person"))
    if cause == "person" and data.get("responsible"):
        return str(data["responsible"])
    return tell.words(f"cause.{cause}")


def _result(data: Data, tell: Telling, pipeline: Pipeline) -> str:
    stated = pipeline.deadlines_by_id.get(str(data["deadline"]))
    found = next((r for r in stated[1].results if r.id == data["result"]), None) if stated else None
    return tell.words.of(found.titles) if found else str(data["result"])


def _details(kind: str, data: Data, pipeline: Pipeline, tell: Telling) -> Details:
    words = tell.words
    found: Details = []

    def say(label: str, value: object) -> None:
        if value not in (None, "", [], ()):
            found.append((words(label), str(value)))

    match kind:
        case "deadline_set":
            say("begins", words(f"begins.{data['because']}"))
            say("why_so_long", why_so_long(str(data["deadline"]), data["term"], data.get("clause"), tell, pipeline))
            say("calendar", data.get("calendar") or words("plain_time"))
            say("counted_for", data.get("responsible"))
            say("lacks", ", ".join(lacks_in_words(data.get("lacks") or (), tell, pipeline)))
            say("warn_at", _due(data["warn_at"], tell) if data.get("warn_at") else None)
            if data.get("incident") is False:
                say("no_incident", words("no_incident_words"))
        case "deadline_met":
            say("due_at", tell.time(_moment(data["due_at"])))
            say("left_then", tell.span(float(data["left_s"])))
        case "deadline_asked":
            if data.get("result"):
                say("result", _result(data, tell, pipeline))
        case "deadline_missed":
            say("due_at", tell.time(_moment(data["due_at"])))
            say("why_so_long", term_in_words(data["term"], tell))
            say("cause", words(f"cause.{data.get('cause', 'person')}"))
            say("responsible", data.get("responsible"))
            say("lacks", ", ".join(lacks_in_words(data.get("lacks") or (), tell, pipeline)))
            say("turn", data["turn"] if int(data["turn"]) > 1 else None)
            say("running", data["running"] if int(data.get("running") or 0) > 1 else None)
            if int(data.get("late_ms") or 0) >= SHOWN_LATE_MS:
                say("checked_late", tell.span(int(data["late_ms"]) / 1000))
            if data.get("incident") is None:
                say("no_incident", words("no_incident_words"))
        case "incident_raised":
            say("robot", words.of(robot_titles(str(data["robot"]), pipeline)))
            say("responsible", data.get("responsible"))
        case "assigned" | "pooled":
            found += _chosen(data, pipeline, tell)
        case "activity_planned":
            if data.get("deadline"):
                say("of_deadline", words.of(robot_titles(str(data["deadline"]), pipeline)))
            elif data.get("robot"):
                say("robot", words.of(robot_titles(str(data["robot"]), pipeline)))
            else:
                say("reason", words.get(f"event.{data.get('reason')}", str(data.get("reason") or "")))
            say("what", data.get("text"))
            say("due_at", tell.time(_moment(data["due_at"])) if data.get("due_at") else None)
            say("assignee", data.get("assignee"))
            say("remind_at", _due(data["remind_at"], tell) if data.get("remind_at") else None)
            say("every", term_in_words(data["every"], tell) if data.get("every") else None)
            if data.get("key"):
                say("key_action", words("key_action_words"))
        case "activity_moved":
            say("reason", data.get("reason"))
            say("times_moved", data["times"] if int(data["times"]) > 1 else None)
        case "review_opened" | "review_confirmed" | "review_returned":
            say("reason", _reason(data, pipeline, tell))
            say("comment", data.get("comment"))
            say("whose_work", data.get("responsible"))
            if data.get("automatic"):
                say("automatic", words("automatic_words"))
        case "client_view_recorded":
            say("comment", data.get("comment"))
    return found


def _chosen(data: Data, pipeline: Pipeline, tell: Telling) -> Details:
    """N19: why this one, who could with their loads, why not each of the others."""
    words = tell.words
    found: Details = []
    if data.get("reason"):
        found.append((words("why_this_one"), words.get(f"event.{data['reason']}", str(data["reason"]))))
    rules = pipeline.assignment.rules if pipeline.assignment else ()
    rule = next((rule for rule in rules if rule.id == data.get("rule")), None)
    if data.get("rule"):
        found.append((words("assignment_rule"), words.of(rule.titles) if rule else str(data["rule"])))
    loads: Mapping[str, int] = data.get("loads") or {}
    counted = "least_loaded" if data.get("reason") == "least_loaded" else "in_turn"
    if not loads and data.get("candidates"):
        found.append((words("who_could"), ", ".join(map(str, data["candidates"]))))
    elif loads:
        said = [
            words(f"load.{counted}", who=who, n=loads[who]) if who in loads else str(who)
            for who in data.get("candidates") or loads
        ]
        found.append((words("who_could"), "; ".join(said)))
    for who, reason in (data.get("excluded") or {}).items():
        found.append((words("why_not", who=who), excluded_words(str(reason), tell)))
    for label, name in (("previous_responsible", "previous"), ("team_version", "team"), ("comment", "comment")):
        if data.get(name):
            found.append((words(label), str(data[name])))
    return found


def _reason(data: Data, pipeline: Pipeline, tell: Telling) -> str:
    """Of a review: the reason of the status by its title, or the head's own words."""
    stage = pipeline.by_id.get(str(data.get("status")))
    named = stage.reason(str(data["reason"])) if stage and data.get("reason") else None
    return tell.words.of(named.titles) if named else str(data.get("reason") or "")


def _due(value: Any, tell: Telling) -> str:
    return tell.time(_moment(value)) if value else tell.words("due_none")


def _moment(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))

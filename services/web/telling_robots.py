"""How events of robots, triggers and effects are told: a sentence each, and what belongs to it (R6, N4, U).

Pure. Invariants: robots and triggers are called by their titles in the version the event happened under; a skip says the clause
and what was seen, a refusal the rules, in words; what was erased is not shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from contracts import events as e
from contracts.pipeline import Pipeline
from services.leads.domain.rules import RULES
from services.pipelines.condition_words import condition_words, values_words
from services.pipelines.robot_words import SERVICES, robot_titles, template_titles

if TYPE_CHECKING:
    from services.web.telling import Telling

KINDS: Final = frozenset(
    event.TOPIC.rpartition(".")[2]
    for event in (
        *(e.RobotArmed, e.RobotRan, e.RobotSkipped, e.RobotCancelled, e.RobotFailed),
        *(e.EffectRequested, e.EffectDone, e.EffectFailed, e.EffectRepeated, e.EffectBounced),
        *(e.TriggerFired, e.TriggerRefused, e.TagAdded, e.TagRemoved, e.ActivityClosed),
    )
)
"""The last word of the types told here."""
LATE_MS: Final = 1_000
"""From which delay on it is worth saying."""
_RULES: Final = {rule.id: (rule.ru, rule.en) for rule in RULES}
Data = Mapping[str, Any]


def told_of_robots(
    kind: str, data: Data, pipeline: Pipeline, before: Pipeline | None, tell: Telling
) -> tuple[str, list[tuple[str, str]]]:
    """The sentence of such an event, and label-value pairs to it."""
    words, named = tell.words, Named(tell, pipeline, before)
    key = f"event.leadline.lead.{kind}"
    values: dict[str, object] = {"robot": named.robot(data.get("robot"))}
    match kind:
        case "robot_armed":
            values["due"] = tell.time(moment(data["due_at"]))
        case "robot_ran":
            values["did"] = words(f"did.{data['did']}")
        case "robot_skipped":
            values["why"] = named.skipped(data)
        case "robot_cancelled":
            values["why"] = words(f"cancelled.{data['by']}")
        case "robot_failed":
            values["why"] = named.could_not(data)
        case "effect_requested" | "effect_done" | "effect_failed" | "effect_repeated":
            values["what"] = named.effect(data)
            if kind == "effect_done":
                values["done"] = words(f"effect_done.{data['effect_kind']}")
            if kind == "effect_failed":
                values["why"] = named.failed(data["reason"])
        case "effect_bounced":
            kept = "failed" if data.get("given_up") else "delayed"
            key = f"{key}.{'permanent' if data.get('permanent', True) else kept}"
            values["status"] = data.get("status") or "—"
        case "trigger_fired" | "trigger_refused":
            values |= {
                "trigger": named.robot(data["trigger"]),
                "before": named.stage(data.get("from_stage")),
                "stage": named.stage(data["to_stage"]),
            }
            if kind == "trigger_refused":
                values["why"] = named.refused(data)
        case "activity_closed":
            values["activity"] = words(f"activity.{data['activity_kind']}")
        case _:
            values["tag"] = data["tag"]
    return words(key, **values), list(_details(kind, data, named))


class Named:
    """Names and reasons in the reader's language, as they were called in a version of the pipeline."""

    def __init__(self, tell: Telling, pipeline: Pipeline, before: Pipeline | None = None) -> None:
        self.tell, self.pipeline, self.before = tell, pipeline, before
        self.words = tell.words

    def robot(self, robot: object) -> str:
        """A robot or trigger by its title."""
        return self.words.of(robot_titles(str(robot), self.pipeline, self.before))

    def stage(self, stage: object) -> str:
        """A stage by its title."""
        for version in (self.pipeline, self.before):
            if version is not None and stage in version.by_id:
                return self.words.of(version.by_id[str(stage)].titles)
        return str(stage)

    def because(self, data: Data) -> str:
        """From what the instant of an armed robot follows."""
        if data["because"] == "after_robot":
            return self.words("because.after_robot", after=self.robot(data.get("after")))
        return self.words(f"because.{data['because']}")

    def skipped(self, data: Data) -> str:
        """Why a robot did nothing."""
        reason, key = data["reason"], f"skipped.{data['reason']}"
        if reason == "predecessor":
            return self.words(key, predecessor=self.robot(data.get("predecessor")))
        if reason == "contact_refused":
            channel = str(data.get("channel"))
            return self.words(key, channel=self.words.get(f"channel.{channel}", channel))
        if reason == "no_address":
            return self.words.get(f"{key}.{data.get('channel')}", self.words(key))
        return self.words(key)

    def refused(self, data: Data) -> str:
        """Why a trigger moved nobody."""
        if data["reason"] == "other_trigger":
            return self.words("refused.other_trigger", other=self.robot(data.get("other")))
        return self.words(f"refused.{data['reason']}")

    def could_not(self, data: Data) -> str:
        """Why a robot could not."""
        return str((data.get("reason_ru") if self.words.language == "ru" else None) or data["reason"])

    def failed(self, reason: str) -> str:
        """Why an effect could not be carried out."""
        return self.words.get(f"effect_failed.{reason}", reason)

    def effect(self, data: Data) -> str:
        """What goes out: «Письмо «Спасибо»»."""
        kind = str(data["effect_kind"])
        what = self.words.get(f"sent.{kind}.{data.get('action')}", self.words(f"sent.{kind}"))
        name = data.get("audience") or (data.get("service") if kind in ("webhook", "notice") else None)
        if data.get("template"):
            name = self.words.of(template_titles(str(data["template"]), self.pipeline))
        return self.words("sent.of", what=what, template=name) if name else what

    def clause(self, data: Data) -> str | None:
        """A clause that did not hold."""
        return self.words.of(condition_words(str(data["clause"]), self.pipeline)) if data.get("clause") else None

    def seen(self, data: Data) -> str | None:
        """What that clause looked at; None where it is not known any more."""
        values = data.get("values")
        said = values_words(values, self.pipeline) if isinstance(values, Mapping) else None
        return self.words.of(said) if said is not None else None

    def rules(self, data: Data) -> list[str]:
        """Rules in words."""
        return [self.words.said(_RULES.get(str(rule), (str(rule), str(rule)))) for rule in data.get("rules") or ()]

    def late(self, milliseconds: int) -> str:
        """A delay, in its largest unit."""
        if milliseconds < LATE_MS:
            return self.words("milliseconds", n=milliseconds)
        if milliseconds < 60_000:
            return self.words("seconds", n=milliseconds // 1000)
        return self.tell.span(milliseconds / 1000)


def _details(kind: str, data: Data, named: Named) -> list[tuple[str, str]]:
    words = named.words
    found: list[tuple[str, str]] = []

    def say(label: str, value: object) -> None:
        if value not in (None, "", []):
            found.append((words(label), str(value)))

    match kind:
        case "robot_armed":
            say("because", named.because(data))
            say("calendar", data.get("calendar"))
        case "robot_ran" if int(data.get("late_ms", 0)) >= LATE_MS:
            say("late", named.late(int(data["late_ms"])))
        case "robot_skipped" | "trigger_refused":
            say("clause", named.clause(data))
            say("seen_values", named.seen(data))
            for rule in named.rules(data):
                say("overridden", rule)
        case "robot_cancelled":
            say("comment", data.get("comment"))
        case "effect_requested":
            say("robot", named.robot(data["robot"]) if data.get("robot") else None)
            if data["effect_kind"] == "audience":
                say("provider", SERVICES.get(str(data.get("service")), data.get("service")))
            for name in ("email", "phone", "subject", "text"):
                say(name, data.get(name))
        case "effect_done" | "effect_failed":
            say("provider", data.get("provider"))
            say("attempts", data.get("attempts") or None)
            say("matched", data.get("matched"))
            if data.get("doubtful"):
                found.append(
                    (words("outcome"), words(f"effect_doubtful{'_failed' if kind == 'effect_failed' else ''}"))
                )
        case "effect_repeated":
            for name in ("email", "phone"):
                say(name, data.get(name))
        case "activity_closed":
            say("reason", words(f"event.{data['reason']}"))
            say("comment", data.get("comment"))
    return found


def moment(value: Any) -> datetime:
    """An instant of an event's data."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))

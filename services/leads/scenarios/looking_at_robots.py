"""Whether robots, letters and tasks came out as a scenario says (Тогда; R1-R6). Pure.

A look answers None where it is as expected, else the two sides of the difference, as in `looking`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from contracts import events as e
from contracts.personal import known
from services.leads.scenarios.doing import StepError
from services.leads.scenarios.naming import Names, same
from services.leads.scenarios.play import Play
from services.leads.scenarios.script import Step
from services.leads.scenarios.texts import say
from services.leads.scenarios.times import moment_of

Difference = tuple[str, str]
CLOSED: Final = (e.RobotRan, e.RobotSkipped, e.RobotCancelled, e.RobotFailed)


def became_of(robot: str, play: Play) -> e.RobotEvent | None:
    """What became of a robot last; None: nothing yet."""
    told = (entry.happened for entry in reversed(play.story))
    return next((event for event in told if isinstance(event, e.RobotEvent) and event.robot == robot), None)


def in_words(event: e.Event | None, names: Names) -> str:
    """What became of a robot, in words."""
    match event:
        case e.RobotArmed():
            return say(names.language, "robot_waits", moment=shown(event.due_at))
        case e.RobotRan():
            return say(names.language, "robot_ran")
        case e.RobotSkipped():
            return say(names.language, "robot_skipped", why=why(event, names))
        case e.RobotCancelled():
            return say(names.language, "robot_cancelled", by=say(names.language, f"cancelled.{event.by}"))
        case e.RobotFailed():
            in_russian = event.reason_ru if names.language == "ru" else None
            return say(names.language, "robot_failed", why=in_russian or event.reason)
    return say(names.language, "robot_nothing")


def why(event: e.RobotSkipped, names: Names) -> str:
    """Why a robot was skipped, in words."""
    said = say(names.language, f"skipped.{event.reason}")
    more = event.clause or ", ".join(event.rules) or event.predecessor or event.channel
    return f"{said} ({more})" if more else said


def shown(moment: datetime) -> str:
    """A moment as scenarios write it."""
    return f"{moment:%d.%m.%Y %H:%M}"


def _robot(kind: type[e.RobotEvent]) -> Callable[[Step, Play, Names], Difference | None]:
    def look(step: Step, play: Play, names: Names) -> Difference | None:
        found = became_of(names.robot(step.gaps["robot"]).id, play)
        fits = isinstance(found, kind)
        if isinstance(found, e.RobotSkipped) and fits and "why" in step.gaps:
            fits = same(step.gaps["why"]) in same(why(found, names))
        if isinstance(found, e.RobotArmed) and fits and "moment" in step.gaps:
            fits = is_moment(step.gaps["moment"], found.due_at, names)
        return None if fits else (step.text, in_words(found, names))

    return look


def _not_yet(step: Step, play: Play, names: Names) -> Difference | None:
    found = became_of(names.robot(step.gaps["robot"]).id, play)
    return (step.text, in_words(found, names)) if isinstance(found, CLOSED) else None


def _sent(kind: str) -> Callable[[Step, Play, Names], Difference | None]:
    def look(step: Step, play: Play, names: Names) -> Difference | None:
        robot = names.robot(step.gaps["robot"]).id
        if any(sent.robot == robot and sent.effect_kind == kind for sent in requested(play)):
            return None
        return step.text, in_words(became_of(robot, play), names)

    return look


def requested(play: Play) -> list[e.EffectRequested]:
    """What was requested of the outside for the client, in order."""
    found = [entry.happened for entry in play.story if isinstance(entry.happened, e.EffectRequested)]
    return [event for event in found if event.effect_kind != "notice"]


def _letter(state: str) -> Callable[[Step, Play, Names], Difference | None]:
    def look(step: Step, play: Play, names: Names) -> Difference | None:
        letters = [sent for sent in requested(play) if sent.effect_kind == "email"]
        if not letters:
            return step.text, say(names.language, "no_letter")
        came = play.there().automation.effects[letters[-1].effect].state
        return None if came == state else (step.text, say(names.language, f"letter.{came}"))

    return look


def _says(kind: str) -> Callable[[Step, Play, Names], Difference | None]:
    def look(step: Step, play: Play, names: Names) -> Difference | None:
        sent = [event for event in requested(play) if event.effect_kind == kind]
        if not sent:
            return step.text, say(names.language, "no_letter" if kind == "email" else "no_sms")
        text = " ".join(filter(None, (known(sent[-1].subject), known(sent[-1].text))))
        return None if same(step.gaps["words"]) in same(text) else (step.text, text.strip())

    return look


def _audience(*, inside: bool) -> Callable[[Step, Play, Names], Difference | None]:
    def look(step: Step, play: Play, names: Names) -> Difference | None:
        last: dict[str, str] = {}
        for event in requested(play):
            if event.effect_kind == "audience" and event.audience is not None and event.action is not None:
                last[event.audience] = event.action
        there = [name for name, action in last.items() if action == "add"]
        if any(same(name) == same(step.gaps["audience"]) for name in there) is inside:
            return None
        return step.text, say(names.language, "audiences", what=", ".join(there) or "—")

    return look


def _nothing_sent(step: Step, play: Play, names: Names) -> Difference | None:
    sent = [event for event in requested(play) if event.action != "remove"]
    if not sent:
        return None
    listed = ", ".join(names.robot_title(event.robot) if event.robot else event.effect_kind for event in sent)
    return step.text, say(names.language, "was_sent", what=listed)


def _planned_for(step: Step, play: Play, names: Names) -> Difference | None:
    waiting = [
        a for a in play.there().activities.values() if a.done_at is None and _called(step, a.kind, a.text, names)
    ]
    if any(a.due_at is not None and is_moment(step.gaps["moment"], a.due_at, names) for a in waiting):
        return None
    dues = ", ".join(shown(a.due_at) if a.due_at else "—" for a in waiting)
    return step.text, say(names.language, "due", what=dues) if waiting else say(names.language, "no_activities")


def _not_planned(step: Step, play: Play, names: Names) -> Difference | None:
    there = any(a.done_at is None and _called(step, a.kind, a.text, names) for a in play.there().activities.values())
    return (step.text, say(names.language, "activity_is_there")) if there else None


def _called(step: Step, kind: str, text: str | None, names: Names) -> bool:
    return same(step.gaps["activity"]) in (same(say(names.language, f"activity.{kind}")), same(text or ""))


def is_moment(text: str, moment: datetime, names: Names) -> bool:
    """Whether a moment is the one that was written, to the minute, or on that day where no time was. Raises StepError."""
    wanted = moment_of(text)
    if wanted is None:
        raise StepError(say(names.language, "no_moment", text=text))
    if not wanted[1]:
        return moment.date() == wanted[0].date()
    return moment.replace(second=0, microsecond=0) == wanted[0]


LOOKS: Final[dict[str, Callable[[Step, Play, Names], Difference | None]]] = {
    "robot_sent_letter": _sent("email"),
    "robot_sent_sms": _sent("sms"),
    "robot_not_yet": _not_yet,
    "robot_ran": _robot(e.RobotRan),
    "robot_skipped": _robot(e.RobotSkipped),
    "robot_cancelled": _robot(e.RobotCancelled),
    "robot_waits": _robot(e.RobotArmed),
    "letter_accepted": _letter("done"),
    "letter_waits": _letter("requested"),
    "letter_failed": _letter("failed"),
    "letter_says": _says("email"),
    "sms_says": _says("sms"),
    "in_audience": _audience(inside=True),
    "not_in_audience": _audience(inside=False),
    "nothing_sent": _nothing_sent,
    "planned_for": _planned_for,
    "not_planned": _not_planned,
}

"""A lead's story in words of its pipeline, for a scenario that failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from contracts import events as e
from contracts.commands import Refusal
from contracts.personal import known
from services.leads.scenarios.looking_at_deadlines import TURN
from services.leads.scenarios.looking_at_deadlines import in_words as of_deadline
from services.leads.scenarios.looking_at_robots import in_words
from services.leads.scenarios.naming import Names
from services.leads.scenarios.play import Entry, Play
from services.leads.scenarios.texts import say


def story(play: Play, names: Names) -> tuple[str, ...]:
    """Each event of the lead, and each refusal, in a line with its time."""
    return tuple(
        f"{entry.at:%d.%m.%Y %H:%M}  {_who(entry)}{text}" for entry in play.story if (text := _told(entry, names))
    )


def _who(entry: Entry) -> str:
    return f"{entry.actor.id}: "


def _told(entry: Entry, names: Names) -> str:
    if isinstance(entry.happened, Refusal):
        why = entry.happened.ru if names.language == "ru" else entry.happened.en
        return say(names.language, "story.refused", why=why)
    tell = _TELL.get(type(entry.happened))
    return tell(entry.happened, names) if tell else entry.happened.TOPIC.rpartition(".")[2].replace("_", " ")


def _entered(event: e.StageEntered, names: Names) -> str:
    stage = names.stage_title(event.stage)
    if event.from_stage is None:
        return say(names.language, "story.first", stage=stage)
    cause, before = say(names.language, f"cause.{event.cause}"), names.stage_title(event.from_stage)
    return say(names.language, "story.stage", before=before, stage=stage, cause=cause)


def _card(event: e.CardRecorded, names: Names) -> str:
    values = known(event.values) or {}
    what = "; ".join(f"{names.field_title(name)}: {names.shown(name, value)}" for name, value in values.items())
    return say(names.language, "story.card", what=what)


def _offer(event: e.OfferMade, names: Names) -> str:
    price = f"{event.price.amount} {event.price.currency}"
    days = say(names.language, "days", n=event.delivery_days) if event.delivery_days is not None else ""
    delivery = days or f"{event.delivery_date:%d.%m.%Y}"
    return say(names.language, "story.offer", volume=known(event.volume), price=price, delivery=delivery)


def _fact(name: str, value: str | None, names: Names) -> str:
    fact = names.pipeline.facts_by_id.get(name)
    title = names.title(fact.titles) if fact else name
    option = fact.option(value) if fact else None
    if value is None:
        return say(names.language, "story.fact", fact=title)
    return say(names.language, "story.fact_value", fact=title, value=names.title(option.titles) if option else value)


def _rejected(event: e.LeadRejected, names: Names) -> str:
    stage = names.pipeline.by_id.get(event.status)
    reason = stage.reason(event.reason) if stage else None
    return say(
        names.language,
        "story.rejected",
        status=names.stage_title(event.status),
        reason=f": {names.title(reason.titles)}" if reason else "",
        outcome=say(names.language, f"outcome.{event.outcome}"),
    )


def _activity(key: str) -> Callable[[Any, Names], str]:
    return lambda event, names: say(names.language, key, what=say(names.language, f"activity.{event.activity_kind}"))


def _moved(event: e.ActivityMoved, names: Names) -> str:
    what = say(names.language, f"activity.{event.activity_kind}")
    due = f"{event.due_at:%d.%m.%Y %H:%M}" if event.due_at is not None else say(names.language, "empty")
    return say(names.language, "story.moved", what=what, due=due)


def _plain(key: str) -> Callable[[Any, Names], str]:
    return lambda event, names: say(names.language, key)


def _robot(event: e.RobotEvent, names: Names) -> str:
    return say(names.language, "story.robot", robot=names.robot_title(event.robot), what=in_words(event, names))


def _deadline(event: e.DeadlineSet, names: Names) -> str:
    deadline = names.robot_title(event.deadline)
    return say(names.language, "story.deadline", deadline=deadline, what=of_deadline(event, names))


def _effect(key: str) -> Callable[[Any, Names], str]:
    return lambda event, names: say(names.language, key, what=say(names.language, f"effect.{event.effect_kind}"))


def _trigger(event: e.TriggerFired, names: Names) -> str:
    triggers = {trigger.id: trigger for stage in names.pipeline.stages for trigger in stage.triggers}
    return say(names.language, "story.trigger", trigger=names.title(triggers[event.trigger].titles))


_TELL: Final[dict[type[e.Event], Callable[[Any, Names], str]]] = {
    e.LeadCaptured: lambda event, names: say(names.language, "story.captured", source=event.source),
    e.StageEntered: _entered,
    e.LeadSeen: _plain("story.seen"),
    e.LeadAccepted: _plain("story.accepted"),
    e.LeadAssigned: lambda event, names: say(names.language, "story.assigned", to=event.to),
    e.LeadPooled: _plain("story.pooled"),
    e.CardRecorded: _card,
    e.OfferMade: _offer,
    e.AnswerReceived: lambda event, names: say(names.language, f"story.answer.{event.answer}"),
    e.LeadRejected: _rejected,
    e.LeadPaused: lambda event, names: say(
        names.language, "story.paused", until=f"{event.until:%d.%m.%Y}", reason=known(event.reason)
    ),
    e.LeadConverted: _plain("story.converted"),
    e.LeadReopened: lambda event, names: say(
        names.language, "story.reopened", reason=f": {known(event.reason)}" if known(event.reason) else ""
    ),
    e.InboundJoined: lambda event, names: say(names.language, "story.inbound", source=event.source),
    e.CallRecorded: _plain("story.call"),
    e.LetterReceived: _plain("story.letter"),
    e.CallHeld: lambda event, names: _fact("call_held", event.result, names),
    e.MeetingHeld: lambda event, names: _fact("meeting_held", event.result, names),
    e.FactEstablished: lambda event, names: _fact(event.fact, event.value, names),
    e.FactWithdrawn: lambda event, names: say(names.language, "story.withdrawn", fact=names.field_title(event.fact)),
    e.ApprovalGiven: lambda event, names: say(names.language, f"story.approval.{event.decision}"),
    e.DocumentSent: lambda event, names: say(names.language, "story.sent", what=event.document),
    e.FileAttached: lambda event, names: say(names.language, "story.attached", what=known(event.name)),
    e.ActivityPlanned: _activity("story.planned"),
    e.ActivityDone: _activity("story.done"),
    e.ActivityClosed: _activity("story.closed"),
    e.ActivityMoved: _moved,
    e.ReviewOpened: _plain("story.review_opened"),
    e.ReviewConfirmed: _plain("story.review_confirmed"),
    e.ReviewReturned: lambda event, names: say(
        names.language, "story.review_returned", reason=known(event.reason) or "—"
    ),
    e.ReviewDropped: _plain("story.review_dropped"),
    e.ClientViewRecorded: lambda event, names: say(
        names.language, "story.client_view", ease=event.ease, time=event.time, comfort=event.comfort
    ),
    e.RobotArmed: _robot,
    e.RobotRan: _robot,
    e.RobotSkipped: _robot,
    e.RobotCancelled: _robot,
    e.RobotFailed: _robot,
    e.EffectRequested: _effect("story.requested"),
    e.EffectDone: _effect("story.delivered"),
    e.TriggerFired: _trigger,
    **dict.fromkeys(TURN, _deadline),
}
"""How each event is told; one that is not here is told by its type's last word."""

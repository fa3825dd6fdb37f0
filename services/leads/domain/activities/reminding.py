"""A reminder whose instant has come: whoever is to do the activity is told, once (S4). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import uuid5

from contracts import events as e
from services.leads.domain.activities.following import reminded_of
from services.leads.domain.activities.standing import Activity
from services.leads.domain.robots.instants import Times

if TYPE_CHECKING:
    from services.leads.domain.robots.firing import Firing

_KIND: Final = {
    "call": ("звонок", "a call"),
    "meeting": ("встреча", "a meeting"),
    "letter": ("письмо", "a letter"),
    "task": ("задача", "a task"),
}


def remind(firing: Firing) -> Iterator[e.Event]:
    """A notice to whoever is to do it, else to the head; none where the activity is over."""
    found = reminded_of(firing.state, firing.armed.timer)
    if found is None or not found[1].is_open:
        yield firing.cancelled("over")
        return
    around, activity = firing.around, found[1]
    who = activity.assignee or firing.state.responsible or around.head
    if who is None:
        yield firing.skipped({"reason": "no_address", "channel": "email"})
        return
    effect = uuid5(firing.armed.timer, "effect")
    yield e.EffectRequested(
        effect=effect,
        effect_kind="notice",
        service=who,
        language=around.language,
        text=words(activity, around.times, around.language),
    )
    yield firing.ran("warn", effect=effect, activity=found[0])


def words(activity: Activity, times: Times, language: str) -> str:
    """What the reminder says: what is to be done, and by when on the team's clock."""
    ru, en = _KIND[activity.kind]
    due_at = activity.due_at
    if language == "ru":
        what = f"Напоминание: {ru}" + (f" «{activity.text}»" if activity.text else "")
        return what + (f", срок {_at(due_at, times, '%d.%m.%Y %H:%M')}" if due_at is not None else "")
    what = f"A reminder: {en}" + (f" “{activity.text}”" if activity.text else "")
    return what + (f", due {_at(due_at, times, '%d %B %Y %H:%M')}" if due_at is not None else "")


def _at(moment: datetime, times: Times, form: str) -> str:
    return times.calendar.local(moment).strftime(form)

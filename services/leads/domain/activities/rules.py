"""Rules of activities, one function each: what does not hold, in words, or None (S4, C7, Q7).

Pure. Which rules there are, in which order, and why, stands in `services.leads.domain.rules`.
"""

from __future__ import annotations

from contracts import commands as c
from services.leads.domain.activities.standing import Activity
from services.leads.domain.case import Broken, Case, body_of


def _named(case: Case) -> Activity | None:
    """The activity that a command is about, where the lead has it."""
    body = body_of(case)
    if isinstance(body, c.Complete | c.Replan | c.CloseActivity):
        return case.state.activities.get(body.activity)
    return None


def known_assignee(case: Case) -> Broken | None:
    body = body_of(case)
    if isinstance(body, c.Plan) and body.assignee and case.responsibles and body.assignee not in case.responsibles:
        names = ", ".join(case.responsibles)
        return Broken(f"Нет такого исполнителя. Есть: {names}.", f"No such assignee. There are: {names}.")
    return None


def due_ahead(case: Case) -> Broken | None:
    body = body_of(case)
    if isinstance(body, c.Plan | c.Replan) and body.due_at and case.happened_at and body.due_at <= case.happened_at:
        return Broken("Срок дела должен быть в будущем.", "An activity is due in the future.")
    return None


def reminder_between(case: Case) -> Broken | None:
    body = body_of(case)
    if not isinstance(body, c.Plan) or body.remind_at is None:
        return None
    if case.happened_at is not None and body.remind_at <= case.happened_at:
        return Broken("Напоминание должно быть в будущем.", "A reminder lies in the future.")
    if body.due_at is not None and body.remind_at > body.due_at:
        return Broken(
            "Напоминают не позже срока дела: перенесите напоминание раньше.",
            "A reminder comes no later than the activity is due: let it come earlier.",
        )
    return None


def known_activity(case: Case) -> Broken | None:
    if _named(case) is not None:
        return None
    return Broken(
        "У ⟨лида нет такого дела. Откройте лид|сделки нет такого дела. Откройте сделку⟩ ещё раз.",
        "The ⟨lead|deal⟩ has no such activity. Open it again.",
    )


def still_open(case: Case) -> Broken | None:
    body, activity = body_of(case), _named(case)
    if activity is None or activity.is_open:
        return None
    if activity.closed:
        if isinstance(body, c.CloseActivity):
            return None  # nothing changes
        return Broken(
            "Дело закрыто: его делать уже не нужно. Если нужно, запланируйте новое.",
            "The activity is closed: nobody needs to do it. Plan a new one if somebody does.",
        )
    if isinstance(body, c.Complete):
        return None  # nothing changes
    return Broken(
        "Дело уже сделано. Если нужно ещё раз, запланируйте новое.",
        "The activity is done already. Plan a new one if it is needed again.",
    )


def of_a_deadline(case: Case) -> Broken | None:
    activity = _named(case)
    if activity is None or activity.deadline is None:
        return None
    return Broken(
        "Срок этого дела задаёт регламент стадии: его не переносят и не закрывают, а выполняют.",
        "The stage's deadline says when this is due: it is done, neither moved nor closed.",
    )


def key_action_by_head(case: Case) -> Broken | None:
    body, activity = body_of(case), _named(case)
    if not isinstance(body, c.Replan | c.CloseActivity) or activity is None or not activity.key:
        return None
    turn = case.state.deadlines.turn_of(body.activity)
    if turn is None or (case.happened_at is not None and turn.due_at < case.happened_at):
        return None  # it was missed, and that stands
    if isinstance(body, c.Replan) and body.due_at is not None and body.due_at <= turn.due_at:
        return None
    if case.actor is None or case.actor.kind != "person" or case.actor.role != "head":
        return Broken(
            "Это ключевое дело: его срок продлевает и само дело снимает руководитель, с причиной. Раньше срока его "
            "переносит каждый. Сделайте его в срок или попросите руководителя.",
            "This is a key action: a head moves it to a later instant, or closes it, with a reason; anyone moves it to "
            "an earlier one. Do it in time, or ask the head.",
        )
    if body.reason is None:
        return Broken(
            "Скажите, почему срок ключевого дела другой или оно не нужно: причину увидят в истории лида.",
            "Say why the key action is due later, or not needed: the lead's history shows the reason.",
        )
    return None


def key_action_is_due(case: Case) -> Broken | None:
    body, activity = body_of(case), _named(case)
    if isinstance(body, c.Replan) and body.due_at is None and activity is not None and activity.key:
        return Broken(
            "У ключевого дела есть срок. Назовите новый срок или закройте дело.",
            "A key action is due at an instant. Give a new one, or close the activity.",
        )
    return None


def recurring_is_due(case: Case) -> Broken | None:
    body, activity = body_of(case), _named(case)
    if isinstance(body, c.Replan) and body.due_at is None and activity is not None and activity.every is not None:
        return Broken(
            "Дело повторяется, поэтому срок ему нужен. Назовите новый срок или закройте дело.",
            "The activity recurs, so it needs an instant. Give a new one, or close the activity.",
        )
    return None

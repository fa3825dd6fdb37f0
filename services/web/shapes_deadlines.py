"""What the API answers about a lead's deadlines, and how it is made from their account (Q7, M5).

Invariants: everything follows from the lead's events and the calendar in force; `ru` and `en` say the same in words, with
instants in the team's zone.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from contracts import events as e
from contracts.pipeline import Pipeline, Titles
from contracts.recorded import Recorded
from services.leads.domain.deadlines.account import Account, Due, Turn, account
from services.leads.domain.robots.instants import Times
from services.leads.domain.state import LeadState
from services.pipelines.robot_words import robot_titles
from services.subject import spoken
from services.web.telling_deadlines import lack_titles

_CAUSES: Final = {
    "person": ("не сделано ответственным", "the responsible did not do it"),
    "robot_failed": ("не сработал робот", "a robot failed"),
    "delivery_failed": ("не ушло письмо", "a letter did not go out"),
    "assigned_late": ("⟨лид передан|сделка передана⟩ поздно", "the ⟨lead|deal⟩ was given too late"),
    "absent": ("ответственный отсутствовал", "the responsible was away"),
    "outside_hours": ("нерабочее время", "outside working hours"),
    "nobody_responsible": ("ответственного не было", "nobody was responsible"),
    "left": ("сотрудник ушёл", "the person had left"),
}
_DROPPED: Final = {
    "left_stage": ("⟨лид ушёл|сделка ушла⟩ со стадии", "the ⟨lead|deal⟩ left the stage"),
    "lead_closed": ("⟨лид закрыт или отложен|сделка закрыта или отложена⟩", "the ⟨lead|deal⟩ is closed or put off"),
    "undone": ("переход отменён как ошибка", "the move was a mistake"),
    "adopted": ("новая версия воронки без него", "the new version of the pipeline is without it"),
    "merged": ("лид объединён с другим", "the lead was merged into another"),
    "erased": ("данные клиента удалены", "the person was erased"),
    "by_hand": ("дело больше не нужно", "the activity is not needed any more"),
    "retimed": ("назначено другое время", "it has another instant"),
    "archived": ("воронка в архиве", "the pipeline is archived"),
}


class DeadlineOut(BaseModel):
    """A turn of a deadline. due: open; `left_s`: seconds to its end in the time it is counted in, below 0 overdue; `lacks`: what
    it lacks now, or lacked then."""

    deadline: str
    titles: Titles
    outcome: Literal["due", "met", "asked", "missed", "dropped"]
    stage: str
    visit: int
    turn: int
    timer: UUID
    begun_at: datetime
    due_at: datetime
    calendar: str | None
    responsible: str | None
    because: str
    clause: str | None
    activity: UUID | None
    incident: UUID | None = None
    cause: str | None = None
    result: str | None = None
    closed_at: datetime | None = None
    left_s: int | None = None
    lacks: list[str] = []
    ru: str
    en: str


def deadlines_out(
    history: Iterable[Recorded], state: LeadState, pipeline: Pipeline, times: Times, zone: ZoneInfo
) -> list[DeadlineOut]:
    """The deadlines of a lead: what is due first, then those that are over, the last one first."""
    found: Account = account(history, state, pipeline, times)
    over = [turn for turn in found.turns if turn.closed is not None]
    told = [*(_due(one, pipeline, zone) for one in found.due), *(_over(t, pipeline, zone) for t in reversed(over))]
    for one in told:
        one.ru, one.en = (spoken(text, of_deal=state.deal_of is not None) for text in (one.ru, one.en))
    return told


def _due(due: Due, pipeline: Pipeline, zone: ZoneInfo) -> DeadlineOut:
    at, left = f"{due.turn.set.due_at.astimezone(zone):%d.%m.%Y %H:%M}", abs(due.left)
    ru = f"до {at}, {'просрочен на' if due.overdue else 'осталось'} {_length(left, 'ru')} ({due.why.ru})"
    en = f"due {at}, {'overdue by' if due.overdue else 'left'} {_length(left, 'en')} ({due.why.en})"
    if due.lacks:
        ru += f"; не хватает: {', '.join(lack.ru for lack in due.lacks)}"
        en += f"; missing: {', '.join(lack.en for lack in due.lacks)}"
    ru, en = f"{ru}; если нет — {due.missed.ru}", f"{en}; if not, {due.missed.en}"
    return _out(
        due.turn,
        pipeline,
        outcome="due",
        responsible=due.responsible,
        left_s=int(due.left.total_seconds()),
        lacks=[lack.id for lack in due.lacks],
        ru=ru,
        en=en,
    )


def _over(turn: Turn, pipeline: Pipeline, zone: ZoneInfo) -> DeadlineOut:
    closed, at = turn.closed, f"{turn.set.due_at.astimezone(zone):%d.%m.%Y %H:%M}"
    match closed:
        case e.DeadlineMet():
            result = f": {closed.result}" if closed.result else ""
            left = timedelta(seconds=closed.left_s)
            ru = f"выполнен{result}, оставалось {_length(left, 'ru')} до {at}"
            en = f"met{result}, with {_length(left, 'en')} left until {at}"
            return _out(turn, pipeline, outcome="met", result=closed.result, ru=ru, en=en)
        case e.DeadlineAsked():
            ru, en = (
                f"спрошен снова, не хватало: {', '.join(lack_titles(lack, pipeline).ru for lack in closed.lacks)}",
                f"asked again, missing: {', '.join(lack_titles(lack, pipeline).en for lack in closed.lacks)}",
            )
            return _out(turn, pipeline, outcome="asked", lacks=list(closed.lacks), result=closed.result, ru=ru, en=en)
        case e.DeadlineMissed():
            cause = _CAUSES[closed.cause]
            who = closed.responsible or "—"
            return _out(
                turn,
                pipeline,
                outcome="missed",
                responsible=closed.responsible,
                incident=closed.incident,
                cause=closed.cause,
                lacks=list(closed.lacks),
                ru=f"пропущен {at}, {who}: {cause[0]}",
                en=f"missed {at}, {who}: {cause[1]}",
            )
        case _:
            why = _DROPPED[closed.by] if isinstance(closed, e.DeadlineDropped) else ("—", "—")
            return _out(turn, pipeline, outcome="dropped", ru=f"снят: {why[0]}", en=f"not needed any more: {why[1]}")


def _out(turn: Turn, pipeline: Pipeline, **more: object) -> DeadlineOut:
    event = turn.set
    told = {
        "deadline": event.deadline,
        "titles": robot_titles(event.deadline, pipeline),
        "stage": turn.stage,
        "visit": event.visit,
        "turn": event.turn,
        "timer": event.timer,
        "begun_at": event.begun_at,
        "due_at": event.due_at,
        "calendar": event.calendar,
        "responsible": event.responsible,
        "because": event.because,
        "clause": event.clause,
        "activity": event.activity,
        "closed_at": turn.closed_at,
    }
    return DeadlineOut.model_validate({**told, **more})


def _length(left: timedelta, language: Literal["ru", "en"]) -> str:
    """A length of time in hours and minutes."""
    minutes = int(left.total_seconds()) // 60
    hours, rest = divmod(minutes, 60)
    return f"{hours} ч {rest} мин" if language == "ru" else f"{hours} h {rest} min"

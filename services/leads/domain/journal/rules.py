"""The rules of the incident journal: who may do what with it, and when (Q6, Q11, N20). `docs/rules.md` is made from `RULES`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from contracts.commands import Refusal


@dataclass(frozen=True, slots=True)
class JournalRule:
    """A rule: its id, what whoever breaks it is told in both languages, and why it is there."""

    id: str
    ru: str
    en: str
    why: str
    status: Literal[404, 409, 410, 422] = 422


RULES: Final = (
    JournalRule(
        "Q6.known_journal",
        "Такого журнала инцидентов нет.",
        "There is no such incident journal.",
        "A journal is a stream for each employee and quarter; it begins with its first incident.",
        404,
    ),
    JournalRule(
        "Q6.known_incident",
        "В этом журнале такого инцидента нет.",
        "This journal has no such incident.",
        "A word on an incident belongs to the journal that has it.",
        404,
    ),
    JournalRule(
        "Q6.known_escalation",
        "В этом журнале такой эскалации нет.",
        "This journal has no such escalation.",
        "An escalation is dealt with where it was opened.",
        404,
    ),
    JournalRule(
        "Q6.known_notice",
        "В этом журнале такого уведомления нет.",
        "This journal has no such notice.",
        "What became of a notice is recorded where it was requested.",
        404,
    ),
    JournalRule(
        "Q6.own_journal",
        "Этот журнал — другого сотрудника или другого квартала.",
        "This is the journal of another employee, or of another quarter.",
        "What is recorded goes to the journal of whom it is about, of the quarter it is recorded in or the one before.",
    ),
    JournalRule(
        "Q6.in_ones_own_name",
        "Об инциденте узнаёт и отвечает сам сотрудник.",
        "The employee alone is told of an incident, and takes note of it.",
        "A miss counts when it has reached the person; nobody can say so for them.",
    ),
    JournalRule(
        "Q6.acknowledged_once",
        "Этот инцидент уже отмечен как увиденный.",
        "This incident was taken note of already.",
        "One word for each incident.",
    ),
    JournalRule(
        "Q6.by_the_head",
        "Это решает руководитель.",
        "The head decides this.",
        "Misses are judged by a head, or by the manager of whoever missed.",
    ),
    JournalRule(
        "Q6.not_ones_own",
        "Свой пропуск прощает другой руководитель.",
        "One's own miss is excused by somebody else.",
        "Nobody judges themselves.",
    ),
    JournalRule(
        "Q6.excused_once",
        "Этот инцидент уже прощён.",
        "This incident is excused already.",
        "An excuse stands, with its reason.",
    ),
    JournalRule(
        "Q6.open_escalation",
        "Эта эскалация уже закрыта.",
        "This escalation is closed already.",
        "It is dealt with once; a later miss of the period opens it again.",
    ),
    JournalRule(
        "Q6.only_what_failed",
        "Повторяют только уведомление, которое не ушло.",
        "Only a notice that failed is repeated.",
        "Nobody is told twice.",
    ),
    JournalRule(
        "N20.by_head_or_ops",
        "Пересматривает руководитель или администратор.",
        "A head or an operator restates.",
        "A restated verdict changes reports.",
    ),
    JournalRule(
        "N20.counted_in_a_calendar",
        "Срок этого инцидента посчитан не по календарю: пересматривать нечего.",
        "The term of this incident was counted in no calendar: there is nothing to restate.",
        "Only a wrong calendar makes a verdict wrong that the lead's events do not show.",
    ),
    JournalRule(
        "N20.known_calendar",
        "Такой версии календаря нет.",
        "There is no such version of the calendar.",
        "A verdict is made under a calendar that everyone can look up.",
    ),
    JournalRule(
        "Q11.known_review",
        "В этом журнале такого просмотра карточки нет.",
        "This journal has no such review of a card.",
        "The review belongs to the head who was asked for it.",
        404,
    ),
    JournalRule(
        "Q11.open_review",
        "Этот просмотр карточки уже закончен.",
        "This review of a card is finished already.",
        "It is done once each three months.",
    ),
)
"""The rules of the journal."""

_BY_ID: Final = {rule.id: rule for rule in RULES}


def against(rule_id: str) -> Refusal:
    """The refusal by a rule. Raises KeyError for an unknown id."""
    rule = _BY_ID[rule_id]
    return Refusal(rules=(rule.id,), ru=rule.ru, en=rule.en, status=rule.status)

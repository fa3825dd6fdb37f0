"""Pipelines that the rules about deadlines flag, and such as look alike and are right (Q3, Q4, Q7)."""

from __future__ import annotations

from typing import Any

from contracts.pipeline import Pipeline
from tests.unit.linting.pipelines import LOST, pipeline, stage, titles

FIELD = {"id": "size", "titles": titles("Размеры")}
WHY = {
    "id": "why_poor",
    "titles": titles("Почему"),
    "type": "choice",
    "options": [{"id": "silent", "titles": titles("молчит")}],
}
POOR = {**LOST, "reasons": [{"id": "silent", "titles": titles("молчит")}]}
TASK = {"ru": "Сделать", "en": "Do it"}
HOURS: list[dict[str, Any]] = [{"period": {"hours": 4, "working": True}}]


def deadline(**more: Any) -> dict[str, Any]:
    """A deadline with a task of four working hours."""
    return {"id": "d0", "titles": titles("Срок"), "task": TASK, "within": HOURS, **more}


def of(*deadlines: dict[str, Any], lost: dict[str, Any] = LOST, **more: Any) -> Pipeline:
    """A pipeline whose first stage has these deadlines."""
    first = stage("s0", deadlines=list(deadlines), **more)
    return pipeline(first, stage("s1"), lost, fields=[FIELD, WHY])


def by_contact(phone: int, email: int) -> list[dict[str, Any]]:
    """Terms in working hours, for a phone, for an e-mail alone, for neither."""
    return [
        {"period": {"hours": phone, "working": True}, "when": "has(lead.phone)"},
        {"period": {"hours": email, "working": True}, "when": "has(lead.email)"},
        {"period": {"hours": 8, "working": True}},
    ]


def result(**more: Any) -> dict[str, Any]:
    """A result that stands once the size is known."""
    return {"id": "good", "titles": titles("годен"), "when": "has(card.size)", **more}


FLAGGED_DEADLINES: dict[str, list[Pipeline]] = {
    "Q3.mail_not_longer": [of(deadline(within=by_contact(4, 4))), of(deadline(within=by_contact(8, 2)))],
    "Q7.never_met": [
        of(deadline(done=[{"fact": "task_done", "value": "brief"}])),
        of(deadline(results=[result(when="1 == 2")])),
    ],
    "Q4.result_not_allowed": [of(deadline(results=[result(then={"move": "won"})]), moves=[{"to": "s1"}])],
    "Q4.result_lacks": [
        of(deadline(results=[result(then={"move": "s1"})]), mandatory=["why_poor"]),
        of(deadline(results=[result(then={"reject": "lost", "reason_field": "why_poor"})]), lost=POOR),
    ],
    "Q7.beyond_limit": [of(deadline(), limit={"after": {"hours": 2, "working": True}})],
    "Q7.late_warning": [of(deadline(warn={"hours": 4, "working": True}))],
}
RIGHT_DEADLINES: dict[str, list[Pipeline]] = {
    "Q3.mail_not_longer": [of(deadline(within=by_contact(4, 16))), of(deadline())],
    "Q7.never_met": [of(deadline(done=[{"fact": "seen"}])), of(deadline(results=[result()])), of(deadline())],
    "Q4.result_not_allowed": [
        of(deadline(results=[result(then={"move": "s1"})])),
        of(deadline(results=[result(then={"reject": "lost"})])),
    ],
    "Q4.result_lacks": [
        of(deadline(results=[result(mandatory=True, then={"move": "s1"})]), mandatory=["why_poor"]),
        of(
            deadline(results=[result(needs=["why_poor"], then={"reject": "lost", "reason_field": "why_poor"})]),
            lost=POOR,
        ),
    ],
    "Q7.beyond_limit": [of(deadline(), limit={"after": {"days": 2}}), of(deadline())],
    "Q7.late_warning": [of(deadline(warn={"hours": 1, "working": True}))],
    "S5.idle_stage": [of(deadline(), exit=[{"fact": "seen"}])],
}
"""`S5.idle_stage`: a stage in which something is due is not idle."""

"""Sentences about deadlines and who is responsible, as data (Q1-Q7, C4, docs/howto/deadlines.md)."""

from __future__ import annotations

from typing import Final

from services.leads.scenarios.phrase import Phrase

TO_RESPONSIBLE: Final = (
    Phrase(
        "assign", "when", "передаёт лид сотруднику {to}", "gives the lead to {to}",
        ("передаёт лид сотруднику «boris»", "gives the lead to “boris”"),
    ),
)  # fmt: skip
"""What somebody does about who is responsible."""

OF_DEADLINES: Final = (
    Phrase(
        "deadline_warned", "then", "о сроке {deadline} напомнили", "somebody was reminded of the deadline {deadline}",
        ("о сроке «Квалификация» напомнили", "somebody was reminded of the deadline “Qualification”"),
    ),
    Phrase(
        "deadline_met", "then", "срок {deadline} выполнен[: {result}]", "the deadline {deadline} was met[: {result}]",
        ("срок «Квалификация» выполнен: «лид качественный»", "the deadline “Qualification” was met: “a good lead”"),
    ),
    Phrase(
        "deadline_asked", "then", "срок {deadline} назначен снова[[,] не хватает[:][ {missing*}]]",
        "the deadline {deadline} is set again[[,] missing[:][ {missing*}]]",
        (
            "срок «Квалификация» назначен снова, не хватает: Материал",
            "the deadline “Qualification” is set again, missing: Material",
        ), "items",
    ),
    Phrase(
        "deadline_missed_by", "then", "срок {deadline} пропущен сотрудником {who}[,] причина: {cause*}",
        "the deadline {deadline} was missed by {who}[,] cause: {cause*}",
        (
            "срок «Квалификация» пропущен сотрудником «boris», причина: передан поздно",
            "the deadline “Qualification” was missed by “boris”, cause: given too late",
        ),
    ),
    Phrase(
        "deadline_missed", "then", "срок {deadline} пропущен[[,] не хватает[:][ {missing*}]]",
        "the deadline {deadline} was missed[[,] missing[:][ {missing*}]]",
        ("срок «Квалификация» пропущен, не хватает: результат", "the deadline “Qualification” was missed, missing: the result"),
        "items",
    ),
    Phrase(
        "deadline_misses", "then", "пропусков срока {deadline}: {times*}", "misses of the deadline {deadline}: {times*}",
        ("пропусков срока «Квалификация»: 2", "misses of the deadline “Qualification”: 2"),
    ),
    Phrase(
        "deadline_dropped", "then", "срок {deadline} снят", "the deadline {deadline} is not needed any more",
        ("срок «Квалификация» снят", "the deadline “Qualification” is not needed any more"),
    ),
    Phrase(
        "no_deadline", "then", "срока {deadline} нет", "there is no deadline {deadline}",
        ("срока «Квалификация» нет", "there is no deadline “Qualification”"),
    ),
    Phrase(
        "deadline_due", "then", "срок {deadline} — {moment*}", "the deadline {deadline} is {moment*}",
        ("срок «Квалификация» — 02.03.2026 14:00", "the deadline “Qualification” is 2026-03-02 14:00"),
    ),
)  # fmt: skip
"""What became of deadlines."""

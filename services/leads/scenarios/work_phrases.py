"""Sentences about activities that are moved or closed, the head's review, and the client's view of the card, as data (S4, Q5,
Q11; docs/howto/pipelines.md)."""

from __future__ import annotations

from typing import Final

from services.leads.scenarios.phrase import Phrase

TO_WORK: Final = (
    Phrase(
        "confirm_poor", "when", "подтверждает[,] что лид некачественный", "confirms that the lead is poor",
        ("подтверждает, что лид некачественный", "confirms that the lead is poor"),
    ),
    Phrase(
        "replan", "when", "переносит (дело|задачу) {activity} на {moment*}", "moves the activity {activity} to {moment*}",
        ("переносит дело «уточнить размеры» на 05.03.2026 12:00", "moves the activity “ask for dimensions” to 2026-03-05 12:00"),
    ),
    Phrase(
        "close_activity", "when", "закрывает (дело|задачу) {activity}", "closes the activity {activity}",
        ("закрывает дело «уточнить размеры»", "closes the activity “ask for dimensions”"),
    ),
    Phrase(
        "rate_card", "when", "записывает мнение клиента об анкете: легко {ease*}, время {time*}, удобно {comfort*}",
        "records the client's view of the questions: easy {ease*}, time {time*}, comfort {comfort*}",
        (
            "записывает мнение клиента об анкете: легко 5, время 4, удобно 5",
            "records the client's view of the questions: easy 5, time 4, comfort 5",
        ),
    ),
)  # fmt: skip
"""What somebody does."""

OF_WORK: Final = (
    Phrase(
        "review_waits", "then", "лид ждёт проверки руководителя", "the lead waits for the head's review",
        ("лид ждёт проверки руководителя", "the lead waits for the head's review"),
    ),
    Phrase(
        "review_by_itself", "then", "лид ждёт проверки руководителя[,] некачественным его сделала система",
        "the lead waits for the head's review[,] the system made it poor",
        (
            "лид ждёт проверки руководителя, некачественным его сделала система",
            "the lead waits for the head's review, the system made it poor",
        ),
    ),
    Phrase(
        "review_none", "then", "проверки руководителя лид не ждёт", "the lead waits for no review",
        ("проверки руководителя лид не ждёт", "the lead waits for no review"),
    ),
)  # fmt: skip
"""How it came out."""

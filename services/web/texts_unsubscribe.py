"""Words of the page that ends letters, for the client, not for the people of the company (C7). Part of `texts.TEXTS`."""

from __future__ import annotations

from typing import Final

UNSUBSCRIBE_TEXTS: Final[dict[str, tuple[str, str]]] = {
    "unsubscribe": ("Отписка", "Unsubscribe"),
    "unsubscribe.email": (
        "Больше не присылать вам писем? Это касается всех писем нашей компании.",
        "Shall we send you no more letters? This is about all letters of our company.",
    ),
    "unsubscribe.sms": (
        "Больше не присылать вам SMS? Это касается всех SMS нашей компании.",
        "Shall we send you no more SMS? This is about all SMS of our company.",
    ),
    "unsubscribe_button": ("Отписаться", "Unsubscribe"),
    "unsubscribed.email": ("Записано: писем больше не будет.", "It is recorded: there will be no more letters."),
    "unsubscribed.sms": ("Записано: SMS больше не будет.", "It is recorded: there will be no more SMS."),
}

"""What sort of letter it is: from a person, an automatic answer, of a mailing list; or one that has come round in a circle.

Pure. Invariants: in doubt it is a letter: a lead taken for an automatic answer would be lost to sight. So `auto-generated` alone
(a site's form sent by mail, RFC 3834) is a letter; with the marks of an answer it is none.
"""

from __future__ import annotations

import re

from services.channels.mail.reading.headers import line, message_ids, text_of
from services.channels.mail.reading.mime import Part

MOST_RECEIVED = 50
"""More Received fields than this are a loop (RFC 5321 6.3 asks for at least 100 in a relay; nothing comes to us by so many)."""

_ANSWER_FIELDS = (
    "x-autoreply",
    "x-autorespond",
    "x-autoresponder",
    "x-auto-reply",
    "x-mail-autoreply",
    "x-autoreply-from",
    "x-auto-reply-from",
    "x-ms-exchange-inbox-rules-loop",
    "x-vacation",
    "x-yandex-autoreply",
)
_ANSWER_SUBJECTS = re.compile(
    r"^\s*(?:auto(?:matic)?[ -]?(?:reply|response|answer|responder)|automatische antwort|réponse automatique"
    r"|out[ -]of[ -](?:the )?office"
    r"|(?:i am |i'm )?on vacation|vacation (?:reply|message)|away from (?:my |the )?(?:mail|office|desk)|abwesen(?:d|heit)"
    r"|автоответ(?:чик)?|автоматическ(?:ий|ое) (?:ответ|уведомление|сообщение)|вне офиса|нет на (?:рабочем )?месте|я в отпуске"
    r"|в отпуске|отсутств(?:ую|ие) на рабочем месте)",
    re.IGNORECASE,
)
_BULK = frozenset({"bulk", "list", "junk"})


def is_auto_reply(letter: Part, subject: str, return_path: str | None, *, answers: bool) -> bool:
    """Whether a machine answered. `answers`: the letter names the one it answers (In-Reply-To, References)."""
    submitted = text_of(letter.get("auto-submitted")).partition(";")[0].partition("(")[0].strip().lower()
    precedence = text_of(letter.get("precedence")).lower().replace("-", "_")
    if submitted == "auto-replied" or precedence == "auto_reply":
        return True
    if any(_is_yes(letter, name) for name in _ANSWER_FIELDS):
        return True
    if text_of(letter.get("preference")).lower().replace("-", "_") == "auto_reply":
        return True
    if letter.media_type == "multipart/report":
        return True  # a receipt or a complaint; delivery reports are bounces and were told apart before
    if _ANSWER_SUBJECTS.match(subject):
        return True
    automatic = bool(submitted) and submitted != "no"
    return automatic and (answers or return_path == "" or letter.get("x-auto-response-suppress") is not None)


def _is_yes(letter: Part, name: str) -> bool:
    value = letter.get(name)
    return value is not None and text_of(value).lower() not in ("no", "false", "0", "none", "")


def list_of(letter: Part) -> str | None:
    """The mailing list or bulk mailer a letter came through; None for mail from one to another."""
    if (listed := text_of(letter.get("list-id"))) or (listed := text_of(letter.get("list-post"))):
        return listed
    if letter.get("list-unsubscribe") is not None:
        return text_of(letter.get("list-unsubscribe")) or "list"
    precedence = text_of(letter.get("precedence")).lower()
    return precedence if precedence in _BULK else None


def loop_of(letter: Part, own_domain: str) -> str | None:
    """Why this letter must not be taken: it is our own coming back. `own_domain`: of the Message-IDs we make."""
    if len(letter.get_all("received")) > MOST_RECEIVED:
        return f"it passed more than {MOST_RECEIVED} servers"
    if not own_domain:
        return None
    own = "@" + own_domain.lower()
    if any(found.lower().endswith(own) for found in message_ids(letter.get_all("message-id"))):
        return "its Message-ID is ours"
    if any(own_domain.lower() in line(text_of(value)).lower().split() for value in letter.get_all("x-loop")):
        return "its X-Loop is ours"
    return None

"""What an answer of a mail server means for a letter (RFC 5321 4.2, RFC 3463).

Pure. Invariants: a reason holds the step and the codes, never the server's words, which may repeat the address; 5xx is about
this letter unless it is about our signing in; 421 and what is no answer at all are about the server.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from services.delivery.port import Done, Later, Refused

Step = Literal["greeting", "hello", "tls", "auth", "sender", "recipient", "data", "letter", "answer"]
"""Of a conversation with a mail server. `letter`: its bytes on the way; `answer`: to the whole letter."""

GO_ON = 354
CLOSING = 421
NOT_SIGNED_IN: Final = frozenset({530, 534, 535, 538})
"""RFC 4954: the server wants another way of signing in, or refuses ours; no letter is to blame."""
LONGEST_WAIT = 3600.0

_NAMES: Final[dict[Step, str]] = {"data": "letter", "answer": "letter"}
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?![\d.])")
_QUEUED = re.compile(
    r"(?:queued as|queued on [^\s@]+|\bid=)\s*<?(?=[^\s@]*\d)([A-Za-z0-9._\-]{4,64})(?![A-Za-z0-9._\-@])", re.IGNORECASE
)
_WAIT = re.compile(
    r"(?:\bin|after|wait|retry|for)[:\s]+(\d{1,5})\s*(s|secs?|seconds?|m|mins?|minutes?)\b", re.IGNORECASE
)


def judge(step: Step, code: int, text: str) -> Later | Refused | None:
    """What ends a letter's way at this step; None: it goes on. `text`: the server's, of which only codes are used."""
    if (code == GO_ON) if step == "data" else (200 <= code < 300):
        return None
    if code == CLOSING:
        return Later(_said("server_closing", code, text), after=_wait(text), whole_provider=True)
    if step in ("greeting", "hello", "tls", "auth"):
        return Later(_said(f"{step}_refused", code, text), after=_wait(text), whole_provider=True)
    if code in NOT_SIGNED_IN:
        return Later(_said("auth_refused", code, text), whole_provider=True)
    name = _NAMES.get(step, step)
    if 500 <= code < 600:
        return Refused(_said(f"{name}_refused", code, text))
    if 400 <= code < 500:
        return Later(_said(f"{name}_later", code, text), after=_wait(text))
    return _unexpected(step, code)


def accepted(text: str) -> Done:
    """The letter is the server's now; with its queue id where that stands in the answer and is plainly one."""
    found = _QUEUED.search(text[:1_000])
    return Done(found[1] if found else None)


def no_answer(kind: Literal["timeout", "connection_lost", "unreadable_answer"], step: Step) -> Later:
    """The conversation broke before the end of the letter: nothing was taken."""
    return Later(f"{kind}: {step}", whole_provider=True)


def in_doubt(kind: Literal["timeout", "connection_lost", "unreadable_answer"]) -> Later:
    """The letter was given over whole, and whether it was taken was not heard (RFC 5321 4.5.3.2.6, RFC 1047)."""
    return Later(f"{kind}: answer", in_doubt=True)


def _unexpected(step: Step, code: int) -> Later:
    return Later(
        f"unexpected_answer: {step} {code}" if 0 <= code < 1000 else f"unreadable_answer: {step}", whole_provider=True
    )


def _said(what: str, code: int, text: str) -> str:
    status = _STATUS.match(text)
    return f"{what}: {code}" + (f" {status[0]}" if status else "")


def _wait(text: str) -> float | None:
    """Seconds that the server asks to wait, as greylisting does."""
    found = _WAIT.search(text[:1_000])
    if found is None:
        return None
    return min(LONGEST_WAIT, float(found[1]) * (60.0 if found[2].lower().startswith("m") else 1.0))

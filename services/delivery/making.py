"""From the events of an effect to what an adapter is handed. Pure.

Invariants: only here are the personal values of an effect in hand, for the time of one call; what cannot be sent is said by a
code that holds nothing of them. An address that came with a repeat goes before the one first asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Final, cast, get_args
from uuid import UUID

import orjson

from contracts.events import EffectRepeated, EffectRequested
from contracts.meta import Meta
from contracts.personal import Erased
from services.delivery.domain import Effect
from services.delivery.port import AudienceChange, AudienceService, Call, Letter, ShortMessage

Order = Letter | ShortMessage | AudienceChange | Call

ERASED_REASON: Final = "erased: the person's data was erased before it went out"
NO_ADDRESS: Final = "no_address: there is nowhere to send it"
NO_ADDRESS_OF_OURS: Final = "no_address: LEADLINE_STAFF has no e-mail of theirs; the application shows it"
SUBJECT_CHARACTERS: Final = 100
INCOMPLETE: Final = "incomplete: the request lacks what this way out needs"


@dataclass(frozen=True, slots=True)
class Unsendable:
    """It cannot be sent, ever, as it was asked for."""

    reason: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A notice to somebody without an address: the app shows it, so it is done."""


@dataclass(frozen=True, slots=True)
class Making:
    """What the settings say that goes into an order. `staff`: e-mail addresses of our people by name; `id_domain`: the right side
    of Message-IDs; `unsubscribe`: the way out of marketing letters for the person behind a lead, where there is one."""

    staff: Mapping[str, str]
    id_domain: str
    unsubscribe: Callable[[UUID], str | None]

    def order(
        self, effect: Effect, asked: EffectRequested, again: EffectRepeated | None, meta: Meta
    ) -> Order | Unsendable | Shown:
        """The order for an adapter. `meta`: of the request."""
        values = (asked.email, asked.phone, asked.name, asked.subject, asked.text, asked.html)
        mended = () if again is None else (again.email, again.phone)
        if any(isinstance(value, Erased) for value in (*values, *mended)):
            return Unsendable(ERASED_REASON)
        email = cast("str | None", (again and again.email) or asked.email)
        phone = cast("str | None", (again and again.phone) or asked.phone)
        text = cast("str | None", asked.text)
        match asked.effect_kind:
            case "email":
                return self._letter(effect, asked, meta, email, cast("str | None", asked.name))
            case "notice":
                to = self.staff.get(asked.service or "")
                if to is None:  # of a journal's notice it counts whether it reached the person
                    return Unsendable(NO_ADDRESS_OF_OURS) if meta.kind == "incident" else Shown()
                return self._letter(effect, asked, meta, to, None)
            case "sms":
                if not phone:
                    return Unsendable(NO_ADDRESS)
                return ShortMessage(effect.effect, phone, text) if text else Unsendable(INCOMPLETE)
            case "audience":
                if not (phone or email):
                    return Unsendable(NO_ADDRESS)
                if asked.service not in get_args(AudienceService) or not asked.audience or asked.action is None:
                    return Unsendable(INCOMPLETE)
                service = cast(AudienceService, asked.service)
                return AudienceChange(
                    effect.effect, service, asked.audience, asked.action, phone or None, email or None
                )
            case "webhook":
                if not asked.service:
                    return Unsendable(INCOMPLETE)
                body = call_body(effect, asked, meta) if text is None else text.encode("utf-8", "replace")
                return Call(effect.effect, asked.service, body)

    def _letter(
        self, effect: Effect, asked: EffectRequested, meta: Meta, to: str | None, to_name: str | None
    ) -> Letter | Unsendable:
        if not to:
            return Unsendable(NO_ADDRESS)
        text = cast("str | None", asked.text)
        if not text:
            return Unsendable(INCOMPLETE)
        of_client = asked.effect_kind == "email"
        return Letter(
            effect=effect.effect,
            message_id=asked.message_id or f"<{effect.effect}@{self.id_domain}>",
            to=to,
            to_name=to_name,
            subject=cast("str | None", asked.subject) or ("" if of_client else _first_line(text)),
            text=text,
            html=cast("str | None", asked.html),
            thread=str(effect.stream) if of_client else None,
            unsubscribe=self.unsubscribe(effect.stream) if of_client and asked.marketing else None,
            written_at=meta.recorded_at,
        )


def call_body(effect: Effect, asked: EffectRequested, meta: Meta) -> bytes:
    """What a webhook is told: which robot calls about which lead, nothing personal (docs/howto/webhooks.md). The same at every
    try, as a signature over an id asks for (Standard Webhooks: type, timestamp, data)."""
    told = {
        "type": "leadline.robot.called",
        "timestamp": meta.recorded_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": {
            "effect": str(effect.effect),
            meta.kind: str(effect.stream),
            "robot": asked.robot,
            "visit": asked.visit,
            "pipeline": meta.pipeline,
        },
    }
    return orjson.dumps(told)


def _first_line(text: str) -> str:
    line = text.strip().splitlines()[0] if text.strip() else ""
    return line if len(line) <= SUBJECT_CHARACTERS else line[: SUBJECT_CHARACTERS - 1] + "…"

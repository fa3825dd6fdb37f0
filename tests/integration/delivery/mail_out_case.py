"""What tests of letters out share: a letter, settings, and an adapter that is closed at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.delivery.mail.smtp import SmtpAdapter
from services.delivery.port import Letter, Outcome
from services.ways_out import OutgoingMail
from tests.beside_others import room
from tests.integration.delivery.strict_smtp import STALL, Script

LEAD = UUID("019adf1e-4a00-7000-8000-000000000001")
EFFECT = UUID("019adf1e-4a00-7000-8000-0000000000ee")


def a_letter(**changed: Any) -> Letter:
    """A letter to Anna, in a conversation."""
    given: dict[str, Any] = {
        "effect": EFFECT,
        "message_id": f"<{EFFECT}@id.firma.example>",
        "to": "anna@client.example",
        "to_name": "Анна Каренина",
        "subject": "Пробное занятие в среду",
        "text": "Здравствуйте, Анна!\n.Ждём вас.\n",
        "thread": str(LEAD),
        "written_at": datetime(2026, 11, 26, 9, 0, tzinfo=UTC),
        **changed,
    }
    return Letter(**given)


def mail_out(port: int | None = None, **changed: Any) -> OutgoingMail:
    """Settings for a server on this machine."""
    given: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "from_address": "school@firma.example",
        "from_name": "Школа «Окно»",
        "reply_address": "leads@firma.example",
        "timeout": 30.0,
        "answer_timeout": 30.0,
        **changed,
    }
    return OutgoingMail.model_validate(given)


@asynccontextmanager
async def adapter(port: int, **changed: Any) -> AsyncIterator[SmtpAdapter]:
    """An adapter to the server at this port."""
    arguments = {name: changed.pop(name) for name in ("tls", "monotonic") if name in changed}
    made = SmtpAdapter(mail_out(port, **changed), **arguments)
    try:
        yield made
    finally:
        await made.close()


def limits(script: Script) -> dict[str, float]:
    """How long is waited: little for what the script never does, so that the test is short; else until it is done."""
    silent = script.after_bytes is not None and script.then == STALL
    return {
        "timeout": room(1.0) if silent else 30.0,
        "answer_timeout": room(0.5) if STALL in script.answers.values() else 30.0,
    }


async def sent(port: int, letter: Letter | None = None, **changed: Any) -> Outcome:
    """What becomes of one letter."""
    async with adapter(port, **changed) as out:
        [outcome] = await out.carry_out([letter or a_letter()])
    return outcome

"""What tests of deals share: an English school's lead that wins (C6), and the deal that it becomes."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from contracts.events import RobotEvent
from services.leads.domain.deals import deal_of
from services.leads.domain.state import LeadState
from services.leads.reading import lead_state
from services.privacy.store import KeyRing
from tests.integration.leads_case import Leads

LESSON = {
    "name_check": "confirmed",
    "lesson_date": "2026-12-05",
    "lesson_time": "18:30",
    "lesson_place": "ул. Баумана, 1, кабинет 12",
}
PIPELINE = "trial_lesson"


async def applied(leads: Leads, **said: Any) -> UUID:
    """A new application for a free lesson."""
    lead = uuid4()
    given = {"name": "Анна Смирнова", "phone": "+79161234567", "email": "anna@example.org", **said}
    result = await leads.send(lead, "capture", pipeline="english", **given)
    assert result.outcome == "done", result.refusal
    return lead


async def arranged(leads: Leads, lead: UUID) -> None:
    """The call is held and the lesson agreed on: the lead wins by itself."""
    for name, body in (("hold", {"kind": "call"}), ("record", {"fields": LESSON})):
        result = await leads.send(lead, name, **body)
        assert result.outcome == "done", result.refusal


async def won(leads: Leads, **said: Any) -> tuple[UUID, UUID]:
    """A lead that won, and its deal."""
    lead = await applied(leads, **said)
    await arranged(leads, lead)
    return lead, deal_of(lead, PIPELINE)


async def told(leads: Leads, stream: UUID) -> list[Any]:
    """The events of a lead or deal, without those of its robots."""
    return [recorded for recorded in await leads.history(stream) if not isinstance(recorded.data, RobotEvent)]


async def types(leads: Leads, stream: UUID) -> list[str]:
    """Their types, short."""
    return [recorded.meta.type.rpartition(".")[2] for recorded in await told(leads, stream)]


async def state_of(leads: Leads, stream: UUID) -> LeadState:
    """A lead or a deal as everyone reads it."""
    async with leads.pool.acquire() as database:
        state = await lead_state(database, KeyRing(leads.settings.master_key_bytes), stream)
    assert state is not None, f"nothing stands under {stream}"
    return state

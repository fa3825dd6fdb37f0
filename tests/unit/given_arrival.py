"""Given/when/then for inbound messages: `World` holds people and leads, `.arrives(channel, ...)` recognises a message and folds
what follows back in, so that the next one meets it.

Hashes are plain bytes here: the domain does not look into them. Times are fixed: messages come a minute apart from `THEN` on.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts import events as e
from contracts.meta import Meta
from contracts.personal import Erased
from services.leads.domain.arrivals import Arrival, Known, Owner, Recognised, Reference, Referred
from services.leads.domain.channels import READERS
from services.leads.domain.contact import ContactState, evolve_contact
from services.leads.domain.identities import Identity
from services.leads.domain.recognition import recognise
from services.leads.domain.state import LeadState, evolve_lead
from tests.unit.given_lead import CLASSIC, SELLER

THEN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ANNA, MARIA = "+79161234567", "+79167654321"


class World:
    """People, leads and what messages can be named by, as the store would hold them."""

    def __init__(self) -> None:
        self.owners: dict[bytes, Owner] = {}
        self.contacts: dict[UUID, ContactState] = {}
        self.leads: dict[UUID, LeadState] = {}
        self.referred: dict[bytes, Referred] = {}
        self.count = 0

    def arrives(self, channel: str, account: str = "pbx", /, *, again: UUID | None = None, **body: Any) -> Recognised:
        """A message comes in. `again`: one that came before is run once more."""
        self.count += 1
        reader = READERS[channel]
        made = reader.model.model_validate(body)
        read = reader.read(made, account, "RU")
        arrival = Arrival(
            inbound_id=again or UUID(int=1000 + self.count),
            channel=channel,
            account=account,
            received_at=self.now,
            body=made,  # type: ignore[arg-type]
            said=read.said,
            identities=tuple(Identity(kind, value, f"{kind}:{value}".encode()) for kind, value in read.identities),
            own=tuple(Reference(kind, value, f"{kind}:{value}".encode()) for kind, value in read.own),
            names=tuple(Reference(kind, value, f"{kind}:{value}".encode()) for kind, value in read.names),
        )
        referred = dict(self.referred)
        for reference in arrival.names:
            if reference.kind == "thread" and (lead := self.leads.get(UUID(reference.value))) is not None:
                referred[reference.hmac] = Referred(None, lead.contact, lead.lead)
        open_leads = {lead.contact: lead.lead for lead in self.leads.values() if lead.is_open}
        known = Known(self.owners, self.contacts, open_leads, self.leads, referred)
        found = recognise(arrival, known, CLASSIC, "RU")
        self._fold(arrival, found)
        return found

    @property
    def now(self) -> datetime:
        """When the newest message was received."""
        return THEN + timedelta(minutes=self.count)

    def happens(self, lead: UUID | None, *events: e.Event) -> None:
        """Something else happens to a lead."""
        for event in events:
            state = self.leads.get(lead) if lead else None
            assert state is not None
            self.leads[state.lead] = evolve_lead(state, self._meta(state.lead, state.version + 1, event), event)

    def state_of(self, kind: str, value: str) -> str | None:
        """What is proven of an identity."""
        owner = self.owners.get(f"{kind}:{value}".encode())
        return self.contacts[owner.contact].states.get((kind, value)) if owner else None

    def _fold(self, arrival: Arrival, found: Recognised) -> None:
        if found.contact is not None:
            for event in found.contact_events:
                self._contact_event(found.contact, event)
        for contact, event in found.other_contact_events:
            self._contact_event(contact, event)
        if found.lead is not None:
            for event in (*found.lead_events, *found.ruled):
                state = self.leads.get(found.lead)
                version = state.version + 1 if state else 1
                self.leads[found.lead] = evolve_lead(state, self._meta(found.lead, version, event), event)
        for identity in found.claims:
            assert found.contact is not None
            assert identity.hmac not in self.owners, "an identity has one owner"
            self.owners[identity.hmac] = Owner(found.contact, False)
        for identity in found.share:
            self.owners[identity.hmac] = Owner(self.owners[identity.hmac].contact, True)
        for reference in arrival.own:
            before = self.referred.get(reference.hmac)
            if reference.kind == "line":
                if found.unclear:
                    self.referred[reference.hmac] = Referred(arrival.inbound_id, found.contact, found.lead)
            elif before is None or (before.lead is None and found.lead is not None):
                first = before.inbound_id if before else arrival.inbound_id
                self.referred[reference.hmac] = Referred(first, found.contact, found.lead)

    def _contact_event(self, contact: UUID, event: e.Event) -> None:
        state = self.contacts.get(contact)
        meta = self._meta(contact, state.version + 1 if state else 1, event)
        self.contacts[contact] = evolve_contact(state, meta, event)

    def _person(self, stream: UUID, data: e.Event) -> UUID:
        if isinstance(data, e.LeadCaptured):
            return data.contact
        return self.leads[stream].contact if stream in self.leads else stream

    def _meta(self, stream: UUID, version: int, data: e.Event) -> Meta:
        return Meta(
            stream=stream,
            version=version,
            kind=data.KIND,
            type=data.TOPIC,
            happened_at=self.now,
            recorded_at=self.now,
            actor=SELLER,
            command=stream,
            correlation="test",
            person=self._person(stream, data),
            pipeline="classic@1" if data.KIND == "lead" else None,
        )


def call(number: str = ANNA, **more: Any) -> dict[str, Any]:
    """An inbound call that nobody took."""
    out = more.get("direction") == "out"
    return {
        "call_id": "c1",
        "direction": "in",
        "from": "+74951112233" if out else number,
        "to": number if out else "+74951112233",
        "answered": False,
        "started_at": THEN,
        **more,
    }


def letter(sender: str = "anna@example.org", **more: Any) -> dict[str, Any]:
    """A letter of a client."""
    return {"message_id": "m1@example.org", "sender": sender, "subject": "Столешница", "text": "Добрый день!", **more}


def types(events: list[e.Event]) -> list[str]:
    """Event types, short."""
    return [event.TOPIC.rpartition(".")[2] for event in events]


def outcome(found: Recognised) -> tuple[str, str | None]:
    """The outcome with the code of its reason."""
    return found.outcome, found.reason.partition(":")[0] if found.reason else None


def personal(event: e.Event, name: str) -> Any:
    """A personal value of an event."""
    value = getattr(event, name)
    assert not isinstance(value, Erased)
    return value

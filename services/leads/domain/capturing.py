"""From a lead entered by hand to its events (P7, P10): a person, or a company without one.

Pure. Invariants: whoever is known already is found, and gets no second open lead in the pipeline; what is typed on the card is
read by the same rules as everywhere; nobody sees or accepts by it (S2).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid5

from contracts import commands as c
from contracts import events as e
from contracts.commands import Refusal
from contracts.inbound import FormBody
from contracts.pipeline import Pipeline
from services.leads.domain.arrivals import Arrival, Known, Recognised, Said
from services.leads.domain.case import Case
from services.leads.domain.decide import Surroundings, decide, entered
from services.leads.domain.identities import Identity
from services.leads.domain.inbound_rules import whose
from services.leads.domain.recognition import keep_identities, suspect
from services.leads.domain.rules import refused_by
from services.leads.domain.state import LeadState

CHANNEL = "hand"


def capture(
    command: c.Command,
    body: c.Capture,
    identities: tuple[Identity, ...],
    known: Known,
    pipeline: Pipeline,
    number: int,
    now: datetime,
    around: Surroundings,
) -> Recognised | Refusal:
    """A new lead in the pipeline's first stage, of a known person or a new one; or why there is none."""
    at = command.happened_at or now
    unread = _unreadable(body, identities)
    if unread is not None:
        return unread
    said = Said(body.source, body.name, body.company, body.phone, body.email, body.comment)
    form = FormBody(name=body.name, company=body.company, phone=body.phone, email=body.email)
    arrival = Arrival(command.id, CHANNEL, body.source, at, form, said, identities)
    person = whose(arrival, known)
    mine = person.mine
    contact = mine or uuid5(command.id, "contact")
    lead = command.lead
    blank = LeadState(lead, 0, pipeline.pipeline, number, contact, at)
    other = known.open_leads.get(mine) if mine else None
    refusal = refused_by(Case(blank, pipeline, pipeline.first, command, now), "K6.time_holds")
    if refusal is None and other is not None:
        refusal = refused_by(Case(blank, pipeline, other_open_lead=other), "C3.one_open_lead")
    if refusal is not None:
        return refusal.model_copy(update={"status": 409}) if other is not None else refusal
    found = Recognised("accepted", lead=lead, contact=contact, contact_is_new=mine is None, lead_is_new=True)
    if mine is None:
        found.contact_events.append(e.ContactMade(name=body.name, company=body.company))
    captured = _captured(command, body, contact, identities, pipeline, at)
    found.lead_events += [captured, entered(blank, pipeline.first, "captured", "in")]
    card = _card(blank, command, body, pipeline, now, around)
    if isinstance(card, Refusal):
        return card
    found.lead_events += card
    keep_identities(arrival, known, found)
    suspect(person, known, found)
    return found


def _captured(
    command: c.Command,
    body: c.Capture,
    contact: UUID,
    identities: tuple[Identity, ...],
    pipeline: Pipeline,
    at: datetime,
) -> e.LeadCaptured:
    normal = {identity.kind: identity.value for identity in identities}
    del command
    return e.LeadCaptured(
        pipeline=pipeline.pipeline,
        contact=contact,
        channel=CHANNEL,
        source=body.source,
        received_at=at,
        name=body.name,
        company=body.company,
        phone=normal.get("phone"),
        email=normal.get("email"),
        comment=body.comment,
        recommended_by=body.recommended_by,
    )


def _unreadable(body: c.Capture, identities: tuple[Identity, ...]) -> Refusal | None:
    """A phone or e-mail that cannot be read is told while the person who typed it is still there."""
    read = {identity.kind for identity in identities}
    for name, text in (("phone", body.phone), ("email", body.email)):
        if text and name not in read:
            return Refusal(
                rules=("C3.readable_identity",),
                ru=f"Поле {name}: это не телефон и не e-mail. Примеры: +7 900 123-45-67, name@example.org.",
                en=f"Field {name}: this is no phone or e-mail. Examples: +7 900 123-45-67, name@example.org.",
            )
    return None


def _card(
    blank: LeadState, command: c.Command, body: c.Capture, pipeline: Pipeline, now: datetime, around: Surroundings
) -> tuple[e.Event, ...] | Refusal:
    if not body.card:
        return ()
    stands = replace(blank, stage=pipeline.first.id, visit=1, root=1)
    record = command.model_copy(update={"body": c.Record(fields=dict(body.card)), "expected_version": None})
    return decide(stands, record, pipeline, now, around)

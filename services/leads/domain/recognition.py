"""From an inbound message to its events: a new lead, one more word on an open one, a fact of the person, or nothing (C3, K5).

`services.leads.domain.inbound_rules` say which; this makes what follows, `services.leads.domain.consequences` adds what each
kind of message proves or orders. Pure. Invariants: every arrival has exactly one outcome; an accepted message stands in the
lead's first event, a joined one in exactly one event of its lead (in none when it says nothing new).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID, uuid5

from contracts import events as e
from contracts.inbound import CallBody, MailBody, VisitBody
from contracts.pipeline import Pipeline, Stage
from services.leads.domain.arrivals import Arrival, Known, Owner, Recognised
from services.leads.domain.card import read_value
from services.leads.domain.channels import plain
from services.leads.domain.consequences import CONSEQUENCES, Situation
from services.leads.domain.contact import ContactState
from services.leads.domain.identities import Identity
from services.leads.domain.inbound_rules import FURTHER_REPORT, SAME_CALL, Case, Verdict, Whose, decide, whose
from services.leads.domain.state import LeadState

NAMESPACE = UUID("6b1d3a52-3a5e-5c3f-9a53-0c9d4f1e7a10")
MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+\-]*")
LISTED = 50
"""The most addresses and files of a letter that its event lists; all of them stand in the original (events are 256 KB)."""
UNKNOWN_MEDIA = "application/octet-stream"


def recognise(arrival: Arrival, known: Known, pipeline: Pipeline, region: str) -> Recognised:
    """What becomes of a message, and the events that follow. `region`: of phones written without a country's code."""
    case = Case(arrival, known, whose(arrival, known))
    _, verdict = decide(case)
    found = Recognised(verdict.outcome, verdict.reason, verdict.lead, verdict.contact)
    before = known.leads.get(verdict.lead) if verdict.lead is not None else None
    match verdict.outcome:
        case "joined":
            _join(case, verdict, before, found)
            if before is not None and before.pipeline == pipeline.pipeline and not before.erased:
                found.ruled += from_form(arrival, before.card, pipeline, region)
        case "accepted":
            _capture(case, verdict, pipeline, found)
            found.ruled += from_form(arrival, {}, pipeline, region)
        case "no_lead" if case.earlier("call") is not None:
            found.reason = SAME_CALL
    for consequence in CONSEQUENCES:
        consequence(Situation(case, found, before))
    return found


def _join(case: Case, verdict: Verdict, before: LeadState | None, found: Recognised) -> None:
    arrival = case.arrival
    if verdict.reason is None:
        found.contact = verdict.contact
        if before is not None and (verdict.contact is None or not case.known.same(verdict.contact, before.contact)):
            found.contact = before.contact
        if verdict.reopens is not None and before is not None:
            found.ruled += _reopened(before, verdict.reopens)
        found.lead_events.append(fact_of(arrival, reply=case.answers_ours()) or _joined(arrival))
        keep_identities(arrival, case.known, found)
        if not _is_bounce(arrival):  # the addresses that it names are not its sender's
            suspect(case.whose, case.known, found)
    elif verdict.reason == FURTHER_REPORT:
        assert isinstance(arrival.body, CallBody)
        earlier = before.calls.get(arrival.body.call_id) if before is not None else None
        update = _further(arrival, arrival.body, earlier) if before is not None and not before.erased else None
        if update is None:
            found.reason = SAME_CALL
        else:
            found.lead_events.append(update)


def _reopened(before: LeadState, stage: Stage) -> tuple[e.Event, ...]:
    """P4: the client's own word brought the lead back."""
    return (
        e.LeadReopened(from_stage=before.stage, to_stage=stage.id),
        e.StageEntered(
            stage=stage.id,
            kind=stage.kind,
            visit=before.visit + 1,
            from_stage=before.stage,
            from_visit=before.visit,
            cause="reopened",
            direction="return",
        ),
    )


def _capture(case: Case, verdict: Verdict, pipeline: Pipeline, found: Recognised) -> None:
    arrival = case.arrival
    contact = verdict.contact or uuid5(NAMESPACE, f"contact:{arrival.inbound_id}")
    found.contact, found.contact_is_new = contact, verdict.contact is None
    found.unclear = verdict.contact is None and bool(case.whose.others)
    found.lead, found.lead_is_new = uuid5(NAMESPACE, f"lead:{arrival.inbound_id}"), True
    if found.contact_is_new:
        made = e.ContactMade(name=arrival.said.name, company=arrival.said.company, inbound_id=arrival.inbound_id)
        found.contact_events.append(made)
    fact = fact_of(arrival, reply=False)
    found.lead_events.extend(_captured(arrival, contact, pipeline, told_apart=isinstance(fact, e.LetterReceived)))
    if fact is not None:
        found.lead_events.append(fact)
    keep_identities(arrival, case.known, found)
    suspect(case.whose, case.known, found)


def from_form(arrival: Arrival, card: Mapping[str, str], pipeline: Pipeline, region: str) -> tuple[e.CardRecorded, ...]:
    """Further fields of a form that bear the ids of the card's: read as if typed there. What is known is not overwritten; what
    cannot be read stays with the message alone."""
    values: dict[str, str] = {}
    for name, text in arrival.said.fields.items():
        field = pipeline.fields_by_id.get(name)
        value = read_value(field, text, region) if field is not None and not card.get(name) else None
        if isinstance(value, str) and value:
            values[name] = value
    return (e.CardRecorded(names=tuple(sorted(values)), values=values),) if values else ()


def _is_bounce(arrival: Arrival) -> bool:
    return isinstance(arrival.body, MailBody) and arrival.body.kind == "bounce"


def suspect(whose: Whose, known: Known, found: Recognised) -> None:
    """Say on the lead who else has an identity of it (C3): a person decides."""
    for other, identity in whose.others:
        suspected = e.DuplicateSuspected(
            identity_kind=identity.kind, other_contact=other, other_lead=known.open_leads.get(other)
        )
        found.lead_events.append(suspected)


def keep_identities(arrival: Arrival, known: Known, found: Recognised) -> None:
    """Add the arrival's identities to its contact: claimed where nobody has them, else marked as shared (C3)."""
    assert found.contact is not None
    if _is_bounce(arrival):
        return
    have = known.contacts[found.contact].identities if found.contact in known.contacts else frozenset()
    for identity in arrival.identities:
        owner = known.owners.get(identity.hmac)
        if (owner is not None and known.same(owner.contact, found.contact)) or (identity.kind, identity.value) in have:
            continue
        if identity.kind == "visitor" and owner is not None:
            continue  # one browser, two people: it says nothing about either
        _add_identity(identity, found.contact, owner, known.contacts, found)


def keep_recorded_identity(
    state: LeadState, identity: Identity, known: Known, have: frozenset[tuple[str, str]]
) -> Recognised:
    """A seller wrote a phone or e-mail on the card: the contact gets it, or it is marked as another person's (C3)."""
    found, owner = Recognised("accepted", lead=state.lead, contact=state.contact), known.owners.get(identity.hmac)
    if (owner is not None and known.same(owner.contact, state.contact)) or (identity.kind, identity.value) in have:
        return found
    _add_identity(identity, state.contact, owner, known.contacts, found)
    if owner is not None:
        other = known.open_leads.get(owner.contact)
        found.lead_events.append(
            e.DuplicateSuspected(identity_kind=identity.kind, other_contact=owner.contact, other_lead=other)
        )
    return found


def _add_identity(
    identity: Identity, contact: UUID, owner: Owner | None, contacts: Mapping[UUID, ContactState], found: Recognised
) -> None:
    """The contact gets an identity: claimed where nobody has it, else both are noted to share it (C3)."""
    if owner is None:
        found.claims.append(identity)
    else:
        state = contacts.get(owner.contact)
        if not owner.shared:
            found.share.append(identity)
        if state is None or contact not in state.sharers.get((identity.kind, identity.value), ()):
            shared = e.IdentityShared(identity_kind=identity.kind, value=identity.value, other_contact=contact)
            found.other_contact_events.append((owner.contact, shared))
    found.contact_events.append(
        e.IdentityAdded(identity_kind=identity.kind, value=identity.value, shared=owner is not None)
    )


# --- the fact of each channel --------------------------------------------------------------------------------------


def fact_of(arrival: Arrival, *, reply: bool) -> e.Event | None:
    """The event that says what happened on this channel; None where `LeadCaptured` and `InboundJoined` say it all."""
    make = _FACTS.get(type(arrival.body))
    return make(arrival, arrival.body, reply) if make else None


def _call(arrival: Arrival, body: CallBody, _: bool) -> e.Event:
    return e.CallRecorded(
        inbound_id=arrival.inbound_id,
        call_id=body.call_id,
        call_direction=body.direction,
        answered=body.answered,
        started_at=body.started_at,
        ended_at=body.ended_at,
        number=arrival.said.phone,
        line=plain(body.to if body.direction == "in" else body.from_),
        agent=body.agent,
        recording=body.recording_url,
    )


def _further(arrival: Arrival, body: CallBody, known: e.CallFacts | None) -> e.CallUpdated | None:
    """The call with what this report adds; None when it says nothing new."""
    now = _call(arrival, body, False)
    assert isinstance(now, e.CallRecorded)
    if known is None:
        return e.CallUpdated(**now.model_dump())
    whole = {name: getattr(known, name) for name in type(known).model_fields}
    reported = {
        "answered": known.answered or now.answered,
        "ended_at": now.ended_at or known.ended_at,
        "agent": now.agent or known.agent,
        "recording": now.recording or known.recording,
    }
    if all(whole[name] == value for name, value in reported.items()):
        return None
    return e.CallUpdated(**{**whole, **reported, "inbound_id": arrival.inbound_id})


def _visit(arrival: Arrival, body: VisitBody, _: bool) -> e.Event:
    return e.VisitRecorded(
        inbound_id=arrival.inbound_id, received_at=arrival.received_at, page=body.page, place=body.place
    )


def _mail(arrival: Arrival, body: MailBody, reply: bool) -> e.Event:
    if body.kind != "letter":
        return e.AutomaticMailReceived(
            inbound_id=arrival.inbound_id,
            mail_kind=body.kind,
            received_at=arrival.received_at,
            email=body.bounced[0].address if body.bounced else arrival.said.email,
            subject=body.subject,
            text=body.text,
            status=body.bounced[0].status if body.bounced else None,
        )
    return e.LetterReceived(
        inbound_id=arrival.inbound_id,
        account=arrival.account,
        received_at=arrival.received_at,
        reply=reply,
        name=arrival.said.name,
        email=arrival.said.email or body.sender,
        to=tuple(body.to[:LISTED]),
        cc=tuple(body.cc[:LISTED]),
        subject=body.subject,
        text=body.text,
        message_id=body.message_id,
        attachments=tuple(
            e.Attachment(media_type=_media_type(file.media_type), size=file.size, blob=file.blob)
            for file in body.attachments[:LISTED]
        ),
        attachment_names=tuple(file.name for file in body.attachments[:LISTED]),
    )


def _media_type(text: str) -> str:
    """The sender's word for a file's type, unless it is none: it stands in the clear, where nothing personal may."""
    kind = text.lower()
    return kind if len(kind) <= 100 and MEDIA_TYPE.fullmatch(kind) else UNKNOWN_MEDIA


_FACTS: dict[type[Any], Callable[[Arrival, Any, bool], e.Event]] = {CallBody: _call, VisitBody: _visit, MailBody: _mail}


def _said(arrival: Arrival) -> dict[str, object]:
    """What the message said, for the events that carry it."""
    said = arrival.said
    return {
        "channel": arrival.channel,
        "source": said.source,
        "form": arrival.account or None,
        "inbound_id": arrival.inbound_id,
        "received_at": arrival.received_at,
        "name": said.name,
        "company": said.company,
        "phone": said.phone,
        "email": said.email,
        "comment": said.comment,
        "fields": dict(said.fields),
    }


def _joined(arrival: Arrival) -> e.Event:
    return e.InboundJoined.model_validate(_said(arrival))


def _captured(arrival: Arrival, contact: UUID, pipeline: Pipeline, *, told_apart: bool) -> tuple[e.Event, ...]:
    """The lead and its first stage visit. `told_apart`: the text stands in an event of its own, and not here too."""
    first, said = pipeline.first, _said(arrival)
    if told_apart:
        said["comment"] = None
    return (
        e.LeadCaptured.model_validate({"pipeline": pipeline.pipeline, "contact": contact, **said}),
        e.StageEntered(stage=first.id, kind=first.kind, visit=1, cause="captured", direction="in"),
    )

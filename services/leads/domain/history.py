"""From a row of an import to a lead's events: a history with times of its own, or a lead as it stands elsewhere (P10).

Pure. The first row of a case captures the lead in the stage it names: what came before is not known and is not invented. Each
further row is a move, held against the same rules as everyone's, but for those that ask for proof which no history carries
(`Rule.of_history`); a row that they do not allow is refused by rule id and changes nothing. Invariants: nobody «sees» or
«accepts» by an import (S2); the card is read by the types of its fields, like everyone's (Q2); what a later row says of the
person or the card fills what is unknown and overwrites nothing; rows that name a known person find that person, and never a
second open lead of theirs (C3); of bad data nothing is taken over but that the lead was received (C1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid5

import orjson

from contracts import commands as c
from contracts import events as e
from contracts.commands import Refusal
from contracts.inbound import FormBody
from contracts.meta import Actor
from contracts.pipeline import Pipeline, Reason, Stage
from services.leads.domain.arrivals import Arrival, Known, Recognised, Said
from services.leads.domain.case import Case
from services.leads.domain.decide import Surroundings, decide, reopens_to
from services.leads.domain.identities import Identity
from services.leads.domain.inbound_rules import whose
from services.leads.domain.recognition import NAMESPACE, keep_identities, suspect
from services.leads.domain.rules import RULES, no_such_stage, refused, refused_by
from services.leads.domain.state import CONTACT_FIELDS, LeadState

CHANNEL = "import"


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """A row, understood. `case` has its place in the ids only: it may be a person's own number at the source."""

    id: UUID
    lead: UUID
    contact: UUID
    """The person's stream, where the row's identities find no known person."""
    pipeline: str
    stage: str
    at: datetime | None
    """When it happened; None: unknown, it counts from the import on."""
    source: str
    actor: Actor
    person: FormBody = field(default_factory=FormBody)
    identities: tuple[Identity, ...] = ()
    card: Mapping[str, str] = field(default_factory=dict)
    """Fields of the pipeline's card."""
    responsible: str | None = None
    until: date | None = None
    """Of a pause: to which day."""
    reason: str | None = None
    """Of a pause or a rejection: why; one of the status's reasons by its id or title, or in words."""
    as_it_is: bool = False
    """A lead as it stands at the source: its responsible is one of ours."""


def row_id(source: str, case: str, activity: str, at: datetime | None) -> UUID:
    """The id by which a repeat of the row is known, in this file, another, or another run."""
    return uuid5(NAMESPACE, "import-row:" + _named(source, case, activity, at.isoformat() if at else ""))


def streams_of(source: str, case: str) -> tuple[UUID, UUID]:
    """The streams of a case: its lead, and its contact where nobody known is meant."""
    name = _named(source, case)
    return uuid5(NAMESPACE, f"import-lead:{name}"), uuid5(NAMESPACE, f"import-contact:{name}")


def _named(*parts: str) -> str:
    """Parts as one text that no other parts give."""
    return orjson.dumps(parts).decode()


def capture(
    row: HistoryRow, at: datetime, known: Known, pipeline: Pipeline, number: int, now: datetime, around: Surroundings
) -> Recognised | Refusal:
    """The first row of a case: a new lead, of a known person or a new one, in the stage the row names."""
    target = pipeline.by_id.get(row.stage)
    if target is None:
        return no_such_stage(row.stage, pipeline)
    if is_bad_data(row, target):
        row = replace(row, person=FormBody(source=row.person.source), identities=(), card={})
    said = Said(row.source, row.person.name, row.person.company)
    arrival = Arrival(row.id, CHANNEL, row.source, at, row.person, said, row.identities)
    person = whose(arrival, known)
    mine = person.mine
    contact = mine or row.contact
    blank = LeadState(row.lead, 0, pipeline.pipeline, number, contact, at)
    other = known.open_leads.get(mine) if mine else None
    body = _body(row, blank, target, pipeline)
    case = Case(blank, pipeline, target, _command(row, at, body), now, (), other, history=True)
    refusal = refused(case, RULES)
    if refusal is None and target.kind == "open" and other is not None:
        refusal = refused_by(case, "C3.one_open_lead")
    if refusal is None and row.as_it_is and row.responsible:
        assign = replace(
            case, command=_command(row, at, c.Assign(to=row.responsible)), responsibles=around.responsibles
        )
        refusal = refused_by(assign, "C4.known_responsible")
    if refusal is not None:
        return refusal
    card = decide(blank, _command(row, at, c.Record(fields=dict(row.card))), pipeline, now, around) if row.card else ()
    if isinstance(card, Refusal):
        return card
    found = Recognised("accepted", lead=row.lead, contact=contact, contact_is_new=mine is None, lead_is_new=True)
    if mine is None:
        found.contact_events.append(e.ContactMade(name=row.person.name, company=row.person.company))
    found.lead_events += (*_captured(row, at, contact, pipeline, target), *card)
    keep_identities(arrival, known, found)
    suspect(person, known, found)
    return found


def advance(
    state: LeadState, row: HistoryRow, at: datetime, pipeline: Pipeline, now: datetime, around: Surroundings
) -> tuple[e.Event, ...] | Refusal:
    """A further row of a case: the lead goes where the row says, if the rules allow it."""
    if state.pipeline != row.pipeline:
        return other_pipeline(state.pipeline)
    target = pipeline.by_id.get(row.stage)
    if target is None:
        return no_such_stage(row.stage, pipeline)
    around = replace(around, history=True)
    moved = decide(state, _command(row, at, _body(row, state, target, pipeline)), pipeline, now, around)
    if isinstance(moved, Refusal):
        return moved
    assigned: tuple[e.Event, ...] = ()
    if row.responsible and row.responsible != state.responsible:
        assigned = (e.LeadAssigned(to=row.responsible, previous=state.responsible, reason="imported"),)
    unknown = _unknown(state, row)
    if not unknown:
        return moved + assigned
    recorded = decide(state, _command(row, at, c.Record(fields=unknown)), pipeline, now, around)
    return recorded if isinstance(recorded, Refusal) else moved + assigned + recorded


def other_pipeline(pipeline: str) -> Refusal:
    """The refusal for a case that was imported into another pipeline before."""
    return Refusal(
        rules=("K2.same_pipeline",),
        ru=f"Этот случай уже импортирован в воронку {pipeline}. Импортируйте его продолжение туда же.",
        en=f"This case was imported into the pipeline {pipeline} before. Import what follows into the same one.",
    )


def other_stage(stage: str) -> Refusal:
    """The refusal for a row that was imported before, as another stage: a fact does not change."""
    return Refusal(
        rules=("K2.same_row",),
        ru=f"Эта строка уже импортирована как стадия {stage}. Импорт ничего не переписывает: исправьте лид вручную.",
        en=f"This row was imported before, as the stage {stage}. An import overwrites nothing: correct the lead by hand.",
    )


def broken_row(problem: str) -> Refusal:
    """The refusal for a row over which the service itself failed."""
    return Refusal(
        rules=("K2.internal_error",),
        ru=f"Строку не удалось обработать ({problem}). Журнал службы говорит почему; импортируйте строку ещё раз.",
        en=f"The row could not be processed ({problem}). The service's log says why; import the row once more.",
    )


def is_bad_data(row: HistoryRow, target: Stage) -> bool:
    """C1: whether the row says that nothing is to be kept of the person."""
    return target.kind == "lost" and _outcome(row, target) == "bad_data"


def _outcome(row: HistoryRow, target: Stage) -> e.lead.LostOutcome:
    """C1: what remains of a lead that the row rejects."""
    reason = _reason(row, target)
    return (reason.outcome if reason else None) or target.outcome or "refused"


def _reason(row: HistoryRow, target: Stage) -> Reason | None:
    """The reason of the status that the row names."""
    said = (row.reason or "").casefold()
    return next((r for r in target.reasons if said in (r.id, r.titles.ru.casefold(), r.titles.en.casefold())), None)


def _body(row: HistoryRow, state: LeadState, target: Stage, pipeline: Pipeline) -> c.Body:
    """What a person would have done to get the lead there."""
    named = _reason(row, target)
    reason = named.id if named is not None else None
    if target.kind == "lost":
        return c.Reject(status=target.id, reason=reason, comment=row.reason if named is None else None)
    if target.kind == "postponed" and row.until is not None and row.reason:
        return c.Pause(until=row.until, reason=row.reason, reason_id=reason, status=target.id)
    comes_back = state.kind in ("lost", "postponed") and target.id == reopens_to(state, pipeline)
    return c.Reopen(reason=row.reason) if comes_back else c.Move(to=target.id)


def _command(row: HistoryRow, at: datetime, body: c.Body) -> c.Command:
    # of parts that were validated before: an import makes thousands a second
    return c.Command.model_construct(
        id=row.id,
        lead=row.lead,
        actor=row.actor,
        body=body,
        expected_version=None,
        happened_at=at,
        causation=None,
        correlation=None,
        autodepth=0,
        traceparent=None,
    )


def _captured(row: HistoryRow, at: datetime, contact: UUID, pipeline: Pipeline, target: Stage) -> list[e.Event]:
    person = row.person
    normal = {identity.kind: identity.value for identity in row.identities}
    found: list[e.Event] = [
        e.LeadCaptured(
            pipeline=pipeline.pipeline,
            contact=contact,
            channel=CHANNEL,
            source=person.source or row.source,
            received_at=at,
            name=person.name,
            company=person.company,
            phone=normal.get("phone", person.phone),
            email=normal.get("email", person.email),
            comment=person.comment,
            fields=person.fields,
        ),
    ]
    named = _reason(row, target)
    if target.kind == "lost":
        # Where it stood before is not known, as with a pause below: the first stage stands for it.
        rejected = e.LeadRejected(
            status=target.id,
            from_stage=pipeline.first.id,
            reason=named.id if named is not None else None,
            comment=row.reason if named is None else None,
            outcome=_outcome(row, target),
        )
        found.append(rejected)
    found.append(
        e.StageEntered(stage=target.id, kind=target.kind, visit=1, cause="captured", direction="in", basis="import")
    )
    if target.kind == "postponed":
        assert row.until is not None, "S3.pause_has_a_date lets no other through"
        # It comes back to the first stage: where it stood before its pause is not known.
        found.append(
            e.LeadPaused(
                status=target.id,
                from_stage=pipeline.first.id,
                until=row.until,
                reason=row.reason or "",
                reason_id=named.id if named is not None else None,
            )
        )
    if row.responsible:
        found.append(e.LeadAssigned(to=row.responsible, reason="imported"))
    return found


def _unknown(state: LeadState, row: HistoryRow) -> dict[str, Any]:
    """What the row says of person and card that the lead does not say yet; a phone or e-mail only where it can be read."""
    said = {"name": row.person.name, "company": row.person.company}
    said |= {identity.kind: identity.value for identity in row.identities}
    assert said.keys() <= CONTACT_FIELDS
    new = {name: text for name, text in said.items() if text and not getattr(state, name)}
    return new | {name: text for name, text in row.card.items() if text and not state.card.get(name)}

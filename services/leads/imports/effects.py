"""Step 5 of a batch for a row of an import: its answer if it has one, else the domain's decision and what follows from it.

Invariants: a row that is done is a repeat, whatever file it comes from; a refused one is decided anew only for another import,
so that the same file always ends alike, however often it was begun. A refusal changes no stream; it is kept with its row
(`leadline.import_rows`, `docs/decisions/0005`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contracts import events as e
from contracts.commands import CommandResult, Refusal
from services.database import Database
from services.leads import deals
from services.leads.adopting import archived_refusal, refusal_of, takes_none
from services.leads.claims import claim, known_people, move_claim, put_people
from services.leads.companies.effects import join_company
from services.leads.domain.arrivals import Recognised
from services.leads.domain.decide import Surroundings
from services.leads.domain.history import advance, broken_row, capture, is_bad_data, other_stage
from services.leads.domain.recognition import keep_recorded_identity
from services.leads.domain.state import LeadState
from services.leads.imports.store import RowAnswer
from services.leads.people.deleting import deletion, erase_person
from services.leads.work import Done, ImportWork
from services.pipelines import registry

if TYPE_CHECKING:
    from services.leads.batch import LeadBatch


@dataclass(frozen=True, slots=True)
class _Versions:
    first: int | None
    last: int | None


async def take_row(batch: LeadBatch, work: ImportWork, database: Database) -> Done:
    """One row: a repeat, a refusal, or its events."""
    row, before = work.row, batch.rows.get(work.row.id)
    batch.out.taken[work.import_id] = work.position
    if before is not None and before.settles(work.import_id):
        if before.outcome == "done" and before.stage != row.stage:
            batch.tally.count("refused")
            return Done(_result(before, other_stage(before.stage)), repeat=True)
        batch.tally.count("repeat")
        return Done(_result(before), repeat=True)
    decided = broken_row(work.problem) if work.problem else await _decide(batch, work, database)
    refusal = decided if isinstance(decided, Refusal) else None
    versions = _Versions(None, None) if isinstance(decided, Refusal) else decided
    answer = RowAnswer(
        id=row.id,
        import_id=work.import_id,
        line=work.line,
        lead=row.lead,
        stage=row.stage,
        outcome="refused" if refusal else "done",
        refusal=refusal,
        first_version=versions.first,
        last_version=versions.last,
        at=batch.now,
    )
    batch.rows[row.id] = batch.out.rows[row.id] = answer
    batch.tally.count(answer.outcome)
    return Done(_result(answer))


async def _decide(batch: LeadBatch, work: ImportWork, database: Database) -> Refusal | _Versions:
    state = batch.lead(work.row.lead)
    return await (_capture(batch, work, database) if state is None else _advance(batch, work, database, state))


async def _capture(batch: LeadBatch, work: ImportWork, database: Database) -> Refusal | _Versions:
    row = work.row
    if await takes_none(batch, database, row.pipeline):
        return refusal_of(row.pipeline)
    if row.pipeline not in batch.current:
        batch.current[row.pipeline] = await registry.current(database, row.pipeline)
    pipeline, number = batch.current[row.pipeline]
    known = known_people(batch, row.identities, row.pipeline)
    found = capture(row, row.at or batch.now, known, pipeline, number, batch.now, _around(batch))
    if isinstance(found, Refusal):
        return found
    assert found.contact is not None
    envelope = _envelope(batch, work, f"{row.pipeline}@{number}")
    if found.contact_is_new:
        batch.new_key(found.contact)
    put_people(batch, found, envelope)
    batch.record(row.lead, "lead", found.contact, found.lead_events, **envelope)
    made = batch.lead(row.lead)
    assert made is not None
    if made.is_open:
        claim(batch, made)
    if is_bad_data(row, pipeline.by_id[row.stage]):
        erase_person(batch, found.contact, "bad_data", envelope)
    else:
        join_company(batch, work, found.contact, envelope)
    return _Versions(1, made.version)


async def _advance(batch: LeadBatch, work: ImportWork, database: Database, state: LeadState) -> Refusal | _Versions:
    row = work.row
    pipeline = await registry.version(database, state.pipeline, state.pipeline_number)
    if state.deal_of is not None:
        return deals.not_imported()
    held = batch.open_lead_of(state.contact, state.pipeline)
    around = _around(batch, other=held if held != state.lead else None)
    decided = advance(state, row, row.at or batch.now, pipeline, batch.now, around)
    if isinstance(decided, Refusal):
        return decided
    if (refusal := await archived_refusal(batch, state, decided, database)) is not None:
        return refusal
    bad_data, refusal = deletion(batch, state, decided)
    if refusal is not None:
        return refusal
    envelope = _envelope(batch, work, f"{state.pipeline}@{state.pipeline_number}")
    identities = _new_identities(batch, work, state, decided)
    batch.record(row.lead, "lead", state.contact, decided, **envelope)
    for found in identities:
        put_people(batch, found, envelope)
        batch.record(row.lead, "lead", state.contact, found.lead_events, **envelope)
    after = batch.lead(row.lead)
    assert after is not None
    move_claim(batch, state, after)
    if bad_data:
        erase_person(batch, state.contact, "bad_data", envelope)
    else:
        join_company(batch, work, state.contact, envelope)
    return _Versions(state.version + 1, after.version)


def _new_identities(
    batch: LeadBatch, work: ImportWork, state: LeadState, decided: tuple[e.Event, ...]
) -> list[Recognised]:
    """A phone or e-mail that the row adds to the card finds the person from now on."""
    written = {name for event in decided if isinstance(event, e.CardRecorded) for name in event.names}
    contact = batch.contact(state.contact)
    have = contact.identities if contact else frozenset()
    known = known_people(batch, work.row.identities, state.pipeline)
    return [keep_recorded_identity(state, i, known, have) for i in work.row.identities if i.kind in written]


def _around(batch: LeadBatch, other: Any = None) -> Surroundings:
    people = batch.people if batch.people is not None else tuple(batch.settings.responsibles)
    return Surroundings(people, other, batch.settings.default_region, history=True)


def _envelope(batch: LeadBatch, work: ImportWork, pipeline: str) -> dict[str, Any]:
    """Who and when; and where from: the import, and its line in the file."""
    return {
        "command": work.row.id,
        "actor": work.row.actor,
        "happened_at": work.row.at or batch.now,
        "correlation": str(work.import_id),
        "causation": f"import:{work.import_id}:{work.line}",
        "pipeline": pipeline,
    }


def _result(answer: RowAnswer, refusal: Refusal | None = None) -> CommandResult:
    refusal = refusal or answer.refusal
    return CommandResult.model_construct(
        command=answer.id,
        stream=answer.lead,
        outcome="refused" if refusal else "done",
        first_version=answer.first_version,
        last_version=answer.last_version,
        refusal=refusal,
        at=answer.at,
    )

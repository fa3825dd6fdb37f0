"""How a row of the ledger must stand, given what the events say of its effect and what the row alone knows (M8, N1). Pure.

Invariants: what the log says is so; what only the ledger knows (tries, an answer that is not recorded yet, doubt) is kept;
nothing becomes due that was not. An open effect of which the ledger knows nothing is not tried: it may have gone out. It is told
as failed and in doubt, and a person says whether it is repeated.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields, replace
from datetime import datetime
from uuid import UUID

from services.delivery import domain
from services.delivery.domain import APP, EMAIL, LOST, NOT_REQUESTED, OPEN, REASON_CHARACTERS, Effect, NotOursError
from services.delivery.reading import Said, after


@dataclass(frozen=True, slots=True)
class ReportRefused:
    """The report of an effect's round was refused for good."""

    rules: tuple[str, ...]
    at: datetime


def folded(events: Iterable[Said], with_address: Collection[str]) -> dict[UUID, Effect]:
    """The effects as these events alone leave them: waiting, done or failed."""
    effects: dict[UUID, Effect] = {}
    for said in events:
        effect = said.event.effect
        try:
            effects[effect] = after(effects.get(effect), said, with_address)
        except NotOursError:
            continue  # it does not fit the effect: `verify` names it
    return effects


def as_it_must_be(
    said: Effect | None, row: Effect | None, refused: ReportRefused | None, now: datetime
) -> Effect | None:
    """The row that must stand. `said`: the effect as the events leave it, None: no event requested it; `row`: as it stands, None:
    it is not there; `refused`: of the report of the round that the events are in."""
    if said is None:
        return None if row is None else _unasked(row, now)
    mine = row if row is not None and _place(row) == _place(said) else None
    must = _with_what_stays(said, row, mine)
    if said.state == "done" or (said.state == "failed" and not _done_all_the_same(mine)):
        return must
    known = None if mine is None else _known(must, mine, refused)
    if refused is not None:
        return domain.unreportable(known or must, refused.rules, refused.at)
    return known or replace(must, state="answered", outcome="failed", last_reason=LOST, in_doubt=True)


def differing(must: Effect, row: Effect) -> list[str]:
    """The names of the fields that differ."""
    return [field.name for field in fields(Effect) if getattr(must, field.name) != getattr(row, field.name)]


def _place(effect: Effect) -> tuple[UUID, int, int, int | None]:
    """Which request, and which round of it, a row is about."""
    return effect.stream, effect.version, effect.round, effect.repeated_version


def _with_what_stays(said: Effect, row: Effect | None, mine: Effect | None) -> Effect:
    """The effect as the events say it, with what they do not know of it whatever its state is."""
    if row is None:
        return said
    must = replace(said, in_doubt=said.in_doubt or row.in_doubt)
    if said.effect_kind == "notice" and row.provider in (APP, EMAIL):
        must = replace(must, provider=row.provider)  # by whether they had an address then
    return must if mine is None else replace(must, opened_at=mine.opened_at, next_at=mine.next_at)


def _done_all_the_same(mine: Effect | None) -> bool:
    """The client's refusal came while it was on its way, and it went out: the report says so yet (C7)."""
    return mine is not None and mine.outcome == "done" and mine.state in ("answered", "done", "closed")


def _known(must: Effect, mine: Effect, refused: ReportRefused | None) -> Effect | None:
    """An effect that no event has closed yet, as the row knows it; None: the row knows nothing of it. What the row has as closed
    without an event is reported once more."""
    known = replace(
        must,
        state=mine.state,
        attempts=mine.attempts,
        last_reason=mine.last_reason,
        outcome=mine.outcome,
        provider_id=mine.provider_id,
        matched=mine.matched,
        closed_at=mine.closed_at,
    )
    if mine.state in OPEN or (mine.state == "closed" and refused is not None):
        return known
    return None if mine.outcome is None else replace(known, state="answered", closed_at=None)


def _unasked(row: Effect, now: datetime) -> Effect:
    """Nothing is sent of it any more; what is known of it stays."""
    said = row.last_reason or ""
    if row.state == "closed" and said.startswith(NOT_REQUESTED):
        return row
    reason = f"{NOT_REQUESTED}: {said}"[:REASON_CHARACTERS] if said else NOT_REQUESTED
    doubt = row.in_doubt or row.state == "working"
    return replace(row, state="closed", last_reason=reason, in_doubt=doubt, closed_at=row.closed_at or now)

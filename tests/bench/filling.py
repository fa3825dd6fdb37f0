"""Fills a store directly, as if its leads had come in and been worked on: COPY of real bytes, sealed and chained as the writer
does, with the commands and claims that belong to them.

Twelve paths in turn, four stage visits a lead on average, with returns, pauses and skipped stages; ten of them end open. Leads
are numbered, so that a store filled in steps is the same as one filled at once but for ids and keys. Invariant:
`leadline.seen` says that the live projections have applied all of it, which they have not: rebuild them next.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contracts.events import Event
from contracts.events.contact import ContactMade, IdentityAdded
from contracts.events.lead import (
    CardRecorded,
    LeadAccepted,
    LeadAssigned,
    LeadCaptured,
    LeadConverted,
    LeadPaused,
    LeadRejected,
    LeadReopened,
    LeadSeen,
    Money,
    OfferMade,
    StageEntered,
)
from contracts.meta import GENESIS, Actor, Meta, digest_of
from services.database import Database, Pool
from services.eventlog.mapper import encode
from services.privacy.cipher import identity_hmac, new_key, wrap_key
from services.privacy.store import insert_keys
from services.settings import Settings
from tests.builders import START

SCALE: Final = ("new", "processing", "proposal", "closing", "converted")
ENDS: Final = {"converted": "won", "price": "lost", "paused": "postponed"}
OPEN_PATHS: Final = tuple(
    tuple(path.split())
    for path in (
        "new",
        "new processing",
        "new processing proposal",
        "new processing proposal closing",
        "new processing new processing proposal",
        "new processing paused processing proposal",
        "new processing proposal processing proposal closing",
        "new proposal closing",
        "new processing price processing proposal closing",
        "new processing proposal closing proposal",
    )
)
PATHS: Final = (*OPEN_PATHS, SCALE, ("new", "processing", "price"))
PEOPLE: Final = ("anna", "boris")
AT_ONCE: Final = 2_000
"""Leads of one transaction."""

_ANNA = Actor(id="anna", kind="person")
_FIXED: Final = {name: field.get_default(call_default_factory=True) for name, field in Meta.model_fields.items()}
_COLUMNS: Final = {
    "events": ("originator_id", "originator_version", "topic", "state", "kind", "recorded_at", "digest"),
    "seen": ("consumer", "build", "stream", "version", "digest"),
    "commands": ("id", "stream", "body_hash", "outcome", "first_version", "last_version", "by_person", "at"),
    "identities": ("hmac", "kind", "contact"),
    "open_leads": ("contact", "pipeline", "lead"),
}


def leads_for(opened: int) -> int:
    """How many leads there must be for this many of them to be open."""
    return -(-opened * len(PATHS) // len(OPEN_PATHS))


async def fill(pool: Pool, settings: Settings, leads: int, first: int = 0) -> list[UUID]:
    """Add this many leads, numbered from `first`; the streams of those that are open."""
    opened: list[UUID] = []
    for begin in range(first, first + leads, AT_ONCE):
        made = _Made({table: [] for table in _COLUMNS}, [])
        for n in range(begin, min(begin + AT_ONCE, first + leads)):
            if lead := _add(made, settings, n):
                opened.append(lead)
        async with pool.acquire() as connection, connection.transaction():
            await _write(connection, made)
    await pool.execute("; ".join(f"ANALYZE leadline.{table}" for table in _COLUMNS), timeout=600)
    return opened


class _Made(NamedTuple):
    rows: dict[str, list[tuple[Any, ...]]]
    keys: list[tuple[UUID, bytes]]


async def _write(connection: Database, made: _Made) -> None:
    await connection.execute("SET LOCAL synchronous_commit = off")
    await insert_keys(connection, "person", made.keys)
    for table, columns in _COLUMNS.items():
        await connection.copy_records_to_table(
            table, schema_name="leadline", columns=columns, records=made.rows[table], timeout=600
        )


def _add(made: _Made, settings: Settings, n: int) -> UUID | None:
    """A person and their lead; the lead's stream while it is open."""
    person, lead, path = uuid4(), uuid4(), PATHS[n % len(PATHS)]
    raw = new_key()
    made.keys.append((person, wrap_key(settings.master_key_bytes, person, raw)))
    key = AESGCM(raw)
    _chain(made, key, person, person, n, iter([_contact(n)]))
    _chain(made, key, lead, person, n, _steps(n, person, path))
    hmac = identity_hmac(settings.pepper_bytes, "phone", _phone(n))
    made.rows["identities"].append((hmac, "phone", person))
    if path[-1] in ENDS:
        return None
    made.rows["open_leads"].append((person, "classic", lead))
    return lead


def _chain(made: _Made, key: AESGCM, stream: UUID, person: UUID, n: int, steps: Iterator[list[Event]]) -> None:
    """A stream's events, one command a step."""
    rows, commands = made.rows["events"], made.rows["commands"]
    digest, version = GENESIS, 0
    for step in steps:
        command, first = uuid4(), version + 1
        at = START + timedelta(minutes=n % 200_000 + first * 10)
        for data in step:
            version += 1
            meta = Meta.trusted(
                {
                    **_FIXED, "stream": stream, "version": version, "kind": data.KIND, "type": data.TOPIC,
                    "happened_at": at, "recorded_at": at, "actor": _ANNA, "command": command, "correlation": "bench",
                    "pipeline": "classic@1" if data.KIND == "lead" else None, "person": person,
                }
            )  # fmt: skip
            state = encode(meta, data, key if data.PERSONAL else None)
            digest = digest_of(digest, state)
            rows.append((stream, version, data.TOPIC, state, data.KIND, at, digest))
        commands.append((command, stream, digest, "done", first, version, True, at))
    made.rows["seen"].append(("projections", 1, stream, version, digest))


def _phone(n: int) -> str:
    return f"+79{n:09}"


def _contact(n: int) -> list[Event]:
    return [
        ContactMade(name=f"Иван {n}", company="ООО Ромашка"),
        IdentityAdded(identity_kind="phone", value=_phone(n)),
    ]


def _steps(n: int, person: UUID, path: tuple[str, ...]) -> Iterator[list[Event]]:
    """What happened to a lead, a list for each command."""
    captured = LeadCaptured(
        pipeline="classic", contact=person, channel="form", source=f"site {n % 5}", form="main", received_at=START,
        name=f"Иван {n}", phone=_phone(n), comment="Нужна столешница, 3 метра",
    )  # fmt: skip
    assigned = LeadAssigned(to=PEOPLE[n // len(PATHS) % 2], reason="in_turn", candidates=PEOPLE, turn=n)
    yield [captured, _entered(1, path), assigned]
    yield [LeadSeen()]
    yield [LeadAccepted()]
    if len(path) > 1:
        yield [CardRecorded(names=("needs",), values={"needs": "столешница, белая"})]
    for visit in range(2, len(path) + 1):
        before, stage = path[visit - 2], path[visit - 1]
        if stage == "closing":
            yield [
                OfferMade(volume="3 м", price=Money(amount=Decimal("1000.50"), currency="RUB"), delivery_days=7),
            ]
        entered = _entered(visit, path)
        if before in ENDS:
            yield [LeadReopened(from_stage=before, to_stage=stage), entered]
        elif stage == "converted":
            yield [LeadConverted(from_stage=before), entered]
        elif stage == "price":
            yield [LeadRejected(status=stage, from_stage=before, comment="дорого"), entered]
        elif stage == "paused":
            paused = LeadPaused(status=stage, from_stage=before, until=date(2026, 9, 1), reason="после отпуска")
            yield [paused, entered]
        else:
            yield [entered]


def _entered(visit: int, path: tuple[str, ...]) -> StageEntered:
    stage, before = path[visit - 1], path[visit - 2] if visit > 1 else None
    cause, direction = "captured", "in"
    if before in ENDS:
        cause, direction = "reopened", "return"
    elif stage == "converted":
        cause, direction = "converted", "forward"
    elif stage in ENDS:
        cause, direction = {"lost": "rejected", "postponed": "paused"}[ENDS[stage]], "out"
    elif before is not None:
        step = SCALE.index(stage) - SCALE.index(before)
        cause, direction = "moved", "back" if step < 0 else "forward" if step == 1 else "skip"
    return StageEntered(
        stage=stage, kind=ENDS.get(stage, "open"), visit=visit, from_stage=before, from_visit=visit - 1 or None,
        cause=cause, direction=direction,
    )  # type: ignore[arg-type] # fmt: skip

"""Fills a store directly, as if its leads had come in and been worked on: ten events a lead, seven to ten of the lead's own.

Invariant: `leadline.seen` says that the live projections have applied all of it, which they have not: rebuild them next.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contracts.events.contact import ContactMade, IdentityAdded
from contracts.events.lead import LeadAccepted, LeadAssigned, LeadCaptured, LeadSeen, Money, OfferMade, StageEntered
from contracts.meta import GENESIS, Actor, Meta, digest_of
from services.database import Pool
from services.eventlog.mapper import encode
from services.privacy.cipher import new_key, wrap_key
from services.privacy.store import insert_keys
from services.settings import Settings
from tests.builders import START

STAGES = ("new", "processing", "proposal", "closing", "converted")
AT_ONCE = 2_000


async def fill(pool: Pool, settings: Settings, leads: int, first: int = 0) -> list[UUID]:
    """Add this many leads, numbered from `first`; their streams."""
    filled: list[UUID] = []
    for begin in range(first, first + leads, AT_ONCE):
        events: list[tuple[UUID, int, str, bytes, str, object, bytes]] = []
        keys, seen = [], []
        for n in range(begin, min(begin + AT_ONCE, first + leads)):
            person, lead = uuid4(), uuid4()
            filled.append(lead)
            raw = new_key()
            keys.append((person, wrap_key(settings.master_key_bytes, person, raw)))
            key = AESGCM(raw)
            for stream, made in ((person, _contact(n)), (lead, _lead(n, person))):
                digest = GENESIS
                for version, data in enumerate(made, start=1):
                    at = START + timedelta(minutes=n % 100_000 + version * 10)
                    meta = Meta(
                        stream=stream, version=version, kind=data.KIND, type=data.TOPIC, happened_at=at, recorded_at=at,
                        actor=Actor(id="anna", kind="person"), command=lead, correlation="bench", person=person,
                        pipeline="classic@1" if data.KIND == "lead" else None,
                    )  # fmt: skip
                    state = encode(meta, data, key if data.PERSONAL else None)
                    digest = digest_of(digest, state)
                    events.append((stream, version, data.TOPIC, state, data.KIND, at, digest))
                seen.append(("projections", 1, stream, len(made), digest))
        async with pool.acquire() as connection, connection.transaction():
            await insert_keys(connection, "person", keys)
            await connection.copy_records_to_table(
                "events", schema_name="leadline", records=events,
                columns=("originator_id", "originator_version", "topic", "state", "kind", "recorded_at", "digest"),
            )  # fmt: skip
            await connection.copy_records_to_table(
                "seen", schema_name="leadline", records=seen,
                columns=("consumer", "build", "stream", "version", "digest"),
            )  # fmt: skip
    await pool.execute("ANALYZE leadline.events; ANALYZE leadline.seen; ANALYZE vault.keys", timeout=600)
    return filled


def _contact(n: int) -> list[ContactMade | IdentityAdded]:
    return [
        ContactMade(name=f"Иван {n}", company="ООО Ромашка"),
        IdentityAdded(identity_kind="phone", value=f"+79{n:09}"),
    ]


def _lead(n: int, person: UUID) -> list[object]:
    made: list[object] = [
        LeadCaptured(
            pipeline="classic", contact=person, channel="form", source=f"site {n % 5}", form="main", received_at=START,
            name=f"Иван {n}", phone=f"+79{n:09}", comment="Нужна столешница, 3 метра",
        ),
        _entered(1), LeadAssigned(to=("anna", "boris")[n % 2], reason="in_turn", candidates=("anna", "boris"), turn=n),
        LeadSeen(), LeadAccepted(),
    ]  # fmt: skip
    for visit in range(2, n % 5 + 2):
        made.append(_entered(visit))
    if n % 5 > 1:
        made.append(OfferMade(volume="3 м", price=Money(amount="1000.50", currency="RUB"), delivery_days=7))  # type: ignore[arg-type]
    return made


def _entered(visit: int) -> StageEntered:
    return StageEntered(
        stage=STAGES[visit - 1], kind="won" if visit == 5 else "open", visit=visit,
        from_stage=STAGES[visit - 2] if visit > 1 else None, from_visit=visit - 1 or None,
        cause="moved" if visit > 1 else "captured", direction="forward" if visit > 1 else "in",
    )  # fmt: skip

"""Rebuild of each projection: events per second of one process, and how long the live build stood still (M8).

`python -m tests.bench.rebuild [--leads N]` on embedded servers of its own. The store is filled directly, with leads of seven to
ten events, and `leadline.seen` says that the live consumer has applied all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from contracts.events.contact import ContactMade, IdentityAdded
from contracts.events.lead import LeadAccepted, LeadAssigned, LeadCaptured, LeadSeen, Money, OfferMade, StageEntered
from contracts.meta import GENESIS, Actor, Meta, digest_of
from deploy.embedded.sandbox import EmbeddedServers
from projections.all import PROJECTIONS
from projections.board import store as board
from projections.funnel.numbers import store as numbers
from projections.rebuild.run import Rebuilt, rebuild
from projections.schema import prepare
from services.database import Database, Pool, open_pool
from services.eventlog.mapper import encode
from services.eventlog.migrate import migrate
from services.privacy.cipher import new_key, wrap_key
from services.privacy.store import KeyRing, insert_keys
from services.settings import Settings
from tests.builders import START

STAGES = ("new", "processing", "proposal", "closing", "converted")
AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Measured:
    """One projection's rebuild. `events`: of the types it uses; `all_events`: in the store."""

    name: str
    rebuilt: Rebuilt
    all_events: int

    def __str__(self) -> str:
        made = self.rebuilt
        return (
            f"{self.name:<9} {made.events / made.seconds:>9,.0f} events/s applied, {self.all_events / made.seconds:>9,.0f} of "
            f"the store/s; {made.seconds:.1f} s in all; live stood still {made.stopped_seconds * 1000:.0f} ms"
        )


async def fill(pool: Pool, settings: Settings, leads: int) -> int:
    """Fill the store; how many events it holds."""
    total = 0
    for begin in range(0, leads, AT_ONCE):
        events: list[tuple[UUID, int, str, bytes, str, object, bytes]] = []
        keys, seen = [], []
        for n in range(begin, min(begin + AT_ONCE, leads)):
            person, lead = uuid4(), uuid4()
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
        total += len(events)
    await pool.execute("ANALYZE leadline.events; ANALYZE leadline.seen; ANALYZE vault.keys", timeout=600)
    return total


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


async def measure(settings: Settings, pool: Pool, leads: int) -> list[Measured]:
    """Fill the store and rebuild each projection twice: the second time there is a live build to compare with."""
    async with pool.acquire() as connection:
        await prepare(connection)
    total = await fill(pool, settings, leads)
    measured = []
    for projection in PROJECTIONS:
        for again in (False, True):
            ring = KeyRing(settings.master_key_bytes)
            made = await rebuild(pool, ring, projection, settings.kafka_partitions, accept=not again)
        measured.append(Measured(projection.name, made, total))
    return measured


async def reads(connection: Database) -> dict[str, float]:
    """Seconds of a board read and of a whole funnel."""
    found = {}
    for name, read in (
        ("board columns", lambda: board.columns(connection, "classic")),
        ("board cards", lambda: board.cards(connection, "classic", "new", limit=20)),
        ("funnel stages", lambda: numbers.stages(connection, numbers.Asked("classic", "converted"))),
        ("funnel totals", lambda: numbers.totals(connection, numbers.Asked("classic", "converted"))),
        ("funnel by source", lambda: numbers.stages(connection, numbers.Asked("classic", "converted"), "source")),
    ):
        times = []
        for _ in range(3):
            began = time.perf_counter()
            await read()
            times.append(time.perf_counter() - began)
        found[name] = min(times)
    return found


async def main(leads: int) -> None:
    """Print what was measured."""
    async with EmbeddedServers() as servers:
        key = SecretStr(base64.b64encode(secrets.token_bytes(32)).decode())
        settings = Settings(database_url=SecretStr(servers.database_url), master_key=key, pepper=key)
        await migrate(settings)
        pool = await open_pool(settings.database_url, service="bench")
        try:
            for line in await measure(settings, pool, leads):
                print(line)
            async with pool.acquire() as connection:
                for name, seconds in (await reads(connection)).items():
                    print(f"{name:<18} {seconds * 1000:.1f} ms, {leads} leads")
        finally:
            pool.terminate()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=20_000)
    asyncio.run(main(parser.parse_args().leads))

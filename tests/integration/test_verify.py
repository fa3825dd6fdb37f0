"""`verify` on real Kafka and Postgres: it agrees with a good system, and finds each thing that can be wrong (M2, M6).

The events are made by the aggregate service's own batcher; `publish` stands where the relay stands: it takes the outbox to
Kafka in order, unaltered unless a test says so, and empties it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from contracts.meta import Meta, cloud_event_headers, digest_of
from projections import app as projections
from services.clock import SystemClock
from services.database import Database, Pool
from services.eventlog.relay import store as relay_store
from services.health import Health
from services.ops.main import main
from services.ops.place import OpsError, find_place
from services.ops.verify import command
from services.ops.verify.report import Report
from services.ops.verify.run import verify
from services.pipelines import registry
from services.settings import Settings
from tests.beside_others import free_port
from tests.eventlog_builders import until
from tests.integration.leads_case import HEAD, Leads, running

pytestmark = pytest.mark.kafka

BEHIND = """
SELECT count(*) FROM (SELECT originator_id, max(originator_version) AS last FROM leadline.events
                      WHERE kind IN ('lead', 'contact', 'company') GROUP BY 1) AS e
LEFT JOIN leadline.seen AS s ON s.stream = e.originator_id WHERE s.version IS DISTINCT FROM e.last
"""

Headers = list[tuple[str, bytes]]
Change = Callable[[UUID, int, bytes, Headers], tuple[bytes, Headers] | None]


@dataclass
class System:
    """A small system: some leads in different places, all published."""

    settings: Settings
    pool: Pool
    leads: Leads
    made: list[UUID] = field(default_factory=list)

    async def fill(self) -> None:
        """Five leads of four people; one won, one rejected, one quarantined form, one refused command, one joined form."""
        for number in range(4):
            lead = await self.leads.lead_of(name=f"Клиент {number}", phone=f"+7900000000{number}", comment="столешница")
            await self.leads.send(lead, "see")
            self.made.append(lead)
        await self.leads.lead_of(name="Клиент 0", phone="+79000000000")
        await self.leads.take(self.leads.arrival(comment="без контактов"))
        await self.leads.send(self.made[1], "reject", status="price", comment="дорого")
        self.made.append(await self.leads.lead_of(name="Клиент 1", phone="+79000000001"))
        refused = await self.leads.send(self.made[2], "convert")
        assert refused.outcome == "refused"

    async def publish(self, change: Change = lambda stream, version, value, headers: (value, headers)) -> None:
        """Bring the outbox to Kafka; `change` may alter a record, or leave it out with None."""
        rows = await self.pool.fetch(
            """SELECT o.n, o.topic, o.key, o.stream, o.version, o.headers, o.value, e.state, e.digest
               FROM leadline.outbox AS o LEFT JOIN leadline.events AS e
                    ON e.originator_id = o.stream AND e.originator_version = o.version ORDER BY o.n"""
        )
        producer = AIOKafkaProducer(bootstrap_servers=self.settings.kafka_bootstrap, enable_idempotence=True)
        await producer.start()
        sent: list[Any] = []
        try:
            for _, topic, key, stream, version, headers, value, state, digest in rows:
                if value is None:
                    meta = Meta.model_validate(orjson.loads(state)["meta"])
                    record = change(stream, version, state, cloud_event_headers(meta, digest))
                else:
                    record = value, [(name, text.encode()) for name, text in orjson.loads(headers).items()]
                if record is not None:
                    name = self.settings.kafka_topic_prefix + topic
                    sent.append(await producer.send(name, record[0], key=key.encode(), headers=record[1]))
            await asyncio.gather(*sent)
        finally:
            await producer.stop()
        async with self.pool.acquire() as connection:
            await relay_store.finish(connection, [row[0] for row in rows], [])

    async def project(self) -> None:
        """Have the projections read all that is published."""
        stop, health = asyncio.Event(), Health("projections")
        task = asyncio.create_task(projections.run(self.settings, health, stop))
        try:
            await until(self._projected, "the projections have read all")
        finally:
            stop.set()
            await asyncio.wait_for(task, 60)

    async def publish_nothing(self) -> None:
        """What a broker leaves that loses what it has acknowledged."""
        async with self.pool.acquire() as connection:
            rows = await connection.fetch("SELECT n FROM leadline.outbox")
            await relay_store.finish(connection, [row[0] for row in rows], [])

    async def _projected(self) -> bool:
        return not await self.pool.fetchval(BEHIND)

    async def verify(self) -> Report:
        """Verify in small ranges, so that there are several."""
        return await verify(self.settings, range_events=7)


@pytest.fixture
async def system(settings: Settings, pool: Pool) -> AsyncIterator[System]:
    """A system with its events still in the outbox."""
    async with running(settings, pool) as leads:
        made = System(settings, pool, leads)
        await made.fill()
        yield made


def named(report: Report) -> list[tuple[str, str, str]]:
    """What differs, without the words."""
    return [(difference.place, difference.kind, difference.about) for difference in report.differences]


async def test_M2_verify_agrees_with_a_good_system(system: System) -> None:
    await system.publish()
    report = await system.verify()
    assert named(report) == []
    assert report.ok
    checked = report.counts
    events = await system.pool.fetchval("SELECT count(*) FROM leadline.events")
    assert checked["events"] == checked["records"] == events
    assert (checked["accepted"], checked["joined"], checked["quarantined"], checked["refusals"]) == (5, 1, 1, 1)


async def test_M2_events_still_in_the_outbox_are_no_difference_published_or_not(system: System) -> None:
    report = await system.verify()
    assert named(report) == []
    events = await system.pool.fetchval("SELECT count(*) FROM leadline.events")
    assert report.counts["waiting in the outbox"] == events
    rows = await system.pool.fetch("SELECT topic, key, stream, version, headers, value FROM leadline.outbox ORDER BY n")
    await system.publish()
    await system.pool.executemany(
        "INSERT INTO leadline.outbox (topic, key, stream, version, headers, value) VALUES ($1, $2, $3, $4, $5, $6)",
        [tuple(row) for row in rows],
    )
    report = await system.verify()
    assert named(report) == []
    assert report.counts["records"] == events


async def test_M2_repeats_with_the_same_bytes_are_counted_apart(system: System) -> None:
    rows = await system.pool.fetch(
        "SELECT topic, key, stream, version FROM leadline.outbox WHERE value IS NULL ORDER BY n"
    )
    await system.publish()
    await system.pool.executemany(
        "INSERT INTO leadline.outbox (topic, key, stream, version) VALUES ($1, $2, $3, $4)",
        [tuple(row) for row in rows[:3]],
    )
    await system.publish()
    report = await system.verify()
    assert named(report) == []
    assert report.counts["repeats"] == 3


async def _tamper(system: System, sql: str, *values: Any) -> None:
    assert await system.pool.execute(sql, *values) not in ("UPDATE 0", "DELETE 0")


async def test_M6_an_event_altered_in_the_store_is_found(system: System) -> None:
    await system.publish()
    lead = system.made[0]
    sql = "UPDATE leadline.events SET state = convert_to(replace(convert_from(state, 'UTF8'), '\"helen\"', '\"other\"'), 'UTF8')"
    await system.leads.send(lead, "assign", by=HEAD, to="boris")
    await system.publish()
    version = await system.pool.fetchval(
        "SELECT max(originator_version) FROM leadline.events WHERE originator_id = $1", lead
    )
    await _tamper(system, sql + " WHERE originator_id = $1 AND originator_version = $2", lead, version)
    report = await system.verify()
    assert ("store", "altered", f"{lead}-{version}") in named(report)
    assert ("topic", "altered", f"{lead}-{version}") in named(report)
    assert {about for _, _, about in named(report)} == {f"{lead}-{version}"}


async def test_M6_an_event_altered_with_its_whole_chain_made_anew_is_found_by_the_topic(system: System) -> None:
    await system.publish()
    lead = system.made[0]
    rows = await system.pool.fetch(
        "SELECT originator_version, state FROM leadline.events WHERE originator_id = $1 ORDER BY 1", lead
    )
    digest = b""
    for version, state in rows:
        altered = state.replace(b'"correlation":"', b'"correlation":"x') if version == 2 else state
        digest = digest_of(digest, altered)
        await _tamper(
            system,
            "UPDATE leadline.events SET state = $3, digest = $4 WHERE originator_id = $1 AND originator_version = $2",
            lead,
            version,
            altered,
            digest,
        )
    report = await system.verify()
    found = named(report)
    assert ("topic", "altered", f"{lead}-2") in found
    assert not [difference for difference in found if difference[0] == "store"]


@pytest.mark.parametrize("which", ["middle", "last", "all"])
async def test_M6_a_deleted_event_is_found(system: System, which: str) -> None:
    await system.publish()
    lead = system.made[0]
    last = await system.pool.fetchval(
        "SELECT max(originator_version) FROM leadline.events WHERE originator_id = $1", lead
    )
    gone = {"middle": [2], "last": [last], "all": list(range(1, last + 1))}[which]
    await _tamper(
        system,
        "DELETE FROM leadline.events WHERE originator_id = $1 AND originator_version = ANY($2::bigint[])",
        lead,
        gone,
    )
    report = await system.verify()
    found = named(report)
    assert {("store", "missing", f"{lead}-{version}") for version in gone} <= set(found)
    assert {about for place, _, about in found if place == "store"} == {f"{lead}-{version}" for version in gone}


async def test_M6_an_inserted_event_is_found_also_with_a_right_digest(system: System) -> None:
    await system.publish()
    lead = system.made[3]
    row = await system.pool.fetchrow(
        "SELECT * FROM leadline.events WHERE originator_id = $1 ORDER BY originator_version DESC LIMIT 1", lead
    )
    version = row["originator_version"] + 1
    state = row["state"].replace(b'"version":%d,' % (version - 1), b'"version":%d,' % version)
    for digest, places in ((digest_of(row["digest"], state), {"topic"}), (bytes(32), {"store", "topic"})):
        await system.pool.execute(
            "INSERT INTO leadline.events VALUES ($1, $2, $3, $4, $5, $6, $7)",
            lead,
            version,
            row["topic"],
            state,
            row["kind"],
            row["recorded_at"],
            digest,
        )
        report = await system.verify()
        assert {place for place, _, about in named(report) if about == f"{lead}-{version}"} == places
        await _tamper(
            system, "DELETE FROM leadline.events WHERE originator_id = $1 AND originator_version = $2", lead, version
        )


async def test_M6_an_event_altered_on_the_topic_is_found(system: System) -> None:
    lead = system.made[0]

    def alter(stream: UUID, version: int, value: bytes, headers: Headers) -> tuple[bytes, Headers]:
        if (stream, version) == (lead, 2):
            value = value.replace(b'"visit":1', b'"visit":2')
        if (stream, version) == (lead, 3):
            headers = [(name, b"leadline.lead.accepted" if name == "ce_type" else held) for name, held in headers]
        return value, headers

    await system.publish(alter)
    report = await system.verify()
    assert named(report) == [("topic", "altered", f"{lead}-2"), ("topic", "altered", f"{lead}-3")]
    assert "value" in report.differences[0].detail
    assert "ce_type" in report.differences[1].detail


async def test_M2_a_lost_outbox_row_is_found(system: System) -> None:
    lead = system.made[0]
    await system.publish(lambda s, v, value, headers: None if (s, v) == (lead, 2) else (value, headers))
    report = await system.verify()
    assert named(report) == [("topic", "missing", f"{lead}-2")]
    assert report.lost == {"leads.events": 1}


async def test_M2_a_wrong_order_on_the_topic_is_found(system: System) -> None:
    lead, held = system.made[0], []

    def hold(stream: UUID, version: int, value: bytes, headers: Headers) -> tuple[bytes, Headers] | None:
        if (stream, version) == (lead, 2):
            held.append((value, headers))
            return None
        return value, headers

    await system.publish(hold)
    await send(system, "leads.events", [(str(lead).encode(), *held[0])])
    report = await system.verify()
    assert named(report) == [("topic", "order", f"{lead}-2")]


async def send(system: System, topic: str, records: Sequence[tuple[bytes, bytes | None, Headers]]) -> None:
    """Put records on a topic as a stranger would."""
    producer = AIOKafkaProducer(bootstrap_servers=system.settings.kafka_bootstrap)
    await producer.start()
    try:
        for key, value, headers in records:
            await producer.send_and_wait(system.settings.kafka_topic_prefix + topic, value, key=key, headers=headers)
    finally:
        await producer.stop()


async def test_M2_a_foreign_record_and_a_tombstone_on_the_topic_are_found(system: System) -> None:
    await system.publish()
    stranger, known = uuid4(), str(system.made[0]).encode()
    await send(
        system,
        "leads.events",
        [
            (known, None, []),
            (known, b"hello", [("ce_id", b"\xff\xfe")]),
            (str(stranger).encode(), b"{}", [("ce_id", f"{stranger}-1".encode())]),
        ],
    )
    found = named(await system.verify())
    assert [(place, kind) for place, kind, _ in found].count(("topic", "unexpected")) == 2
    assert ("store", "missing", f"{stranger}-1") in found
    assert len(found) == 3


async def test_M2_claims_that_contradict_the_events_are_found(system: System) -> None:
    await system.publish()
    open_lead, closed = system.made[0], system.made[1]
    contact = await system.pool.fetchval("SELECT contact FROM leadline.open_leads WHERE lead = $1", open_lead)
    await _tamper(system, "DELETE FROM leadline.open_leads WHERE lead = $1", open_lead)
    await _tamper(system, "UPDATE leadline.identities SET shared = true WHERE contact = $1", contact)
    await _tamper(system, "UPDATE leadline.open_leads SET lead = $1 WHERE lead = $2", closed, system.made[4])
    found = named(await system.verify())
    assert set(found) == {
        ("claims", "differs", str(open_lead)),
        ("claims", "differs", str(closed)),
        ("claims", "differs", str(system.made[4])),
        ("claims", "differs", str(contact)),
    }


async def test_M3_adopted_leads_agree_and_a_wrong_place_of_a_lead_is_found(system: System) -> None:
    text = """pipeline: elsewhere_of_verify
titles: {ru: "Другая", en: "Elsewhere"}
conversion_point: deal
stages:
  - {id: work, titles: {ru: "Работа", en: "Work"}, kind: open}
  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won}
"""
    await registry.publish(system.pool, SystemClock(), text, HEAD)
    lead, other, third = system.made[0], system.made[1], system.made[3]
    adopted = await system.leads.send(lead, "adopt", by=HEAD, pipeline="elsewhere_of_verify", number=1, stage="work")
    assert adopted.outcome == "done"
    await system.publish()
    await system.project()
    assert (await system.verify()).ok
    await _tamper(system, "UPDATE leadline.lead_places SET number = 7 WHERE lead = $1", lead)
    await _tamper(system, "DELETE FROM leadline.lead_places WHERE lead = $1", other)
    await _tamper(system, "UPDATE leadline.lead_places SET erased = true WHERE lead = $1", third)
    assert set(named(await system.verify())) == {
        ("claims", "differs", str(lead)),
        ("claims", "differs", str(other)),
        ("claims", "differs", str(third)),
    }


async def test_N18_a_lost_message_and_a_lost_refusal_are_found(system: System) -> None:
    await system.publish()
    lost, taken, waiting = uuid4(), system.made[0], uuid4()
    sql = """INSERT INTO leadline.intake (id, channel, account, body_hash, received_at, actor, ciphertext)
             VALUES ($1, 'form', 'main', '', now(), '{}', '')"""
    await system.pool.execute(sql, lost)
    await system.pool.execute(sql, waiting)
    reference = orjson.dumps({"inbound_id": str(waiting), "channel": "form", "attempt": 1})
    await send(system, "leads.inbound", [(b"k", reference, [])])
    message = await system.pool.fetchval(
        "DELETE FROM leadline.inbound_outcomes WHERE lead = $1 RETURNING inbound_id", taken
    )
    command = uuid4()
    await system.pool.execute(
        """INSERT INTO leadline.commands (id, stream, body_hash, outcome, refusal, by_person, at)
           VALUES ($1, $2, '', 'refused', '{"rules": ["S1.one_step_forward"]}', true, now())""",
        command,
        taken,
    )
    found = named(await system.verify())
    assert ("inbound", "missing", str(lost)) in found
    assert ("inbound", "missing", str(message)) in found
    assert ("refusals", "missing", str(command)) in found
    assert str(waiting) not in {about for _, _, about in found}


async def test_K2_a_refusal_altered_in_the_store_or_on_the_topic_is_found(system: System) -> None:
    await system.publish()
    row = await system.pool.fetchrow("SELECT command, key, value FROM leadline.refusals")
    await send(system, "leads.refusals", [(row["key"].encode(), row["value"], [])])
    report = await system.verify()
    assert (named(report), report.counts["repeats"]) == ([], 1)
    altered = row["value"].replace(b"S2.exit_criteria", b"S2.exit_criterion").replace(b"S1.one_step", b"S1.two_steps")
    assert altered != row["value"]
    await send(system, "leads.refusals", [(row["key"].encode(), altered, []), (b"k", b"{}", [])])
    found = named(await system.verify())
    assert ("refusals", "altered", str(row["command"])) in found
    assert [kind for _, kind, _ in found] == ["altered", "unexpected"] or [k for _, k, _ in found] == [
        "unexpected",
        "altered",
    ]
    await _tamper(system, "UPDATE leadline.refusals SET value = $1", altered)
    report = await system.verify()
    assert "the stored answer and the record say different things" in str(report.differences)


async def test_M7_an_erased_person_is_no_difference_and_a_key_that_survived_is(system: System) -> None:
    lead = system.made[0]
    contact = (await system.leads.history(lead))[0].data.contact
    wrapped = await system.pool.fetchval("SELECT wrapped FROM vault.keys WHERE id = $1", contact)
    assert (await system.leads.erase(contact)).outcome == "done"
    await system.publish()
    assert named(await system.verify()) == []
    await _tamper(system, "UPDATE vault.keys SET wrapped = $2, destroyed_at = NULL WHERE id = $1", contact, wrapped)
    assert ("keys", "erased", str(contact)) in named(await system.verify())


async def test_M2_a_parked_record_is_reported(system: System) -> None:
    await system.publish()
    await system.pool.execute(
        """INSERT INTO leadline.parked (consumer, build, topic, partition, "offset", headers, timestamp_ms, reason, detail, at)
           VALUES ('projections', 1, 'leads.events', 0, 1, '[]', 0, 'gap', 'version 3 came', now())"""
    )
    assert named(await system.verify()) == [("projection", "parked", "projections/1")]


async def test_M6_a_consumer_ahead_of_the_store_is_found(system: System) -> None:
    await system.publish()
    lead = system.made[0]
    last = await system.pool.fetchval(
        "SELECT max(originator_version) FROM leadline.events WHERE originator_id = $1", lead
    )
    sql = "INSERT INTO leadline.seen (consumer, build, stream, version, digest) VALUES ('reactor', 1, $1, $2, $3)"
    await system.pool.execute(sql, lead, last + 1, bytes(32))
    assert ("store", "missing", f"{lead}-{last + 1}") in named(await system.verify())


async def test_M2_the_projections_agree_with_a_fold_of_their_own(system: System) -> None:
    await system.publish()
    await system.project()
    report = await system.verify()
    assert [str(difference) for difference in report.differences] == []
    assert report.counts["rows of board.cards"] == 5
    assert report.counts["rows of timeline.entries"] > 20
    assert report.counts["rows of people.identities"] == 4
    assert report.notes == []


TAMPERED_ROWS = {
    "a card's stage": ("UPDATE proj_board_1.cards SET stage = 'proposal' WHERE lead = $1", "board.cards"),
    "a card's name": ("UPDATE proj_board_1.cards SET name = 'Другой' WHERE lead = $1", "board.cards"),
    "a card deleted": ("DELETE FROM proj_board_1.cards WHERE lead = $1", "board.cards"),
    "a visit's end": ("UPDATE proj_funnel_1.visits SET left_at = now() WHERE lead = $1", "funnel.visits"),
    "how a visit ended": ("UPDATE proj_funnel_1.visits SET left_how = 'won' WHERE lead = $1", "funnel.visits"),
    "a visit deleted": ("DELETE FROM proj_funnel_1.visits WHERE lead = $1", "funnel.visits"),
    "a lead's cohort": (
        "UPDATE proj_funnel_1.leads SET captured_at = captured_at - interval '1 month' WHERE lead = $1",
        "funnel.leads",
    ),
    "an entry's data": (
        "UPDATE proj_timeline_1.entries SET data = data || '{\"visit\": 7}' WHERE lead = $1 AND version = 2",
        "timeline.entries",
    ),
    "an entry made up": (
        "INSERT INTO proj_timeline_1.entries SELECT lead, version + 90, type, happened_at, recorded_at, actor_id, "
        "actor_kind, on_behalf_of, person, data, personal, erased FROM proj_timeline_1.entries WHERE lead = $1",
        "timeline.entries",
    ),
    "a lead given to another": (
        "UPDATE proj_people_1.leads SET contact = gen_random_uuid() WHERE lead = $1",
        "people.leads",
    ),
    "an identity": (
        "UPDATE proj_people_1.identities SET value = '+70000000000' WHERE contact = "
        "(SELECT contact FROM proj_people_1.leads WHERE lead = $1)",
        "people.identities",
    ),
    "a word lost": (
        "DELETE FROM proj_people_1.words WHERE contact = (SELECT contact FROM proj_people_1.leads WHERE lead = $1)",
        "people.words",
    ),
    "a count": ("UPDATE proj_board_1.counts SET leads = leads + 1 WHERE $1::uuid IS NOT NULL", "board.counts"),
    "a sum": (
        "INSERT INTO proj_board_1.sums SELECT 'classic', 'new', 0, 'RUB', 10 WHERE $1::uuid IS NOT NULL",
        "board.sums",
    ),
}


async def test_M2_each_projection_row_changed_by_hand_is_found(system: System) -> None:
    await system.publish()
    await system.project()
    for what, (sql, place) in TAMPERED_ROWS.items():
        async with system.pool.acquire() as connection:
            backup = await _tables(connection)
            assert not (await connection.execute(sql, system.made[0])).endswith(" 0"), what
        report = await system.verify()
        assert named(report), what
        assert all(place in difference.detail for difference in report.differences), (what, report.differences)
        assert "Другой" not in str(report.as_object())
        assert "+7000" not in str(report.as_object())
        async with system.pool.acquire() as connection:
            await _put_back(connection, backup)
    assert (await system.verify()).ok


ROBOT_ROWS = (
    "UPDATE proj_robots_1.runs SET due_at = due_at + interval '1 hour' WHERE lead = $1",
    "UPDATE proj_robots_1.runs SET outcome = 'ran' WHERE lead = $1",
    "DELETE FROM proj_robots_1.runs WHERE lead = $1",
)


async def test_N2_a_robots_row_changed_by_hand_is_found(system: System) -> None:
    lead = system.made[0]
    await system.leads.send(lead, "pause", until="2099-01-12", reason="отпуск")
    await system.publish()
    await system.project()
    report = await system.verify()
    assert (report.ok, report.counts["rows of robots.runs"]) == (True, 1), "the pause that comes back by itself"
    for sql in ROBOT_ROWS:
        async with system.pool.acquire() as connection:
            backup = await _tables(connection)
            assert not (await connection.execute(sql, lead)).endswith(" 0"), sql
        report = await system.verify()
        assert {difference.place for difference in report.differences} == {"projection"}
        assert all("robots.runs" in difference.detail for difference in report.differences), sql
        async with system.pool.acquire() as connection:
            await _put_back(connection, backup)
    assert (await system.verify()).ok


async def _tables(connection: Database) -> dict[str, list[Any]]:
    names = await connection.fetch("SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname LIKE 'proj%'")
    return {name: await connection.fetch(f"SELECT * FROM {name}") for (name,) in names}


async def _put_back(connection: Database, tables: dict[str, list[Any]]) -> None:
    for name, rows in tables.items():
        schema, table = name.split(".")
        await connection.execute(f"DELETE FROM {name}")
        await connection.copy_records_to_table(table, schema_name=schema, records=rows)


async def test_M7_what_a_projection_keeps_in_plain_of_an_erased_person_is_found(system: System) -> None:
    await system.publish()
    await system.project()
    lead = system.made[0]
    contact = await system.pool.fetchval("SELECT contact FROM proj_people_1.leads WHERE lead = $1", lead)
    assert (await system.leads.erase(contact)).outcome == "done"
    # before the projections have learnt of it, the plain rows are no difference
    assert [str(difference) for difference in (await system.verify()).differences] == []
    await system.publish()
    await system.project()
    assert [str(difference) for difference in (await system.verify()).differences] == []
    await _tamper(system, "UPDATE proj_board_1.cards SET name = 'Клиент 0' WHERE lead = $1", lead)
    await system.pool.execute("INSERT INTO proj_people_1.words VALUES ('клиент', $1)", contact)
    await _tamper(
        system,
        'UPDATE proj_timeline_1.entries SET personal = \'{"name": "Клиент 0"}\' WHERE lead = $1 AND version = 1',
        lead,
    )
    report = await system.verify()
    assert {(place, kind) for place, kind, _ in named(report)} == {("projection", "erased")}
    assert len(report.differences) == 3
    assert "Клиент" not in str(report.as_object())


async def test_M2_a_projection_that_lags_is_no_difference(system: System) -> None:
    await system.publish()
    await system.project()
    await system.leads.send(system.made[0], "accept")
    await system.leads.send(system.made[3], "reject", status="off_target")
    await system.publish()
    report = await system.verify()
    assert [str(difference) for difference in report.differences] == []
    assert report.counts["streams projections/1 is still behind on"] == 2


@pytest.fixture
def configured(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a command that is about this system."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP", settings.kafka_bootstrap)
    monkeypatch.setenv("KAFKA_TOPIC_PREFIX", settings.kafka_topic_prefix)
    monkeypatch.setenv("KAFKA_PARTITIONS", str(settings.kafka_partitions))
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("LEADLINE_MASTER_KEY", settings.master_key.get_secret_value())
    monkeypatch.setenv("LEADLINE_PEPPER", settings.pepper.get_secret_value())


async def said(capsys: pytest.CaptureFixture[str], *, repair: bool = False) -> tuple[int, dict[str, Any]]:
    """What the command says: status and JSON."""
    status = await command.verify(find_place(None), repair=repair, as_json=True)
    return status, orjson.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("configured")
async def test_M2_repair_publishes_what_the_topics_lost_and_the_store_has(
    system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    lead = system.made[3]
    last = await system.pool.fetchval(
        "SELECT max(originator_version) FROM leadline.events WHERE originator_id = $1", lead
    )
    await system.publish(lambda s, v, value, headers: None if (s, v) == (lead, last) else (value, headers))
    refused = await system.leads.send(lead, "convert")
    await system.publish_nothing()
    status, report = await said(capsys)
    assert (status, report["ok"]) == (1, False)
    about = {difference["about"] for difference in report["differences"]}
    assert about == {f"{lead}-{last}", str(refused.command)}
    status, report = await said(capsys, repair=True)
    assert (status, report["differences"]) == (0, [])
    assert "published again" in report["notes"][-1]


@pytest.mark.usefixtures("configured")
async def test_M2_repair_leaves_a_store_alone_that_is_not_as_it_was_written(
    system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    lead = system.made[3]
    await system.publish(lambda s, v, value, headers: None if (s, v) == (lead, 4) else (value, headers))
    sql = "UPDATE leadline.events SET digest = $2 WHERE originator_id = $1 AND originator_version = 2"
    await _tamper(system, sql, lead, bytes(32))
    with pytest.raises(OpsError, match="store itself"):
        await said(capsys, repair=True)
    _, report = await said(capsys)
    assert ("topic", f"{lead}-4") in {
        (difference["place"], difference["about"]) for difference in report["differences"]
    }


@pytest.mark.usefixtures("configured")
async def test_M2_what_cannot_be_checked_is_status_2_and_not_agreement(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP", f"127.0.0.1:{free_port()}")
    status = await asyncio.to_thread(main, ["verify"])
    assert status == 2
    assert "Kafka" in capsys.readouterr().err
    monkeypatch.setenv("LEADLINE_MASTER_KEY", "short")
    assert await asyncio.to_thread(main, ["verify"]) == 2
    assert "LEADLINE_MASTER_KEY" in capsys.readouterr().err

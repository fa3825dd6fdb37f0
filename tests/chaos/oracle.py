"""The oracle: from what the clients know and the raw tables, is everything there exactly once? Independent of the product.

Only SQL, hashes, AES and JSON are used here, no code of `services`, `projections` or `contracts`; what the product publishes as
its contract (digest, sealing, ids of direct messages) is written down here a second time on purpose. Complaints are collected,
so that one run tells all that is wrong.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

import asyncpg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.chaos import topics
from tests.chaos.fold import CONTACT, LEAD, Told, closings, fold
from tests.chaos.ledger import Input, Ledger, Sent
from tests.chaos.robots import Counts, check_robots, own_commands
from tests.chaos.system import System
from tests.chaos.tables import check_tables

DIGEST_TAG = b"leadline-sha256-1:"
NAMESPACE = UUID("6b1d3a52-3a5e-5c3f-9a53-0c9d4f1e7a10")  # of ids that Leadline makes from an adapter's own
DIRECT_SOURCE = "chaos"
PIPELINE = "classic"
TOLD = 5


@dataclass(slots=True)
class Verdict:
    """What a check found. `wrong` is empty when all is as it must be."""

    inputs: int = 0
    events: int = 0
    commands: int = 0
    repeats: int = 0
    robots: Counts = field(default_factory=Counts)
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    moved: bool = False
    """Something was recorded meanwhile, as by who looks at the clock each minute: what was found proves nothing."""


async def examine(system: System, ledger: Ledger) -> Verdict:
    """Check everything, in a system that is drained."""
    verdict = Verdict()
    database = await system.connect()
    try:
        async with database.transaction(isolation="repeatable_read", readonly=True):
            events = await _events(database, base64.b64decode(system.secrets["master_key"]), verdict.wrong)
            await _inputs(database, ledger, events, verdict)
            refused = await _commands(database, ledger, events, verdict)
            if left := await database.fetchval("SELECT count(*) FROM leadline.outbox"):
                verdict.wrong.append(f"outbox: {left} rows are left")
            for row in await database.fetch("SELECT consumer, reason, detail FROM leadline.parked LIMIT 10"):
                verdict.wrong.append(f"parked: {tuple(row)}")
            await check_tables(database, fold(events), verdict.wrong)
            letters = dict(ledger.sink.letters)
            verdict.robots = await check_robots(database, events, letters, ledger.crashes, verdict.wrong)
    finally:
        await database.close()
    by_id = {(event.stream, event.version): event for event in events}
    verdict.events = len(events)
    verdict.repeats = await topics.check_events(system.info["kafka"], by_id, verdict.wrong)
    verdict.repeats += await topics.check_refusals(system.info["kafka"], refused, verdict.wrong)
    database = await system.connect()
    try:
        verdict.moved = await database.fetchval("SELECT count(*) FROM leadline.events") != verdict.events
    finally:
        await database.close()
    return verdict


async def missing(system: System, ledger: Ledger) -> list[str]:
    """What was accepted and has no outcome yet, the first of them: for the complaint that the system does not drain."""
    database = await system.connect()
    try:
        told = {row[0] for row in await database.fetch("SELECT inbound_id FROM leadline.inbound_outcomes")}
        told |= {row[0] for row in await database.fetch("SELECT id FROM leadline.commands")}
    finally:
        database.terminate()
    left = [f"{each}" for each in ledger.accepted() if _inbound_id(each) not in told]
    left += [f"{each}" for each in ledger.commands if each.accepted and each.id not in told]
    return left[:TOLD]


# --- the store -------------------------------------------------------------------------------------------------------


async def _events(database: asyncpg.Connection, master: bytes, wrong: list[str]) -> list[Told]:
    """All events, chain and versions checked, personal values opened."""
    keys = {}
    for row in await database.fetch("SELECT id, wrapped FROM vault.keys WHERE wrapped IS NOT NULL"):
        place = b"leadline-key:" + row["id"].bytes
        keys[str(row["id"])] = AESGCM(AESGCM(master).decrypt(row["wrapped"][:12], row["wrapped"][12:], place))
    events: list[Told] = []
    stream, version, digest = UUID(int=0), 0, b""
    for row in await database.fetch("SELECT * FROM leadline.events ORDER BY originator_id, originator_version"):
        about = f"store: {row['originator_id']}-{row['originator_version']}"
        if row["originator_id"] != stream:
            stream, version, digest = row["originator_id"], 0, b""
        if row["originator_version"] != version + 1:
            wrong.append(f"{about}: comes after version {version}")
        version = row["originator_version"]
        digest = hashlib.sha256(DIGEST_TAG + digest + row["state"]).digest()
        if digest != row["digest"]:
            wrong.append(f"{about}: the digest is not that of its bytes and its predecessor")
        record = json.loads(row["state"])
        meta = record["meta"]
        if (meta["stream"], meta["version"], meta["type"]) != (str(stream), version, row["topic"]):
            wrong.append(f"{about}: the envelope says {meta['stream']}-{meta['version']} {meta['type']}")
        personal = _opened(record["personal"], keys, f"{stream}-{version}/personal") if "personal" in record else {}
        data, at = record["data"], row["recorded_at"]
        events.append(Told(stream, version, meta["type"], meta, data, personal, row["state"], row["digest"], at))
    return events


def _opened(sealed: str, keys: dict[str, AESGCM], place: str) -> dict[str, Any]:
    _, key, text = sealed.split(".")
    raw = base64.b64decode(text)
    opened: dict[str, Any] = json.loads(keys[key].decrypt(raw[:12], raw[12:], place.encode()))
    return opened


# --- inputs ----------------------------------------------------------------------------------------------------------


def _inbound_id(each: Input) -> UUID:
    return each.inbound_id or uuid5(NAMESPACE, f"direct:{DIRECT_SOURCE}:{each.marker}")


async def _inputs(database: asyncpg.Connection, ledger: Ledger, events: list[Told], verdict: Verdict) -> None:
    """Every accepted input has one outcome and, if it is no quarantine, one event; nothing else has; one lead per person."""
    wrong = verdict.wrong
    outcomes = {row["inbound_id"]: row for row in await database.fetch("SELECT * FROM leadline.inbound_outcomes")}
    told: dict[str, list[Told]] = defaultdict(list)
    for event in events:
        if event.type in (LEAD + "captured", LEAD + "inbound_joined"):
            told[event.personal["comment"]].append(event)
    people: dict[str, set[UUID]] = defaultdict(set)
    known: set[UUID] = set()
    verdict.inputs = len(ledger.accepted())
    for each in ledger.inputs:
        inbound_id = _inbound_id(each)
        outcome, mine = outcomes.get(inbound_id), told.pop(each.marker, [])
        about = f"input {inbound_id} ({each.door}, cycle {each.cycle})"
        if not each.accepted:
            if each.aborted and (outcome or mine):
                wrong.append(f"{about}: was aborted, and appeared: {outcome and outcome['outcome']}")
            elif not each.aborted:
                wrong.append(f"{about}: its client has no answer")
            continue
        known.add(inbound_id)
        if outcome is None:
            wrong.append(f"{about}: accepted, and has no outcome")
            continue
        verdict.outcomes[outcome["outcome"]] += 1
        wanted = {"accepted": LEAD + "captured", "joined": LEAD + "inbound_joined"}.get(outcome["outcome"])
        if each.reachable != (wanted is not None):
            wrong.append(f"{about}: is {outcome['outcome']} ({outcome['reason']})")
        if [event.type for event in mine] != ([wanted] if wanted else []):
            wrong.append(f"{about}: is {outcome['outcome']}, its events: {[e.type for e in mine]}")
        for event in mine:
            if (event.stream, event.data["inbound_id"]) != (outcome["lead"], str(inbound_id)):
                wrong.append(f"{about}: its event is {event.stream}-{event.version}, its lead {outcome['lead']}")
            people[each.person].add(outcome["contact"])
    for marker, extra in told.items():
        wrong.append(f"events of a message nobody sent: {marker} {extra[0].stream}-{extra[0].version}")
    wrong += [f"an outcome of a message nobody sent: {inbound_id}" for inbound_id in outcomes.keys() - known]
    if sum(verdict.outcomes.values()) != verdict.inputs:
        wrong.append(f"{verdict.inputs} inputs, outcomes {dict(verdict.outcomes)}")
    await _people(database, people, events, wrong)


async def _people(
    database: asyncpg.Connection, people: dict[str, set[UUID]], events: list[Told], wrong: list[str]
) -> None:
    """A person is one contact, has one open lead at most, and a further lead only where one was closed."""
    contacts = Counter(contact for each in people.values() for contact in each)
    wrong += [f"a person ended up as contacts {each}" for each in people.values() if len(each) != 1]
    wrong += [f"contact {contact} is several persons" for contact, count in contacts.items() if count != 1]
    wrong += [
        f"contact {event.stream} is nobody's"
        for event in events
        if event.type == CONTACT + "made" and event.stream not in contacts
    ]
    leads: dict[UUID, list[UUID]] = defaultdict(list)
    stage: dict[UUID, str] = {}
    for event in events:
        if event.type == LEAD + "captured":
            leads[UUID(event.data["contact"])].append(event.stream)
        elif event.type == LEAD + "stage_entered":
            stage[event.stream] = event.data["kind"]
    closed = closings(events)
    open_now: dict[UUID, UUID] = {}
    for contact, mine in leads.items():
        if len(mine) > 1 + sum(closed[lead] for lead in mine):
            wrong.append(f"contact {contact} has {len(mine)} leads: {mine}")
        still_open = [lead for lead in mine if stage[lead] == "open"]
        if len(still_open) > 1:
            wrong.append(f"contact {contact} has {len(still_open)} open leads: {still_open}")
        open_now |= dict.fromkeys(still_open, contact)
    rows = await database.fetch("SELECT lead, contact FROM leadline.open_leads WHERE pipeline = $1", PIPELINE)
    if {row["lead"]: row["contact"] for row in rows} != open_now:
        wrong.append(f"open_leads differs from the events: {len(rows)} rows, {len(open_now)} open leads")


# --- commands --------------------------------------------------------------------------------------------------------


async def _commands(database: asyncpg.Connection, ledger: Ledger, events: list[Told], verdict: Verdict) -> set[UUID]:
    """Every command has one row, with the answer its client got and the events it made. Returns those refused."""
    wrong = verdict.wrong
    rows = {row["id"]: row for row in await database.fetch("SELECT * FROM leadline.commands")}
    made: dict[UUID, list[Told]] = defaultdict(list)
    for event in events:
        made[UUID(event.meta["command"])].append(event)
    verdict.commands = len(ledger.commands)
    for sent in ledger.commands:
        about = f"command {sent.name} {sent.id} ({sent.door})"
        row = rows.pop(sent.id, None)
        if not sent.accepted or row is None:
            wrong.append(f"{about}: {'has no row' if sent.accepted else 'its client has no answer'}")
            continue
        mine = made.get(sent.id, [])
        versions = [event.version for event in mine if event.stream == sent.lead]
        first, last = row["first_version"], row["last_version"]
        if versions != (list(range(first, last + 1)) if first is not None else []) or len(versions) != len(mine):
            wrong.append(f"{about}: made {_ids(mine)}, its row says {first} to {last}")
        if row["stream"] != sent.lead or row["outcome"] not in ("done", "refused"):
            wrong.append(f"{about}: its row is {row['outcome']} of {row['stream']}")
        if (row["outcome"] == "done") != (row["refusal"] is None) or (row["refusal"] and mine):
            wrong.append(f"{about}: is {row['outcome']}, refusal {row['refusal']}, events {_ids(mine)}")
        if sent.door == "http":
            _answered(sent, row, mine, about, wrong)
    watched = {row["id"] for row in await database.fetch("SELECT id FROM leadline.incidents_told")}
    strange = rows.keys() - own_commands(events) - watched
    wrong += [f"a row of a command nobody sent: {left}" for left in list(strange)[:10]]
    return {row["id"] for row in await database.fetch("SELECT id FROM leadline.commands WHERE outcome = 'refused'")}


def _answered(sent: Sent, row: asyncpg.Record, mine: list[Told], about: str, wrong: list[str]) -> None:
    """Is the row what the client was answered?"""
    if (sent.status == 200) != (row["outcome"] == "done"):
        wrong.append(f"{about}: answered {sent.status}, its row is {row['outcome']}")
    elif sent.status == 200:
        answered = (sent.answer["version"], [event["id"] for event in sent.answer["events"]])
        if answered != (row["last_version"], _ids(mine)):
            wrong.append(f"{about}: answered {answered}, the store has {row['last_version']}, {_ids(mine)}")
    else:
        refusal = json.loads(row["refusal"])
        if (sent.status, sent.answer["rules"], sent.answer["missing"]) != (
            refusal["status"],
            refusal["rules"],
            refusal["missing"],
        ):
            wrong.append(f"{about}: answered {sent.status} {sent.answer['rules']}, its row says {refusal}")


def _ids(events: Iterable[Told]) -> list[str]:
    return [f"{event.stream}-{event.version}" for event in events]

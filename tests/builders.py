"""Makes events and their Kafka records as the writer and the relay do, for tests of what reads them.

Every stream made here has a right digest chain; `record` gives a record as a consumer gets it, `send` puts it on a topic.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from aiokafka import AIOKafkaProducer
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contracts.events import Event
from contracts.events.company import CompanyIdentityAdded, CompanyMade
from contracts.events.contact import CompanyJoined, ContactMade, IdentityAdded, PersonErased
from contracts.events.lead import LeadAssigned, LeadCaptured, Money, OfferMade, StageEntered
from contracts.events.robots import (
    EffectBounced,
    EffectDone,
    EffectFailed,
    EffectRepeated,
    EffectRequested,
    RobotArmed,
    RobotRan,
    RobotSkipped,
    TriggerRefused,
)
from contracts.meta import GENESIS, Actor, Meta, cloud_event_headers, digest_of
from contracts.topics import EVENTS_TOPIC_OF_KIND
from services.database import Pool
from services.eventlog.consuming import RawRecord
from services.eventlog.mapper import encode
from services.privacy.cipher import new_key, wrap_key
from services.privacy.store import insert_keys
from services.settings import Settings

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Made:
    """An event as it stands on its topic."""

    topic: str
    stream: UUID
    version: int
    value: bytes
    headers: list[tuple[str, bytes]]
    digest: bytes

    @property
    def key(self) -> bytes:
        return str(self.stream).encode()

    def record(self, offset: int, partition: int = 0, topic: str | None = None) -> RawRecord:
        """The record as a consumer gets it."""
        return RawRecord(topic or self.topic, partition, offset, self.key, self.value, self.headers, 0)


@dataclass
class Keys:
    """Keys of persons, for sealing; `store` puts them where a KeyRing finds them."""

    keys: dict[UUID, bytes] = field(default_factory=dict)

    def of(self, person: UUID) -> AESGCM:
        return AESGCM(self.keys.setdefault(person, new_key()))

    def key(self, key_id: UUID) -> AESGCM | None:
        raw = self.keys.get(key_id)
        return None if raw is None else AESGCM(raw)

    async def store(self, pool: Pool, settings: Settings) -> None:
        async with pool.acquire() as connection:
            held = {row[0] for row in await connection.fetch("SELECT id FROM vault.keys")}
            rows = [(i, wrap_key(settings.master_key_bytes, i, k)) for i, k in self.keys.items() if i not in held]
            await insert_keys(connection, "person", rows)


@dataclass
class Stream:
    """A stream that grows by `add`, chained from its first event on."""

    keys: Keys
    person: UUID = field(default_factory=uuid4)
    id: UUID = field(default_factory=uuid4)
    version: int = 0
    digest: bytes = GENESIS
    at: datetime = START
    made: list[Made] = field(default_factory=list)

    def add(self, data: Event, **meta: Any) -> Made:
        """The stream's next event."""
        self.version += 1
        self.at += timedelta(minutes=1)
        full = Meta(
            **{
                "stream": self.id,
                "version": self.version,
                "kind": data.KIND,
                "type": data.TOPIC,
                "happened_at": self.at,
                "recorded_at": self.at + timedelta(seconds=1),
                "actor": Actor(id="anna", kind="person"),
                "command": uuid4(),
                "correlation": "test",
                "pipeline": "classic@1" if data.KIND == "lead" else None,
                "person": self.person,
                **meta,
            }
        )
        value = encode(full, data, self.keys.of(self.person) if data.PERSONAL else None)
        self.digest = digest_of(self.digest, value)
        made = Made(
            EVENTS_TOPIC_OF_KIND[data.KIND],
            self.id,
            self.version,
            value,
            cloud_event_headers(full, self.digest),
            self.digest,
        )
        self.made.append(made)
        return made


def contact(keys: Keys, *, name: str = "Анна Иванова", phone: str = "+79161234567", email: str = "") -> Stream:
    """A contact with its identities."""
    person = uuid4()
    stream = Stream(keys, person, person)
    stream.add(ContactMade(name=name, company="ООО Ромашка"))
    stream.add(IdentityAdded(identity_kind="phone", value=phone))
    if email:
        stream.add(IdentityAdded(identity_kind="email", value=email))
    return stream


def company(keys: Keys, *speakers: Stream, name: str = "ООО Ромашка") -> Stream:
    """A company that is found by its site, and joined by these persons."""
    firm = uuid4()
    stream = Stream(keys, firm, firm)
    stream.add(CompanyMade(name=name))
    stream.add(CompanyIdentityAdded(identity_kind="site", value="romashka.example.org"))
    for speaker in speakers:
        speaker.add(CompanyJoined(company=firm))
    return stream


def lead(
    keys: Keys,
    person: UUID,
    *,
    name: str = "Анна Иванова",
    phone: str = "+79161234567",
    stages: Sequence[str] = ("new",),
) -> Stream:
    """A lead that entered these stages one after another, assigned and with an offer once past the first."""
    stream = Stream(keys, person)
    stream.add(
        LeadCaptured(
            pipeline="classic",
            contact=person,
            channel="form",
            source="site",
            form="main",
            received_at=stream.at,
            name=name,
            company="ООО Ромашка",
            phone=phone,
            comment="Нужна столешница",
        )
    )
    for number, stage in enumerate(stages, start=1):
        enter(stream, stage, number, stages[number - 2] if number > 1 else None)
        if number == 1:
            stream.add(LeadAssigned(to="anna", reason="in_turn", candidates=("anna", "boris"), turn=0))
        if number == 2:
            offer(stream, "1000.50")
    return stream


def enter(stream: Stream, stage: str, visit: int, from_stage: str | None) -> Made:
    """The lead enters a stage."""
    kinds = {"converted": "won", "price": "lost", "paused": "postponed"}
    return stream.add(
        StageEntered(
            stage=stage,
            kind=kinds.get(stage, "open"),  # type: ignore[arg-type]
            visit=visit,
            from_stage=from_stage,
            from_visit=visit - 1 or None,
            cause="moved" if from_stage else "captured",
            direction="forward" if from_stage else "in",
        )
    )


def offer(stream: Stream, amount: str, currency: str = "RUB") -> Made:
    """Terms are offered."""
    return stream.add(OfferMade(volume="2 шт", price=Money(amount=Decimal(amount), currency=currency), delivery_days=7))


def by_itself(stream: Stream) -> None:
    """Robots and a trigger of a lead: a letter that failed, went out when a person asked again, and came back; one that waits."""
    effect, of = uuid4(), {"robot": "letter", "visit": 1, "timer": uuid4()}
    due = stream.at + timedelta(minutes=1)
    stream.add(RobotArmed(**of, due_at=due, because="entry"))
    stream.add(EffectRequested(effect=effect, effect_kind="email", robot="letter", visit=1, email="a@example.org"))
    stream.add(RobotRan(**of, did="email", due_at=due, late_ms=60_000, effect=effect))
    stream.add(EffectFailed(effect=effect, effect_kind="email", attempts=9, reason="recipient_refused: 550"))
    stream.add(EffectRepeated(effect=effect, effect_kind="email", email="a@example.org"))
    stream.add(EffectDone(effect=effect, effect_kind="email", attempts=1, provider="smtp.example.org"))
    stream.add(EffectBounced(effect=effect, inbound_id=uuid4(), status="5.1.1"))
    for robot, later in (("skipped", timedelta()), ("waits", timedelta(days=3))):
        of = {"robot": robot, "visit": 1, "timer": uuid4()}
        stream.add(RobotArmed(**of, due_at=stream.at + later, because="entry"))
        if not later:
            stream.add(RobotSkipped(**of, reason="condition", clause="card.budget > 1", values={"card.budget": "0"}))
    stream.add(TriggerRefused(trigger="reply", to_stage="proposal", because=f"{stream.id}-1", reason="rules"))


def erased(person: Stream) -> Made:
    """The contact is erased: the event, not the destruction of the key."""
    return person.add(PersonErased(reason="asked"))


async def send(settings: Settings, made: Iterable[Made], *, topic: str | None = None) -> None:
    """Put events on their topics, in order, as the relay does."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, enable_idempotence=True)
    await producer.start()
    try:
        sent = [
            await producer.send(
                settings.kafka_topic_prefix + (topic or event.topic), event.value, key=event.key, headers=event.headers
            )
            for event in made
        ]
        for future in sent:
            await future
    finally:
        await producer.stop()

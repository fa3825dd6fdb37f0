"""Whatever stands in a body of any channel, the pure readers and rules give exactly one outcome (K5, N18)."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from contracts import events as e
from contracts.inbound import TYPE_OF_CHANNEL
from services.eventlog.consuming import RawRecord
from services.leads.handlers import Reader
from services.leads.work import ArrivalWork
from services.settings import Settings
from tests.unit.given_arrival import World

SETTINGS = Settings(
    pepper=SecretStr("cGVwcGVyIHBlcHBlciBwZXBwZXIgcGVwcGVyIDMyISE="), master_key=SecretStr("a" * 43 + "=")
)
READER = Reader(SETTINGS, None)  # type: ignore[arg-type]
LIMITS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

TEXTS = st.text(max_size=30) | st.sampled_from(
    ["+79161234567", "a@b.example", "anonymous", "101", "\x00", "", "in", "out"]
)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(timezones=ZONES).map(datetime.isoformat) | TEXTS
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
FIELDS = {
    "form": ("name", "phone", "email", "company", "comment", "source", "fields", "kind", "occurred_at", "visitor_id"),
    "call": ("call_id", "direction", "from", "to", "answered", "started_at", "ended_at", "recording_url", "agent"),
    "message": ("channel", "sender_id", "name", "phone", "text", "occurred_at"),
    "visit": ("identity", "page", "place", "at"),
    "mail": (
        "message_id",
        "sender",
        "reply_to",
        "subject",
        "text",
        "in_reply_to",
        "references",
        "thread",
        "kind",
        "list_id",
    ),
}


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, Any]:
    """A body that looks like one of a channel, with anything in its fields."""
    channel = draw(st.sampled_from(sorted(FIELDS)))
    names = draw(st.sets(st.sampled_from(FIELDS[channel])))
    value = MOMENTS | JSON
    return channel, {name: draw(value) for name in sorted(names)}


def direct(channel: str, raw: bytes | None, **headers: bytes) -> ArrivalWork:
    """A record as it stands on the topic."""
    named = {"ce_type": TYPE_OF_CHANNEL[channel].encode(), "ce_source": b"fuzz", "ce_id": b"1", **headers}
    return READER.direct(RawRecord("leads.inbound", 0, 1, None, raw, list(named.items()), 1_700_000_000_000))


@given(bodies())
@LIMITS
def test_K5_any_body_of_a_channel_is_read_or_has_a_problem(case: tuple[str, Any]) -> None:
    channel, body = case
    work = direct(channel, orjson.dumps(body))
    assert (work.understood is None) == (work.problem is not None)
    assert work.channel == channel
    if work.understood is not None and (occurred := work.understood.said.occurred_at) is not None:
        assert occurred.astimezone(UTC).year >= 1970, "a time that no database can hold"
    if work.problem is not None:
        assert work.problem.partition(":")[0] == "malformed"


@given(
    st.sampled_from(sorted(FIELDS)), st.none() | st.binary(max_size=200), st.binary(max_size=20), st.binary(max_size=20)
)
@LIMITS
def test_N18_any_bytes_on_the_topic_are_one_piece_of_work(
    channel: str, raw: bytes | None, kind: bytes, source: bytes
) -> None:
    for work in (direct(channel, raw), direct(channel, raw, ce_type=kind, ce_source=source, ce_id=source)):
        assert (work.understood is None) == (work.problem is not None)
        assert work.raw == (raw or b"")
        assert work.actor.id.isascii()


PHONES = st.sampled_from(["+79161234567", "+79167654321", "101", "anonymous", ""])
NAMES = st.sampled_from([None, "Анна", "Мария", "Anna"])
ADDRESSES = st.sampled_from(["anna@example.org", "maria@example.org"])
IDS = st.text(string.ascii_lowercase[:3], min_size=1, max_size=1)
AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
STEPS = st.one_of(
    st.fixed_dictionaries({"phone": PHONES, "name": NAMES, "kind": st.sampled_from([None, "callback"])}).map(
        lambda body: ("form", body)
    ),
    st.fixed_dictionaries(
        {
            "call_id": IDS,
            "direction": st.sampled_from(["in", "out"]),
            "from": PHONES,
            "to": PHONES,
            "answered": st.booleans(),
            "started_at": st.just(AT),
            "recording_url": st.sampled_from([None, "https://pbx.example.org/1"]),
        }
    ).map(lambda body: ("call", body)),
    st.fixed_dictionaries(
        {"channel": st.just("vk"), "sender_id": IDS, "text": st.just("x"), "phone": PHONES, "name": NAMES}
    ).map(lambda body: ("message", body)),
    st.fixed_dictionaries(
        {"identity": PHONES.filter(bool) | ADDRESSES | IDS, "page": st.just("/"), "at": st.just(AT)}
    ).map(lambda body: ("visit", body)),
    st.fixed_dictionaries(
        {
            "message_id": IDS,
            "sender": ADDRESSES,
            "sender_name": NAMES,
            "in_reply_to": st.none() | IDS,
            "kind": st.sampled_from(["letter", "auto_reply", "bounce"]),
            "bounced": st.lists(
                ADDRESSES.map(lambda a: {"address": a, "status": "5.1.1", "permanent": True}), max_size=2
            ),
        }
    ).map(lambda body: ("mail", body)),
)
TAKING_IN = (
    e.LeadCaptured,
    e.InboundJoined,
    e.CallRecorded,
    e.CallUpdated,
    e.LetterReceived,
    e.AutomaticMailReceived,
    e.VisitRecorded,
)


@given(st.lists(STEPS, max_size=12))
@LIMITS
def test_C3_any_history_of_messages_leaves_one_open_lead_per_person_and_one_outcome_each(
    steps: list[tuple[str, dict[str, Any]]],
) -> None:
    world = World()
    for channel, body in steps:
        leads = len(world.leads)
        found = world.arrives(channel, "one", **body)
        taken = [event for event in found.lead_events if isinstance(event, TAKING_IN)]
        match found.outcome:
            case "accepted":
                assert isinstance(taken[0], e.LeadCaptured)
                assert len(taken) == 1 + (channel in ("call", "mail"))
                assert found.lead is not None
            case "joined":
                assert len(taken) == (0 if found.reason in ("same_call", "same_letter") else 1)
                assert found.lead is not None
            case "no_lead" | "quarantined":
                assert found.reason
                assert (found.lead_events, found.ruled) == ([], [])
        assert len(world.leads) == leads + (found.outcome == "accepted")
    people = [lead.contact for lead in world.leads.values() if lead.is_open]
    assert len(people) == len(set(people)), "a person has one open lead"
    for lead in world.leads.values():
        assert len(lead.open_calls_owed()) <= 1, "one call is owed at a time"
    assert all(contact in world.contacts for contact in people)

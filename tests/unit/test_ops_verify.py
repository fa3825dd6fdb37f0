"""The parts of `verify` that need no server: the digest chain, fingerprints, spools, the report (M2, M6)."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.ops.verify import chain
from services.ops.verify.claims import _identities, _open_claim
from services.ops.verify.log_end import partition_of
from services.ops.verify.opened import Opened, open_stream
from services.ops.verify.projected import folds
from services.ops.verify.projected.funnel import funnel
from services.ops.verify.report import NAMED, Report
from services.ops.verify.spool import BUFFERED, Spool
from services.ops.verify.store import EventRow
from services.ops.verify.wire import fingerprint, read_event
from services.privacy.cipher import identity_hmac
from services.privacy.store import KeyRing
from tests.builders import Keys, Stream, contact, enter, lead


def rows_of(stream: Stream) -> list[EventRow]:
    """A stream as the event store has it."""
    at = stream.at - timedelta(minutes=len(stream.made))
    return [
        EventRow(
            made.stream,
            made.version,
            dict(made.headers)["ce_type"].decode(),
            dict(made.headers)["ce_aggregatekind"].decode(),
            made.value,
            at + timedelta(minutes=made.version, seconds=1),
            made.digest,
        )
        for made in stream.made
    ]


def found_in(rows: list[EventRow]) -> list[tuple[str, str]]:
    """What the chain's check says of these rows."""
    report = Report()
    assert list(chain.streams_of(rows, report))
    return [(difference.kind, difference.about.removeprefix(str(rows[0].stream))) for difference in report.differences]


@pytest.fixture
def rows() -> list[EventRow]:
    """A lead of five events."""
    return rows_of(lead(Keys(), uuid4(), stages=("new", "processing")))


def test_M6_a_good_chain_has_no_difference(rows: list[EventRow]) -> None:
    assert len(rows) == 5
    assert found_in(rows) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda rows: rows[1]._replace(state=rows[1].state.replace(b"new", b"old")), [("altered", "-2")]),
        (lambda rows: rows[1]._replace(digest=bytes(32)), [("altered", "-2"), ("altered", "-3")]),
        (lambda rows: rows[1]._replace(type="leadline.lead.seen"), [("altered", "-2")]),
        (lambda rows: rows[1]._replace(recorded_at=rows[2].recorded_at), [("altered", "-2")]),
        (lambda rows: rows[1]._replace(state=b"not json"), [("altered", "-2"), ("altered", "-2")]),
    ],
    ids=["bytes", "digest", "type column", "time column", "no json"],
)
def test_M6_one_altered_event_is_named_alone(rows: list[EventRow], change: Any, found: list[tuple[str, str]]) -> None:
    assert sorted(found_in([rows[0], change(rows), *rows[2:]])) == found


@pytest.mark.parametrize(("gone", "named"), [((1,), ["-1"]), ((2, 3), ["-2..3"]), ((2, 4), ["-2", "-4"])])
def test_M6_missing_versions_are_named(rows: list[EventRow], gone: tuple[int, ...], named: list[str]) -> None:
    found = found_in([row for row in rows if row.version not in gone])
    assert found == [("missing", about) for about in named]


def test_M2_a_fingerprint_differs_when_anything_of_a_record_does(rows: list[EventRow]) -> None:
    made = lead(Keys(), uuid4()).made[1]
    event = read_event(made.headers, made.value)
    assert event is not None
    assert (event.stream, event.version) == (made.stream, 2)
    same = fingerprint(
        f"{made.stream}-2".encode(), b"leadline.lead.stage_entered", made.digest.hex().encode(), made.value
    )
    assert event.fingerprint == same
    for other in (
        event._replace(value=made.value + b" "),
        event._replace(type=b"leadline.lead.seen"),
        event._replace(digest=b"0" * 64),
        event._replace(id=b"x"),
    ):
        assert other.fingerprint != same
    assert fingerprint(b"ab", b"c", b"", b"") != fingerprint(b"a", b"bc", b"", b"")


@pytest.mark.parametrize("event_id", [b"", b"x-1", b"\xff-1", b"{0}-0", b"{0}-01", b"{0}-1.0", b"{1}-1", b"{0}"])
def test_M2_a_record_without_an_id_of_ours_is_no_event(event_id: bytes) -> None:
    stream = uuid4()
    text = event_id.replace(b"{0}", str(stream).encode()).replace(b"{1}", str(stream).upper().encode())
    assert read_event([("ce_id", text)], b"{}") is None
    assert read_event([("ce_id", f"{stream}-1".encode())], None) is None
    assert read_event([("ce_id", f"{stream}-1".encode())], b"{}") is not None


def test_K1_keys_go_where_kafkas_own_partitioner_puts_them() -> None:
    # from Kafka's UtilsTest.testMurmur2: 21 → -973932308, foobar → -790332482
    assert partition_of(b"21", 24) == (-973932308 & 0x7FFFFFFF) % 24
    assert partition_of(b"foobar", 24) == (-790332482 & 0x7FFFFFFF) % 24


def test_M2_a_spool_gives_back_each_bucket_in_order_also_from_disk_and_leaves_nothing() -> None:
    chance = random.Random(7)  # noqa: S311
    expected = {bucket: bytearray() for bucket in range(3)}
    with Spool() as spool:
        folder = Path(spool._folder.name)  # type: ignore[union-attr]
        assert spool.take(0) == b""
        size = 0
        while size < 2 * BUFFERED:
            bucket, record = chance.randrange(3), chance.randbytes(100_000)
            spool.add(bucket, record)
            expected[bucket] += record
            size += len(record)
        assert {bucket: spool.take(bucket) for bucket in expected} == expected
    assert not folder.exists()


def test_M2_a_report_counts_all_and_names_the_first() -> None:
    report = Report()
    for number in range(NAMED + 5):
        report.differ("topic", "missing", str(number), "gone")
    report.differ("store", "altered", "x", "other")
    assert (len(report.differences), report.unnamed, report.ok) == (NAMED + 1, 5, False)
    assert report.as_object()["totals"] == {"topic.missing": NAMED + 5, "store.altered": 1}


def opened(stream: Stream, keys: Keys | None) -> list[Opened]:
    """The stream's events; None: its keys were destroyed."""
    report, ring = Report(), KeyRing(bytes(32))
    ring.key = (lambda key_id: keys.key(key_id)) if keys else (lambda key_id: None)  # type: ignore[method-assign]
    (found,) = chain.streams_of(rows_of(stream), report)
    events = open_stream(found, ring, report)
    assert report.ok
    return events


def test_C3_the_fold_of_claims_follows_outcomes_and_erasure() -> None:
    keys = Keys()
    person = contact(keys, phone="+79161234567", email="anna@example.org")
    made = lead(keys, person.id)
    assert _open_claim(opened(made, keys)) == (person.id, "classic")
    enter(made, "price", 2, "new")
    assert _open_claim(opened(made, keys)) is None
    pepper = b"p" * 32
    hmacs = {identity_hmac(pepper, "phone", "+79161234567"), identity_hmac(pepper, "email", "anna@example.org")}
    assert (_identities(opened(person, keys), pepper) or {}).keys() == hmacs
    assert _identities(opened(person, None), pepper) is None


def test_K4_M9_the_folds_of_a_card_and_of_its_stage_visits() -> None:
    keys = Keys()
    made = lead(keys, uuid4(), stages=("new", "processing", "proposal"))
    events = opened(made, keys)
    card = folds.card(made.id, 3, events)
    assert card is not None
    wanted = {"stage": "proposal", "visit": 3, "responsible": "anna", "currency": "RUB", "version": made.version}
    assert {name: card[name] for name in wanted} == wanted
    assert (str(card["amount"]), card["name"], card["sealed"]) == ("1000.50", "Анна Иванова", True)
    visits = funnel(made.id, events).visits
    columns = ("stage", "to_stage", "responsible", "worked_by", "left_how")
    assert [tuple(v[column] for column in columns) for v in visits] == [
        ("new", "processing", None, "anna", "went_on"),
        ("processing", "proposal", "anna", "anna", "went_on"),
        ("proposal", None, "anna", "anna", None),
    ]
    assert visits[0]["left_at"] == visits[1]["entered_at"]
    assert folds.card(made.id, 3, events[1:]) is None
    assert [type(v["lead"]) for v in visits] == [UUID] * 3

"""`leadline verify` of incident journals: what it finds, each difference once (Q6, G-36)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from contracts.journal import journal_of
from services.ops.verify.journals import check_stream, compare
from services.ops.verify.opened import Opened
from services.ops.verify.report import Report
from services.ops.verify.spool import Spool

AT = datetime(2026, 11, 16, 9, tzinfo=UTC)
ANNAS = journal_of("anna", "2026-Q4")
LEAD, INCIDENT, ESCALATION = uuid4(), str(uuid4()), str(uuid4())


def made(*events: tuple[str, dict[str, Any]], kind: str = "person", at: datetime = AT) -> list[Opened]:
    meta = {"actor": {"kind": kind}, "happened_at": at.isoformat(), "recorded_at": at.isoformat()}
    return [Opened(f"leadline.{type_}", n, meta, data, {}, False) for n, (type_, data) in enumerate(events, 1)]


MISSED = ("lead.deadline_missed", {"incident": INCIDENT})
RECORDED = (
    "incident.recorded",
    {"incident": INCIDENT, "incident_kind": "deadline", "employee": "anna", "because": f"{LEAD}-1"},
)
TOLD = ("incident.told", {"incident": INCIDENT})
OPENED = ("incident.escalation_opened", {"escalation": ESCALATION, "incidents": [INCIDENT]})
EXTENDED = ("incident.escalation_extended", {"escalation": ESCALATION, "incident": str(uuid4())})


def found(lead: list[Opened], *journals: tuple[UUID, list[Opened]]) -> list[tuple[str, str]]:
    report = Report()
    with Spool() as spool:
        check_stream(spool, LEAD, "lead", lead, report)
        for stream, events in journals:
            check_stream(spool, stream, "incident", events, report)
        compare(spool, report)
    assert {one.place for one in report.differences} <= {"journals"}
    return [(one.kind, one.about) for one in report.differences]


def test_Q6_a_miss_that_stands_in_its_journal_once_is_right() -> None:
    assert found(made(MISSED), (ANNAS, made(RECORDED, TOLD, OPENED, EXTENDED))) == []
    last = datetime(2027, 1, 1, 9, tzinfo=UTC)
    assert found(made(MISSED), (ANNAS, made(RECORDED, at=last))) == [], "recorded as the quarter ended"
    first = datetime(2026, 9, 30, 22, tzinfo=UTC)
    assert found(made(MISSED), (ANNAS, made(RECORDED, at=first))) == [], "the quarter had begun on the team's clock"
    early = datetime(2026, 9, 29, 22, tzinfo=UTC)
    assert found(made(MISSED), (ANNAS, made(RECORDED, at=early))) == [("unexpected", f"{ANNAS}-1")], "on no clock yet"
    assert found(made(MISSED, kind="import")) == [], "a fact of the past is nobody's miss"
    assert found(made(("lead.deadline_missed", {}))) == [], "one that raises no incident"


def test_Q6_what_is_lost_twice_or_nobodys_is_found() -> None:
    assert found(made(MISSED)) == [("missing", INCIDENT)]
    assert found([], (ANNAS, made(RECORDED))) == [("unexpected", INCIDENT)]
    boris = journal_of("boris", "2026-Q4")
    assert found(made(MISSED), (boris, made(RECORDED))) == [("unexpected", f"{boris}-1")]
    twice = found(made(MISSED), (ANNAS, made(RECORDED, RECORDED)))
    assert twice == [("repeated", f"{ANNAS}-2"), ("repeated", INCIDENT)]
    assert found(made(MISSED), (ANNAS, made(RECORDED, TOLD, TOLD))) == [("repeated", f"{ANNAS}-3")]
    assert found([], (ANNAS, made(TOLD))) == [("unexpected", f"{ANNAS}-1")]
    assert found(made(MISSED), (ANNAS, made(RECORDED, OPENED, OPENED))) == [("repeated", f"{ANNAS}-3")]
    assert found(made(MISSED), (ANNAS, made(RECORDED, EXTENDED))) == [("unexpected", f"{ANNAS}-2")]
    both = made(RECORDED, OPENED, EXTENDED, EXTENDED)
    assert found(made(MISSED), (ANNAS, both)) == [("repeated", f"{ANNAS}-4")]

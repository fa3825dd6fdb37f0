"""Incident journals against the leads they tell of, both ways: no miss is lost, none is there twice (Q6, G-36).

A fold of its own, on plain values. Invariants: each miss of a lead or deal that raises an incident, and each incident of a robot,
stands in one journal, under its id and naming the event it follows from; a journal is of whom its incidents are of, and of the
quarter that some wall clock showed when they were recorded, or the one before; an incident is recorded, told and excused once,
an escalation opened once and each miss in it once. Nothing personal of a client is in a journal.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from uuid import UUID

from contracts.journal import quarter_of_journal
from services.ops.verify.opened import Opened
from services.ops.verify.report import Report
from services.ops.verify.spool import Spool

NOTE = struct.Struct(">16s16sq")
"""Incident, stream and version of the event on the lead."""
BUCKETS = 64
OF_LEADS = frozenset({"deadline", "raised", "pool"})
"""Kinds of incidents that the event of a lead bears the id of."""
ONCE = frozenset({"recorded", "told", "excused"})


def check_stream(spool: Spool, stream: UUID, kind: str, events: Sequence[Opened], report: Report) -> None:
    """A stream of any kind: what it says of incidents is noted, a journal is looked through."""
    if kind in ("lead", "deal"):
        for event in events:
            if (
                event.type.endswith((".deadline_missed", ".incident_raised"))
                and event.meta["actor"]["kind"] != "import"
            ):
                _keep(spool, "incidents of leads", event.data.get("incident"), stream, event.version)
    elif kind == "incident":
        _journal(spool, stream, events, report)


def _keep(spool: Spool, what: str, incident: str | None, stream: UUID, version: int) -> None:
    if incident is not None:
        found = UUID(incident).bytes
        spool.add((what, found[-1] % BUCKETS), NOTE.pack(found, stream.bytes, version))


def _journal(spool: Spool, stream: UUID, events: Sequence[Opened], report: Report) -> None:
    once: set[tuple[str, str]] = set()
    escalations: dict[str, set[str]] = {}
    for event in events:
        what, about, data = event.type.rpartition(".")[2], f"{stream}-{event.version}", event.data
        incident = data.get("incident")
        if incident is not None and what in ONCE:
            if (what, incident) in once:
                report.differ("journals", "repeated", about, f"an incident is {what} twice")
            if what != "recorded" and ("recorded", incident) not in once:
                report.differ("journals", "unexpected", about, f"an incident is {what} that was never recorded here")
            once.add((what, incident))
        if what == "recorded":
            _recorded(spool, stream, event, report)
        elif what == "escalation_opened":
            if (escalation := data.get("escalation", "")) in escalations:
                report.differ("journals", "repeated", about, "an escalation is opened twice")
            escalations[escalation] = set(data.get("incidents", ()))
        elif what == "escalation_extended":
            there = escalations.get(data.get("escalation", ""))
            if there is None or incident is None:
                report.differ("journals", "unexpected", about, "a miss is added to an escalation that is not here")
            elif incident in there:
                report.differ("journals", "repeated", about, "a miss is added to an escalation twice")
            else:
                there.add(incident)


def _recorded(spool: Spool, stream: UUID, event: Opened, report: Report) -> None:
    report.counts["incidents"] += 1
    data, about = event.data, f"{stream}-{event.version}"
    if quarter_of_journal(stream, data.get("employee", ""), event.recorded_at) is None:
        report.differ("journals", "unexpected", about, "an incident stands in the journal of another one or quarter")
    because = data.get("because")
    if data.get("incident_kind") in OF_LEADS and because is not None:
        lead, _, version = because.rpartition("-")
        _keep(spool, "incidents of journals", data.get("incident"), UUID(lead), int(version))


def compare(spool: Spool, report: Report) -> None:
    """The incidents of all leads against those of all journals."""
    for bucket in range(BUCKETS):
        said = {record[0]: record[1:] for record in NOTE.iter_unpack(spool.take(("incidents of leads", bucket)))}
        seen: set[bytes] = set()
        for incident, lead, version in NOTE.iter_unpack(spool.take(("incidents of journals", bucket))):
            about = str(UUID(bytes=incident))
            if incident in seen:
                report.differ("journals", "repeated", about, "an incident stands in two journals")
            seen.add(incident)
            if said.get(incident) != (lead, version):
                text = f"a journal has it from {UUID(bytes=lead)}-{version}, whose event says no such thing"
                report.differ("journals", "unexpected", about, text)
        for incident in said.keys() - seen:
            lead, version = said[incident]
            text = f"{UUID(bytes=lead)}-{version} says that it happened, and no journal has it"
            report.differ("journals", "missing", str(UUID(bytes=incident)), text)

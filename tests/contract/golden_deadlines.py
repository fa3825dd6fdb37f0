"""Samples of deadlines, quality control, assignment, the incident journal and teams, with every field filled."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from contracts import events as e

LEAD = UUID("018f3d2a-1111-7111-8111-00000000feed")
OTHER = UUID("018f3d2a-2222-7222-8222-00000000beef")
EFFECT = UUID("018f3d2a-6666-7666-8666-00000000d00d")
EARLIER = UUID("018f3d2a-7777-7777-8777-00000000ace5")
INCIDENT = UUID("018f3d2a-9999-7999-8999-00000000fade")
ESCALATION = UUID("018f3d2a-aaaa-7aaa-8aaa-00000000fade")
BEGUN = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
DUE = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
TERM = e.Term(months=1, days=2, hours=4, minutes=30, working=True)
TURN: dict[str, Any] = {
    "deadline": "qualify",
    "timer": UUID("018f3d2a-8888-7888-8888-00000000dead"),
    "visit": 2,
    "turn": 1,
    "due_at": DUE,
}

OF_LEADS: tuple[e.Event, ...] = (
    e.DeadlineSet(
        **TURN,
        because="again",
        begun_at=BEGUN,
        term=TERM,
        clause="lead.phone != ''",
        calendar="sales@3",
        responsible="anna",
        warn_at=DUE,
        activity=OTHER,
        lacks=("budget",),
        incident=False,
        replaces=EARLIER,
    ),
    e.DeadlineMet(**TURN, result="good", left_s=900),
    e.DeadlineAsked(**TURN, lacks=("budget", "material"), result="good"),
    e.DeadlineMissed(
        **TURN,
        incident=INCIDENT,
        responsible="anna",
        cause="assigned_late",
        stage="in_work",
        lacks=("budget",),
        running=2,
        begun_at=BEGUN,
        term=TERM,
        calendar="sales@3",
        activity=OTHER,
        late_ms=120,
    ),
    e.DeadlineDropped(**TURN, by="left_stage"),
    e.IncidentRaised(
        incident=INCIDENT,
        robot="no_attempt",
        visit=2,
        responsible="anna",
        stage="new",
        text="Ни одной попытки связаться",
    ),
    e.LeadPooled(team="sales@2", rule="english", previous="boris", excluded={"boris": "absent", "anna": "quota_open"}),
    e.ActivityMoved(
        activity=OTHER, activity_kind="call", due_at=DUE, previous=BEGUN, reason="клиент просил позже", times=2
    ),
    e.ReviewOpened(visit=3, status="poor", reason="no_budget", automatic=True, responsible="anna"),
    e.ReviewConfirmed(visit=3, responsible="anna", automatic=True, comment="согласна"),
    e.ReviewReturned(visit=3, responsible="anna", automatic=True, reason="бюджет не спросили"),
    e.ReviewDropped(visit=3, by="reopened"),
    e.ClientViewRecorded(ease=4, time=3, comfort=5, comment="много вопросов о цвете"),
)

OF_JOURNALS: tuple[e.Event, ...] = (
    e.IncidentRecorded(
        incident=INCIDENT,
        incident_kind="deadline",
        employee="anna",
        lead=LEAD,
        of_deal=True,
        pipeline="countertops@2",
        stage="in_work",
        rule="qualify",
        because=f"{LEAD}-7",
        due_at=DUE,
        missed_s=60,
        cause="person",
        counts=True,
        turn=2,
        begun_at=BEGUN,
        term=TERM,
        calendar="sales@3",
        text="Карточка не заполнена",
    ),
    e.IncidentTold(incident=INCIDENT, via="mail", strike=3, of=3, days=30),
    e.IncidentAcknowledged(incident=INCIDENT, comment="была на выезде"),
    e.IncidentExcused(incident=INCIDENT, reason="сбой телефонии"),
    e.IncidentRestated(
        incident=INCIDENT, verdict="in_time", due_at=DUE, calendar="sales@4", strike=2, reason="праздник не был учтён"
    ),
    e.EscalationOpened(
        escalation=ESCALATION, employee="anna", to="olga", strike=3, incidents=(INCIDENT, OTHER), days=30
    ),
    e.EscalationExtended(escalation=ESCALATION, incident=INCIDENT, strike=4),
    e.EscalationClosed(escalation=ESCALATION, by="manager", comment="поговорили"),
    e.NoticeRequested(
        effect=EFFECT,
        to="olga",
        about="escalation",
        incident=INCIDENT,
        escalation=ESCALATION,
        language="ru",
        subject="Пропущен срок",
        text="Срок «Заполнить карточку» пропущен",
    ),
    e.NoticeDone(effect=EFFECT, attempts=2, provider="smtp.example.org", provider_id="4XyZ", doubtful=True),
    e.NoticeFailed(
        effect=EFFECT, attempts=9, provider="smtp.example.org", reason="recipient_refused: 550", doubtful=True
    ),
    e.NoticeRepeated(effect=EFFECT, to="olga"),
    e.DigestMade(team="sales", day=date(2026, 11, 23), overdue=3, people={"anna": 2, "boris": 1}),
    e.CardReviewDue(review=OTHER, pipeline="countertops", period_start=date(2026, 8, 1), period_end=date(2026, 10, 31)),
    e.CardReviewDone(review=OTHER, comment="фактуру больше не спрашиваем"),
)

TEAM_TEXT = "team: sales\n"
OF_TEAMS: tuple[e.Event, ...] = (
    e.TeamPublished(team="sales", number=2, source=TEAM_TEXT, sha256=hashlib.sha256(TEAM_TEXT.encode()).hexdigest()),
)

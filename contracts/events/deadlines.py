"""Events of deadlines, quality control and assignment, on the lead's stream: what was due, done, missed, and why (Q1-Q8, C4).

Invariants: each turn of a deadline is one `DeadlineSet` with a `timer` of its own, and exactly one of `DeadlineMet`,
`DeadlineAsked`, `DeadlineMissed`, `DeadlineDropped` closes it; its instant is fixed when it is set. A miss is the fact on the
lead; what the journal makes of it stands on the employee's stream (`contracts.events.incident`).
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from contracts.events.lead import ActivityKind, LeadEvent
from contracts.personal import Personal

MissCause = Literal[
    "person",
    "robot_failed",
    "delivery_failed",
    "assigned_late",
    "absent",
    "outside_hours",
    "nobody_responsible",
    "left",
]
"""Why it was not done in time: the responsible; a robot or a letter that it rests on; the lead given to them in the last
quarter of the term («передан поздно»); they were away; the instant fell outside working hours; nobody was responsible; they had
left. Only the first counts as a strike."""


class Term(BaseModel):
    """The length of a term as the pipeline states it (`contracts.pipeline.Period`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    months: int = 0
    days: int = 0
    hours: int = 0
    minutes: int = 0
    working: bool = False


class DeadlineEvent(LeadEvent):
    """Base of what becomes of a turn of a deadline: its id in the pipeline, or `meeting_result` (P9), `activity` for a key action
    that was planned (Q7). `visit`: the stage visit it belongs to, as of robots; `turn`: from 1 within that visit."""

    deadline: str
    timer: UUID
    visit: int = Field(ge=1)
    turn: int = Field(ge=1)
    due_at: datetime


class DeadlineSet(DeadlineEvent):
    """Q3, Q7: a turn begins; `due_at` stands for it whatever the lead becomes. `because`: what it begins with."""

    TOPIC: ClassVar[str] = "leadline.lead.deadline_set"

    because: Literal[
        "entry", "fact", "robot", "date", "again", "asked", "meeting", "planned", "pool", "undone", "started"
    ]
    """entry of the stage; a fact, a robot's success, a date on the card (`start`); a miss before it; asked again because
    something was missing; a meeting was held (P9); a key action was planned; nobody may have the lead
    (C4); a move taken back was a mistake; started for open
    leads."""
    begun_at: datetime
    """From when the term counts."""
    term: Term
    clause: str | None = None
    """The condition by which the term was chosen; None: it holds for all others."""
    calendar: str | None = None
    """`team@number` of the calendar in which the instant was counted; None: plain time."""
    responsible: str | None = None
    """In whose working time it was counted."""
    warn_at: datetime | None = None
    activity: UUID | None = None
    """The task that stands for it."""
    lacks: tuple[str, ...] = ()
    """What is asked for again: ids of criteria and fields."""
    incident: bool = True
    replaces: UUID | None = None


class DeadlineMet(DeadlineEvent):
    """Q4: done in time; done at the due instant is in time. `result`: which of the deadline's results."""

    TOPIC: ClassVar[str] = "leadline.lead.deadline_met"

    result: str | None = None
    left_s: int = Field(ge=0)
    """Working time that was left, in seconds."""


class DeadlineAsked(DeadlineEvent):
    """Q4: its task was ticked off before the end and something is missing: it is asked for again, by name, with a new term. No
    incident."""

    TOPIC: ClassVar[str] = "leadline.lead.deadline_asked"

    lacks: tuple[str, ...]
    result: str | None = None
    """The result that stands already, where there is one."""


class DeadlineMissed(DeadlineEvent):
    """Q6: not done in time. Whose miss it is, is decided here, by who was responsible at the due instant."""

    TOPIC: ClassVar[str] = "leadline.lead.deadline_missed"

    incident: UUID | None = None
    """Its id in the journal; None: the deadline raises none."""
    responsible: str | None = None
    cause: MissCause = "person"
    stage: str
    lacks: tuple[str, ...] = ()
    running: int = Field(ge=0)
    """How many misses of this deadline by this person on this lead stand in a row with it (C4)."""
    begun_at: datetime
    term: Term
    calendar: str | None = None
    activity: UUID | None = None
    late_ms: int = Field(ge=0)
    """Milliseconds between the due instant and the record."""


class DeadlineDropped(DeadlineEvent):
    """The turn is not needed any more, and nobody missed it."""

    TOPIC: ClassVar[str] = "leadline.lead.deadline_dropped"

    by: Literal["left_stage", "lead_closed", "undone", "adopted", "merged", "erased", "by_hand", "retimed", "archived"]
    """adopted: its pipeline does not have it any more; retimed: it goes by a date, or a key action, that was moved; archived: its
    pipeline is (N14)."""


class IncidentRaised(LeadEvent):
    """Q6, C2: a robot of the pipeline says that something went wrong with this lead; it goes to the responsible's journal."""

    TOPIC: ClassVar[str] = "leadline.lead.incident_raised"

    incident: UUID
    robot: str
    visit: int = Field(ge=1)
    responsible: str | None = None
    stage: str
    text: str = Field(max_length=1_000)
    """The pipeline's words, nothing of the client."""


class LeadPooled(LeadEvent):
    """C4: nobody may have the lead now: it waits in the pool where everyone sees it. `excluded`: why not, by person."""

    TOPIC: ClassVar[str] = "leadline.lead.pooled"

    team: str
    """`team@number`."""
    rule: str | None = None
    previous: str | None = None
    excluded: dict[str, str] = Field(default_factory=dict)


class ActivityMoved(LeadEvent):
    """S4: a planned activity has another instant."""

    TOPIC: ClassVar[str] = "leadline.lead.activity_moved"

    activity: UUID
    activity_kind: ActivityKind
    due_at: datetime | None = None
    previous: datetime | None = None
    reason: Personal[str | None] = None
    times: int = Field(ge=1)
    """How often it was moved."""


class ReviewOpened(LeadEvent):
    """Q5: the lead was made poor; the head confirms it or returns the lead to work. `automatic`: by a robot, a limit, or the
    check of a deadline."""

    TOPIC: ClassVar[str] = "leadline.lead.review_opened"

    visit: int = Field(ge=1)
    status: str
    reason: str | None = None
    automatic: bool
    responsible: str | None = None
    """Whose work it judges."""


class ReviewConfirmed(LeadEvent):
    """Q5: the head confirms that the lead is poor."""

    TOPIC: ClassVar[str] = "leadline.lead.review_confirmed"

    visit: int = Field(ge=1)
    responsible: str | None = None
    automatic: bool = False
    comment: Personal[str | None] = None


class ReviewReturned(LeadEvent):
    """Q5: the head returns the lead to work; the change of stage follows."""

    TOPIC: ClassVar[str] = "leadline.lead.review_returned"

    visit: int = Field(ge=1)
    responsible: str | None = None
    automatic: bool = False
    reason: Personal[str]


class ReviewDropped(LeadEvent):
    """Q5: nothing is to be judged any more: the lead came back to work another way, or its person was erased."""

    TOPIC: ClassVar[str] = "leadline.lead.review_dropped"

    visit: int = Field(ge=1)
    by: Literal["reopened", "undone", "merged", "erased", "moved"]


class ClientViewRecorded(LeadEvent):
    """Q11: how the client found the questions of the card: easy to answer, worth the time, comfortable; from 1 to 5 each."""

    TOPIC: ClassVar[str] = "leadline.lead.client_view_recorded"

    ease: int = Field(ge=1, le=5)
    time: int = Field(ge=1, le=5)
    comfort: int = Field(ge=1, le=5)
    comment: Personal[str | None] = None

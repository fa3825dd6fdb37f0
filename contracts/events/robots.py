"""Events of robots, triggers and outward effects, on the lead's stream: what happened by itself, what did not, and why (R1-R6).

Invariants: each robot of a stage visit is armed under one `timer` at a time; exactly one of `RobotRan`, `RobotSkipped`,
`RobotCancelled`, `RobotFailed` closes it, so armed = closed + still waiting, always (N2). What a robot does outside is requested
by one `EffectRequested` and carried out by the delivery service under that effect's id; `EffectDone` or `EffectFailed` closes
it, and a failed one may be repeated by a person (`EffectRepeated` opens it again).
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from contracts.events.lead import ActivityKind, LeadEvent
from contracts.personal import Personal

RobotDid = Literal[
    "plan",
    "notify_head",
    "assign",
    "move",
    "reject",
    "field",
    "tag",
    "email",
    "sms",
    "audience",
    "webhook",
    "come_back",
    "incident",
    "warn",
    "assign_again",
]
"""The words of a robot's action (`contracts.pipeline.robots.ACTIONS`); come_back: a pause was over (S3); warn: a
deadline is near, somebody was reminded; assign_again: a lead that nobody touched, or that waits in the pool (C4)."""
EffectKind = Literal["email", "sms", "audience", "webhook", "notice"]
"""notice: a letter to somebody of ours."""


class RobotEvent(LeadEvent):
    """Base of what becomes of a robot: its id in the pipeline, or `pause` for a pause that comes back by itself. `visit`: the
    stage visit it belongs to (the one in which the lead came to where it stands: a corrected mistake begins none)."""

    robot: str
    timer: UUID
    visit: int = Field(ge=1)


class RobotArmed(RobotEvent):
    """R1: the robot will start at `due_at`. `because`: from what that instant follows; nothing computes it again later."""

    TOPIC: ClassVar[str] = "leadline.lead.robot_armed"

    due_at: datetime
    because: Literal[
        "entry",
        "after_robot",
        "date",
        "again",
        "retimed",
        "left_stage",
        "undone",
        "pause",
        "meeting",
        "started",
        "warning",
        "idle",
        "pool",
        "reminder",
    ]
    """entry of the stage; success of another robot (`after`); a date on the card; it comes again (P7); a meeting's result is
    owed (P9); that date was changed; the lead left the stage
    and the robot's policy is to run then; the move that had cancelled it was a mistake; a pause's end; a person started it for
    leads that had not had it (N5)."""
    after: str | None = None
    calendar: str | None = None
    """`team@number` of the calendar that working time was counted in."""
    replaces: UUID | None = None
    """The timer whose place it takes."""


class RobotRan(RobotEvent):
    """R6: the robot did what it is for. `late_ms`: milliseconds between its instant and the act."""

    TOPIC: ClassVar[str] = "leadline.lead.robot_ran"

    did: RobotDid
    due_at: datetime
    late_ms: int = Field(ge=0)
    effect: UUID | None = None
    """What was requested of the delivery service, where it acts outside: done is what that one's `EffectDone` says."""
    activity: UUID | None = None
    """What it planned."""


class RobotSkipped(RobotEvent):
    """R6, N4: the robot did nothing, and why: the clause of its condition that did not hold with the values seen, a predecessor
    that did not run, a refusal of contact (C7), nowhere to write to, a rule against the move, the loop limit (N3), that it ran
    once for this person (P5), that the date it was to be before has passed, or that the pipeline no longer has it."""

    TOPIC: ClassVar[str] = "leadline.lead.robot_skipped"

    reason: Literal[
        "condition", "predecessor", "contact_refused", "no_address", "rules", "loop", "removed", "once", "date_passed"
    ]
    clause: str | None = None
    values: Personal[dict[str, str]] = Field(default_factory=dict)
    """What the clause looked at, as it was."""
    rules: tuple[str, ...] = ()
    """Ids of the rules that did not let it (`rules`)."""
    predecessor: str | None = None
    channel: str | None = None
    """On which channel the client refused contact, or has no address."""


class RobotCancelled(RobotEvent):
    """R6: the robot will not run. `by`: what took its place away."""

    TOPIC: ClassVar[str] = "leadline.lead.robot_cancelled"

    by: Literal["left_stage", "retimed", "by_hand", "adopted", "merged", "undone", "erased", "archived", "over"]
    """archived: its pipeline is; nothing goes out of an archive (N14). over: the activity it reminds of, or the deadline it warns
    of, is done or not needed any more."""
    comment: Personal[str | None] = None


class RobotFailed(RobotEvent):
    """R6: the robot could not do what it is for; `reason` holds nothing personal. A person can start it again."""

    TOPIC: ClassVar[str] = "leadline.lead.robot_failed"

    reason: str = Field(max_length=500)
    """In English."""
    reason_ru: str | None = Field(default=None, max_length=500)
    """The same in Russian."""


class EffectRequested(LeadEvent):
    """Decision 9: something is to be done outside, once, under this id. It holds all that the delivery service needs."""

    TOPIC: ClassVar[str] = "leadline.lead.effect_requested"

    effect: UUID
    effect_kind: EffectKind
    robot: str | None = None
    visit: int | None = Field(default=None, ge=1)
    template: str | None = None
    language: Literal["ru", "en"] = "ru"
    marketing: bool = False
    service: str | None = None
    """Of an audience: which network; of a webhook: the name of its address in the settings; of a notice: who is told."""
    action: Literal["add", "remove"] | None = None
    """Of an audience."""
    audience: str | None = None
    message_id: str | None = None
    """Of a letter: the Message-ID it goes out under, angle brackets included, the same at every try."""
    email: Personal[str | None] = None
    phone: Personal[str | None] = None
    name: Personal[str | None] = None
    subject: Personal[str | None] = None
    text: Personal[str | None] = None
    html: Personal[str | None] = None


class EffectDone(LeadEvent):
    """Decision 9: it was done: a letter or message was accepted by the next server, contacts were taken by an audience."""

    TOPIC: ClassVar[str] = "leadline.lead.effect_done"

    effect: UUID
    effect_kind: EffectKind
    attempts: int = Field(ge=1)
    provider: str | None = None
    provider_id: str | None = None
    """What the other side calls it."""
    matched: int | None = Field(default=None, ge=0)
    """R4: how many contacts the service matched, where it says so."""
    doubtful: bool = False
    """It may have gone out twice: the answer to an earlier try was lost (SMTP cannot be exactly once)."""


class EffectFailed(LeadEvent):
    """Decision 9: it could not be done. `reason`: a code and words without anything personal. A person can repeat it."""

    TOPIC: ClassVar[str] = "leadline.lead.effect_failed"

    effect: UUID
    effect_kind: EffectKind
    attempts: int = Field(ge=0)
    provider: str | None = None
    reason: str = Field(max_length=500)
    doubtful: bool = False
    """It may have been done all the same."""


class EffectRepeated(LeadEvent):
    """A person asked to try once more what had failed; it keeps its id, so that nothing is done twice. An address that was
    mended meanwhile is used."""

    TOPIC: ClassVar[str] = "leadline.lead.effect_repeated"

    effect: UUID
    effect_kind: EffectKind
    email: Personal[str | None] = None
    phone: Personal[str | None] = None


class EffectBounced(LeadEvent):
    """C9: a letter that the next server had accepted came back later; nothing is undone by it."""

    TOPIC: ClassVar[str] = "leadline.lead.effect_bounced"

    effect: UUID
    inbound_id: UUID
    permanent: bool = True
    """The address does not take it."""
    status: str | None = None
    """RFC 3463."""
    given_up: bool | None = None
    """Whether it will not arrive any more; None, in earlier events: as `permanent` says."""

    @property
    def what(self) -> Literal["permanent", "failed", "delayed"]:
        """The address does not take it; it was given up for another reason; it is held up."""
        return "permanent" if self.permanent else "failed" if self.given_up else "delayed"


class TriggerFired(LeadEvent):
    """R5: a trigger moved the lead; the change of stage follows."""

    TOPIC: ClassVar[str] = "leadline.lead.trigger_fired"

    trigger: str
    from_stage: str
    to_stage: str
    because: str
    """Id of the event that it answered (`stream-version`)."""


class TriggerRefused(LeadEvent):
    """R5: a trigger stood ready and did not move the lead: its condition, the rules, another trigger that was first, or the loop
    limit. Where the rules did not let it, a task says so to a person."""

    TOPIC: ClassVar[str] = "leadline.lead.trigger_refused"

    trigger: str
    to_stage: str
    because: str
    reason: Literal["condition", "rules", "other_trigger", "loop"]
    clause: str | None = None
    values: Personal[dict[str, str]] = Field(default_factory=dict)
    rules: tuple[str, ...] = ()
    other: str | None = None
    """The trigger that was first."""


class TagAdded(LeadEvent):
    """R2: the lead bears a label."""

    TOPIC: ClassVar[str] = "leadline.lead.tag_added"

    tag: str


class TagRemoved(LeadEvent):
    """R2: the label was taken off."""

    TOPIC: ClassVar[str] = "leadline.lead.tag_removed"

    tag: str


class ActivityClosed(LeadEvent):
    """N6: a planned activity is not needed any more and nobody did it: the lead left the stage that it was planned for."""

    TOPIC: ClassVar[str] = "leadline.lead.activity_closed"

    activity: UUID
    activity_kind: ActivityKind
    reason: Literal["left_stage", "undone", "lead_closed", "by_hand", "deadline", "erased"]
    """lead_closed: the lead was won, lost or put off; deadline: the deadline it stands for is over or asked anew."""
    comment: Personal[str | None] = None
    """Of `by_hand`: why nobody needs to do it; a head's word where it is a key action (Q7)."""

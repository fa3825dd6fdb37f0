"""The pipeline language: stages, card, facts, exit criteria, moves, outcomes, robots, triggers, templates (decision 6).

A pipeline is YAML validated into these models. Invariants: stage ids never change and are unique; the order of stages is the
order of progress; exactly one first stage, which is open; every title stands in Russian and English; every name in it names
something (`contracts.pipeline.coherence`). Whatever was valid once stays valid: versions are published for ever.
"""

from contracts.pipeline.card import DECLINED, UNKNOWN, Asked, CardField, FieldType, Group, Option
from contracts.pipeline.criteria import (
    BUILT_IN_FACTS,
    ContactCriterion,
    Criterion,
    Fact,
    FactCriterion,
    FactOption,
    FieldCriterion,
)
from contracts.pipeline.deadlines import (
    Assignment,
    AssignmentRule,
    Deadline,
    DeadlineResult,
    DeadlineStart,
    Idle,
    Within,
)
from contracts.pipeline.expected import ExpectedFinding
from contracts.pipeline.parts import Condition, Id, Kind, Model, Period, Role, StageId, Term, TimeLimit, Titles, Words
from contracts.pipeline.pipeline import Pipeline
from contracts.pipeline.robots import (
    ACTIONS,
    Action,
    AssignTo,
    CallWebhook,
    ChangeAudience,
    ChangeTag,
    MoveTo,
    NotifyHead,
    PlanActivity,
    RaiseIncident,
    RejectAs,
    Robot,
    SendEmail,
    SendSms,
    SetField,
    Start,
    Trigger,
    TriggerKind,
)
from contracts.pipeline.stages import DealOpening, LostOutcome, Reason, Reopening, Stage, StageMove
from contracts.pipeline.templates import Template, TemplateText

__all__ = [
    "ACTIONS",
    "BUILT_IN_FACTS",
    "DECLINED",
    "UNKNOWN",
    "Action",
    "Asked",
    "AssignTo",
    "Assignment",
    "AssignmentRule",
    "CallWebhook",
    "CardField",
    "ChangeAudience",
    "ChangeTag",
    "Condition",
    "ContactCriterion",
    "Criterion",
    "Deadline",
    "DeadlineResult",
    "DeadlineStart",
    "DealOpening",
    "ExpectedFinding",
    "Fact",
    "FactCriterion",
    "FactOption",
    "FieldCriterion",
    "FieldType",
    "Group",
    "Id",
    "Idle",
    "Kind",
    "LostOutcome",
    "Model",
    "MoveTo",
    "NotifyHead",
    "Option",
    "Period",
    "Pipeline",
    "PlanActivity",
    "RaiseIncident",
    "Reason",
    "RejectAs",
    "Reopening",
    "Robot",
    "Role",
    "SendEmail",
    "SendSms",
    "SetField",
    "Stage",
    "StageId",
    "StageMove",
    "Start",
    "Template",
    "TemplateText",
    "Term",
    "TimeLimit",
    "Titles",
    "Trigger",
    "TriggerKind",
    "Within",
    "Words",
]

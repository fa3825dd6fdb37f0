"""All event types of this release, and the registry that finds them by type."""

from contracts.events.base import EVENT_TYPES, Event
from contracts.events.contact import (
    ContactEvent,
    ContactMade,
    IdentityAdded,
    IdentityShared,
    PersonErased,
)
from contracts.events.lead import (
    AnswerReceived,
    CardRecorded,
    DuplicateSuspected,
    InboundJoined,
    LeadAccepted,
    LeadAssigned,
    LeadCaptured,
    LeadConverted,
    LeadEvent,
    LeadPaused,
    LeadRejected,
    LeadReopened,
    LeadSeen,
    Money,
    OfferMade,
    StageEntered,
)
from contracts.events.pipeline import PipelinePublished

__all__ = [
    "EVENT_TYPES",
    "AnswerReceived",
    "CardRecorded",
    "ContactEvent",
    "ContactMade",
    "DuplicateSuspected",
    "Event",
    "IdentityAdded",
    "IdentityShared",
    "InboundJoined",
    "LeadAccepted",
    "LeadAssigned",
    "LeadCaptured",
    "LeadConverted",
    "LeadEvent",
    "LeadPaused",
    "LeadRejected",
    "LeadReopened",
    "LeadSeen",
    "Money",
    "OfferMade",
    "PersonErased",
    "PipelinePublished",
    "StageEntered",
]

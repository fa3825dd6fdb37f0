"""Events of a deal: it goes through the stages of a pipeline of its own, by the same engine as a lead (decision 7).

Invariants: `DealOpened` is version 1 of each deal's stream and is followed by its first `DealStageEntered`. What a lead and a
deal have in common is a class of a lead's and its subclass of a deal's (`OF_DEALS`), of the same fields, under a type and on a
topic of its own: a fold that knows the lead's knows the deal's. Nothing of the lead is copied: the deal names it.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final
from uuid import UUID

from pydantic import Field

from contracts.events import deadlines, robots
from contracts.events import lead as leads
from contracts.events.base import Event
from contracts.meta import AggregateKind

if TYPE_CHECKING:
    from collections.abc import Mapping


class DealEvent(Event):
    """Base of what happens to deals alone. `Meta.person` is the deal's contact."""

    KIND: ClassVar[AggregateKind] = "deal"


class DealOpened(DealEvent):
    """C1, C6: a lead became a deal, which goes on in `pipeline` under its version `number`. Where the client came from is said
    here, because it never changes; who they are, and what was recorded, stands on the lead."""

    TOPIC: ClassVar[str] = "leadline.deal.opened"

    lead: UUID
    contact: UUID
    pipeline: str
    number: int = Field(ge=1)
    source: str
    channel: str


class DealWithdrawn(DealEvent):
    """N12: the lead's conversion was undone, so there is no deal: it stands in no stage until the lead becomes one again."""

    TOPIC: ClassVar[str] = "leadline.deal.withdrawn"

    undone_visit: int = Field(ge=1)
    """Of the lead: the stage visit that was a mistake."""


class DealRestored(DealEvent):
    """The lead became a deal again after its conversion had been undone: the same deal goes on where it stood."""

    TOPIC: ClassVar[str] = "leadline.deal.restored"

    lead_visit: int = Field(ge=1)
    """Of the lead: the stage visit that brought the deal back."""


def _of_deals(of: type[leads.LeadEvent]) -> type[leads.LeadEvent]:
    """The same event of a deal: `StageEntered` is `DealStageEntered`, `LeadPaused` is `DealPaused`."""
    name = "Deal" + of.__name__.removeprefix("Lead")
    topic = of.TOPIC.replace(".lead.", ".deal.")
    doc = f"Of a deal, otherwise as {of.__name__}: {of.__doc__}"
    return type(name, (of,), {"TOPIC": topic, "KIND": "deal", "__doc__": doc, "__module__": __name__})


OF_DEALS: Final[Mapping[type[leads.LeadEvent], type[leads.LeadEvent]]] = MappingProxyType(
    {
        of: _of_deals(of)
        for of in (
            leads.StageEntered,
            leads.LeadAssigned,
            leads.LeadSeen,
            leads.LeadAccepted,
            leads.CardRecorded,
            leads.OfferMade,
            leads.AnswerReceived,
            leads.LeadRejected,
            leads.LeadPaused,
            leads.LeadConverted,
            leads.LeadReopened,
            leads.LeadAdopted,
            leads.InboundJoined,
            leads.CallRecorded,
            leads.CallUpdated,
            leads.LetterReceived,
            leads.AutomaticMailReceived,
            leads.VisitRecorded,
            leads.ActivityPlanned,
            leads.ActivityDone,
            leads.CallHeld,
            leads.MeetingHeld,
            leads.DocumentSent,
            leads.FileAttached,
            leads.ApprovalGiven,
            leads.FactEstablished,
            leads.FactWithdrawn,
            robots.RobotArmed,
            robots.RobotRan,
            robots.RobotSkipped,
            robots.RobotCancelled,
            robots.RobotFailed,
            robots.EffectRequested,
            robots.EffectDone,
            robots.EffectFailed,
            robots.EffectRepeated,
            robots.EffectBounced,
            robots.TriggerFired,
            robots.TriggerRefused,
            robots.TagAdded,
            robots.TagRemoved,
            robots.ActivityClosed,
            deadlines.DeadlineSet,
            deadlines.DeadlineMet,
            deadlines.DeadlineAsked,
            deadlines.DeadlineMissed,
            deadlines.DeadlineDropped,
            deadlines.IncidentRaised,
            deadlines.LeadPooled,
            deadlines.ActivityMoved,
            deadlines.ReviewOpened,
            deadlines.ReviewConfirmed,
            deadlines.ReviewReturned,
            deadlines.ReviewDropped,
            deadlines.ClientViewRecorded,
        )
    }
)
"""What happens to leads and to deals alike, by the lead's class."""

OF_LEADS_ALONE: Final = frozenset(
    {
        leads.LeadCaptured,
        leads.LeadMerged,
        leads.LeadAbsorbed,
        leads.LeadUnmerged,
        leads.LeadReleased,
        leads.ClientRecommended,
        leads.DuplicateSuspected,
        leads.DuplicateDismissed,
    }
)
"""What happens to leads alone: where the client came from, who they are the same as, whom they recommend."""

AS_OF_LEADS: Final[Mapping[str, str]] = MappingProxyType({deal.TOPIC: lead.TOPIC for lead, deal in OF_DEALS.items()})
"""The lead's type of event for the deal's: for readers who treat both alike."""


def of_deal(event: Event) -> Event:
    """The event as it happens to a deal. Raises KeyError for one that happens to leads alone."""
    if event.KIND == "deal":
        return event
    assert isinstance(event, leads.LeadEvent), f"{event.TOPIC} is no event of a lead"
    return OF_DEALS[type(event)].model_construct(**dict(event))

"""What a lead is at a version: the fold of its events.

Invariants: `evolve` depends on nothing but its arguments and never fails on an event of a known type; a state is never
changed in place, so one may be cached while a batch that builds on it is rolled back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, TypeVar
from uuid import UUID

from contracts import events as e
from contracts.meta import Meta
from contracts.personal import Erased, known
from contracts.recorded import Recorded
from services.leads.domain.activities import standing as planning
from services.leads.domain.activities.standing import Activity
from services.leads.domain.deadlines import standing as due
from services.leads.domain.reviews import standing as judging
from services.leads.domain.robots import standing

Answer = Literal["consent", "refusal"]


@dataclass(frozen=True, slots=True)
class FactHeld:
    """A recorded fact: its value, where it has one, when, and in which stage visit (`LeadState.root`)."""

    value: str | None
    root: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Position:
    """Where a lead stood before its last change of stage: what a correction brings back (N12)."""

    stage: str
    kind: e.lead.Outcome
    root: int
    root_at: datetime | None
    left_open_stage: str | None
    answer: Answer | None
    paused_until: date | None
    outcome: e.lead.LostOutcome | None


@dataclass(frozen=True)
class LeadState:
    """A lead at `version`, or a deal (`deal_of`). Texts are None where unknown or erased; `erased` says that the person was."""

    lead: UUID
    version: int
    pipeline: str
    pipeline_number: int
    contact: UUID
    captured_at: datetime
    stage: str = ""
    kind: e.lead.Outcome = "open"
    visit: int = 0
    entered_at: datetime | None = None
    entered_by: e.lead.StageCause = "captured"
    entered_as: e.lead.StageDirection = "in"
    root: int = 0
    """Number of the visit in which the lead came to where it stands: a corrected mistake in between changes it not."""
    root_at: datetime | None = None
    """When that was: neither a correction nor an adoption nor a merge taken back makes a term begin anew (P4, M3)."""
    before: Position | None = None
    """What undoing the last change of stage brings back; None: there is nothing to undo."""
    left_open_stage: str | None = None
    """The open stage it stood in before its outcome: where it returns to."""
    responsible: str | None = None
    pooled: bool = False
    """Whether it waits in the pool: nobody may have it now (C4)."""
    touched_at: datetime | None = None
    """When a person last recorded anything, or we talked to the client (C4)."""
    seen: bool = False
    accepted: bool = False
    name: str | None = None
    company: str | None = None
    phone: str | None = None
    email: str | None = None
    card: dict[str, str] = field(default_factory=dict)
    offer: e.OfferMade | None = None
    answer: Answer | None = None
    paused_until: date | None = None
    outcome: e.lead.LostOutcome | None = None
    """Of a lost lead: what remains of it (C1)."""
    facts: Mapping[str, FactHeld] = field(default_factory=dict)
    """By fact; of facts that hold for each value by themselves (documents, files) also by `fact:value`."""
    source: str = ""
    channel: str = ""
    """Where the client came from: of a deal, as its lead."""
    recommended_by: UUID | None = None
    files: frozenset[UUID] = frozenset()
    """Files that came with the lead's letters: what can be attached to it."""
    calls: Mapping[str, e.CallFacts] = field(default_factory=dict)
    """By the id the telephone system gave each: the facts as last reported."""
    activities: Mapping[UUID, Activity] = field(default_factory=dict)
    """In the order they were planned."""
    reviews: Mapping[int, judging.Review] = field(default_factory=dict)
    """By stage visit: how the head judged, or has still to judge, a lead that was made poor (Q5)."""
    merged_into: UUID | None = None
    """N16: the lead that goes on for this one."""
    merged_by: UUID | None = None
    """The command that merged it."""
    absorbed: Mapping[UUID, int] = field(default_factory=dict)
    """Leads that were merged into this one, and the version at which each was."""
    of_others: tuple[tuple[int, UUID], ...] = ()
    """Versions whose event came by another contact of the person, merged with this lead's; and which contact."""
    recommended: tuple[UUID, ...] = ()
    """P7: leads of clients whom this client recommended."""
    suspected: frozenset[UUID] = frozenset()
    """Contacts of another name who have a phone or e-mail of this lead's (C3)."""
    dismissed: frozenset[UUID] = frozenset()
    """Contacts of which a person said that they are somebody else (C3)."""
    tags: frozenset[str] = frozenset()
    """Labels (R2)."""
    automation: standing.Automation = standing.NOTHING
    """Its robots and what they requested of the outside (R1-R4)."""
    deadlines: due.Deadlines = due.NOTHING
    """What must be done in time (Q7)."""
    autodepth: int = 0
    """Automatic moves since a person or an inbound message last acted on it (decision 8)."""
    deal_of: UUID | None = None
    """Of a deal: the lead that became it. `lead` is then the deal's own id; what it says of the client goes before what the lead
    says (`services.leads.domain.deals`), where an empty text is a word too."""
    withdrawn: bool = False
    """Of a deal: the conversion was undone (N12)."""
    erased: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the lead stands in an open stage, and is worked on by itself."""
        return self.kind == "open" and self.merged_into is None and not self.withdrawn

    def open_calls_owed(self) -> list[UUID]:
        """Calls that we owe the client because they called or ordered one, and that nobody has made yet."""
        return [
            i
            for i, a in self.activities.items()
            if a.done_at is None and a.reason not in ("by_hand", "recurring") and a.kind == "call"
        ]


State = TypeVar("State")
"""A frozen state that is a plain dataclass, of whatever aggregate."""


def lead_from(recorded: Iterable[Recorded]) -> LeadState | None:
    """The lead after these events, from its first on; None for no events."""
    state: LeadState | None = None
    for event in recorded:
        state = evolve_lead(state, event.meta, event.data)
    return state


def evolve_lead(state: LeadState | None, meta: Meta, data: e.Event) -> LeadState:
    """The lead, or the deal, after one more event."""
    if type(data) is e.LeadCaptured:  # by type: asking a model whether it is another one takes a microsecond
        return _captured(meta, data)
    if type(data) is e.DealOpened:
        return _opened(meta, data)
    assert state is not None, f"{meta.event_id}: a stream begins with {e.LeadCaptured.TOPIC} or {e.DealOpened.TOPIC}"
    change = _LEAD_CHANGES.get(type(data))
    changed = change(state, meta, data) if change else {}
    if meta.person is not None and meta.person != state.contact:
        changed = {**changed, "of_others": (*state.of_others, (meta.version, meta.person))}
    if meta.actor.kind == "person":
        changed = {**changed, "touched_at": meta.happened_at}
    if meta.autodepth != state.autodepth:
        changed = {**changed, "autodepth": meta.autodepth}
    return with_(state, version=meta.version, **changed)


def with_(state: State, **changes: Any) -> State:
    """A copy with changes: `dataclasses.replace` without its cost, which a batch would pay for every event."""
    copy = object.__new__(type(state))
    copy.__dict__.update(state.__dict__, **changes)
    return copy


def _captured(meta: Meta, data: e.LeadCaptured) -> LeadState:
    number = int((meta.pipeline or "@1").rpartition("@")[2])
    return LeadState(
        lead=meta.stream,
        version=meta.version,
        pipeline=data.pipeline,
        pipeline_number=number,
        contact=data.contact,
        captured_at=meta.happened_at,
        name=known(data.name),
        company=known(data.company),
        phone=known(data.phone),
        email=known(data.email),
        source=data.source,
        channel=data.channel,
        recommended_by=data.recommended_by,
        erased=isinstance(data.name, Erased),
    )


def _opened(meta: Meta, data: e.DealOpened) -> LeadState:
    return LeadState(
        lead=meta.stream,
        version=meta.version,
        pipeline=data.pipeline,
        pipeline_number=data.number,
        contact=data.contact,
        captured_at=meta.happened_at,
        source=data.source,
        channel=data.channel,
        deal_of=data.lead,
    )


CONTACT_FIELDS = frozenset({"name", "company", "phone", "email"})
"""Card fields that every lead has, whatever its pipeline."""


def _entered(state: LeadState, meta: Meta, data: e.StageEntered) -> dict[str, Any]:
    stands = {
        "stage": data.stage,
        "kind": data.kind,
        "visit": data.visit,
        "entered_at": meta.happened_at,
        "entered_by": data.cause,
        "entered_as": data.direction,
    }
    if data.undoes is not None and state.before is not None:
        back = state.before
        return {
            **stands,
            "root": back.root,
            "root_at": back.root_at,
            "before": None,
            "left_open_stage": back.left_open_stage,
            "answer": back.answer,
            "paused_until": back.paused_until,
            "outcome": back.outcome,
        }
    if data.cause in ("adopted", "unmerged"):
        return {**stands, "before": None}  # it stands where it stood, under another name or again
    leaves_open = state.kind == "open" and data.kind != "open" and state.stage
    goes_back = data.direction in ("back", "return")
    # The facts of a rejection and a pause come before the change of stage they lead to: what they set is not how it stood.
    before = Position(
        state.stage,
        state.kind,
        state.root,
        state.root_at,
        state.left_open_stage,
        state.answer,
        state.paused_until if state.kind == "postponed" else None,
        state.outcome if state.kind == "lost" else None,
    )
    return {
        **stands,
        "root": data.visit,
        "root_at": meta.happened_at,
        "before": before if state.stage else None,
        "left_open_stage": state.stage if leaves_open else state.left_open_stage,
        "answer": None if goes_back else state.answer,
        "paused_until": state.paused_until if data.kind == "postponed" else None,
        "outcome": state.outcome if data.kind == "lost" else None,
    }


def _adopted(state: LeadState, _: Meta, data: e.LeadAdopted) -> dict[str, Any]:
    returns = data.returns_to or state.left_open_stage
    return {"pipeline": data.pipeline, "pipeline_number": data.number, "left_open_stage": returns}


def _recorded(state: LeadState, _: Meta, data: e.CardRecorded) -> dict[str, Any]:
    values = known(data.values) or {}
    if state.deal_of is not None:  # a field that was cleared on a deal is empty there, whatever the lead says
        own = {name: values[name] for name in CONTACT_FIELDS & values.keys()}
        return {"card": {**state.card, **{k: v for k, v in values.items() if k not in CONTACT_FIELDS}}, **own}
    contact = {name: values[name] or None for name in CONTACT_FIELDS & values.keys()}
    card = {k: v for k, v in {**state.card, **values}.items() if v and k not in CONTACT_FIELDS}
    return {"card": card, **contact}


def _joined(state: LeadState, meta: Meta, data: e.InboundJoined) -> dict[str, Any]:
    if meta.person != state.contact:
        return {}  # of a merged contact: who they are stands with that one, and goes with it should the merge be undone
    return {name: getattr(state, name) or known(getattr(data, name)) for name in CONTACT_FIELDS}


def _call(state: LeadState, meta: Meta, data: e.CallFacts) -> dict[str, Any]:
    call_id = known(data.call_id)
    changed: dict[str, Any] = {"calls": {**state.calls, call_id: data}} if call_id is not None else {}
    earlier = state.calls.get(call_id) if call_id is not None else None
    if data.answered and not (earlier is not None and earlier.answered):
        changed |= _fact(state, meta, "call_held")
    if data.answered or data.call_direction == "out":
        changed["touched_at"] = meta.happened_at
    return changed


def _fact(state: LeadState, meta: Meta, fact: str, value: str | None = None, *, each: bool = False) -> dict[str, Any]:
    """A fact holds. `each`: its values hold side by side, each by itself."""
    held = FactHeld(value, state.root, meta.happened_at)
    facts = {**state.facts, fact: held}
    if each and value is not None:
        facts[f"{fact}:{value}"] = held
    return {"facts": facts}


def _approved(state: LeadState, meta: Meta, data: e.ApprovalGiven) -> dict[str, Any]:
    if data.decision == "granted":
        return _fact(state, meta, "approved")
    return {"facts": {fact: held for fact, held in state.facts.items() if fact != "approved"}}


def _withdrawn(state: LeadState, _: Meta, data: e.FactWithdrawn) -> dict[str, Any]:
    gone = f"{data.fact}:" if data.value is None else f"{data.fact}:{data.value}"
    facts = {
        name: held
        for name, held in state.facts.items()
        if name != data.fact and not (name.startswith(gone) if data.value is None else name == gone)
    }
    others = [held for name, held in facts.items() if name.startswith(f"{data.fact}:")]
    if others:  # the last of those that still hold stands for the fact
        facts[data.fact] = max(others, key=lambda held: held.at)
    return {"facts": facts}


def _letter(state: LeadState, meta: Meta, data: e.LetterReceived) -> dict[str, Any]:
    brought: dict[str, Any] = {}
    if data.attachments:
        brought["files"] = state.files | {attachment.blob for attachment in data.attachments}
    if meta.person != state.contact:
        return brought
    return {**brought, "name": state.name or known(data.name), "email": state.email or known(data.email)}


def _done(state: LeadState, meta: Meta, data: e.ActivityDone) -> dict[str, Any]:
    changed = planning.CHANGES[e.ActivityDone](state, meta, data)
    done = changed and data.activity_kind == "task"
    return {**changed, **_fact(state, meta, "task_done")} if done else changed


def _automation(
    change: Callable[[standing.Automation, Meta, Any], standing.Automation],
) -> Callable[[LeadState, Meta, Any], dict[str, Any]]:
    return lambda state, meta, data: {"automation": change(state.automation, meta, data)}


def _deadlines(
    change: Callable[[due.Deadlines, Meta, Any], due.Deadlines],
) -> Callable[[LeadState, Meta, Any], dict[str, Any]]:
    return lambda state, meta, data: {"deadlines": change(state.deadlines, meta, data)}


def _assigned(state: LeadState, meta: Meta, data: e.LeadAssigned) -> dict[str, Any]:
    return {"responsible": data.to, "pooled": False, "deadlines": due.given(state.deadlines, meta, data.to)}


def _pooled(state: LeadState, meta: Meta, _: e.LeadPooled) -> dict[str, Any]:
    return {"responsible": None, "pooled": True, "deadlines": due.given(state.deadlines, meta, None)}


_LEAD_CHANGES: dict[type[e.Event], Callable[[LeadState, Meta, Any], dict[str, Any]]] = {
    e.StageEntered: _entered,
    e.LeadSeen: lambda state, meta, data: {"seen": True},
    e.LeadAccepted: lambda state, meta, data: {"accepted": True},
    e.LeadAssigned: _assigned,
    e.LeadPooled: _pooled,
    e.CardRecorded: _recorded,
    # A new offer asks a new question: the answer to the former one no longer decides anything.
    e.OfferMade: lambda state, meta, data: {"offer": data, "answer": None},
    e.AnswerReceived: lambda state, meta, data: {"answer": data.answer},
    e.LeadPaused: lambda state, meta, data: {"paused_until": data.until},
    e.LeadRejected: lambda state, meta, data: {"outcome": data.outcome},
    e.LeadAdopted: _adopted,
    e.CallHeld: lambda state, meta, data: _fact(state, meta, "call_held", data.result),
    e.MeetingHeld: lambda state, meta, data: _fact(state, meta, "meeting_held", data.result),
    e.DocumentSent: lambda state, meta, data: _fact(state, meta, "document_sent", data.document, each=True),
    e.FileAttached: lambda state, meta, data: _fact(state, meta, "file_attached", data.label, each=True),
    e.ApprovalGiven: _approved,
    e.FactEstablished: lambda state, meta, data: _fact(state, meta, data.fact, data.value),
    e.FactWithdrawn: _withdrawn,
    e.InboundJoined: _joined,
    e.LetterReceived: _letter,
    e.CallRecorded: _call,
    e.CallUpdated: _call,
    **planning.CHANGES,
    e.ActivityDone: _done,
    e.LeadMerged: lambda state, meta, data: {"merged_into": data.into, "merged_by": meta.command},
    e.LeadUnmerged: lambda state, meta, data: {"merged_into": None, "merged_by": None},
    e.LeadAbsorbed: lambda state, meta, data: {"absorbed": {**state.absorbed, data.lead: meta.version}},
    e.LeadReleased: lambda state, meta, data: {
        "absorbed": {lead: version for lead, version in state.absorbed.items() if lead != data.lead}
    },
    e.ClientRecommended: lambda state, meta, data: {"recommended": (*state.recommended, data.lead)},
    e.DuplicateSuspected: lambda state, meta, data: {"suspected": state.suspected | {data.other_contact}},
    e.DuplicateDismissed: lambda state, meta, data: {"dismissed": state.dismissed | {data.other_contact}},
    e.TagAdded: lambda state, meta, data: {"tags": state.tags | {data.tag}},
    e.TagRemoved: lambda state, meta, data: {"tags": state.tags - {data.tag}},
    **judging.CHANGES,
    **{event: _automation(change) for event, change in standing.CHANGES.items()},
    **{event: _deadlines(change) for event, change in due.CHANGES.items()},
    e.DealWithdrawn: lambda state, meta, data: {"withdrawn": True},
    e.DealRestored: lambda state, meta, data: {"withdrawn": False},
}
_LEAD_CHANGES.update({deal: _LEAD_CHANGES[lead] for lead, deal in e.OF_DEALS.items() if lead in _LEAD_CHANGES})
"""What each event changes in a lead; an event that is not here changes its version only."""

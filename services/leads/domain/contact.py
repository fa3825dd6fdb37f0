"""What a contact is at a version: the fold of a person's events.

A person may be several contacts that were merged (N16): each keeps its stream, its key and its identities, and goes on
collecting what comes by them, so that taking the merge back loses nothing; the one that goes on is the head of them. Pure;
never fails on an event of a known type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from contracts import events as e
from contracts.meta import Meta
from contracts.personal import known
from contracts.recorded import Recorded
from services.leads.domain.permissions import Permission
from services.leads.domain.state import with_

IdentityState = Literal["unconfirmed", "confirmed", "wrong"]
Key = tuple[str, str]
"""(kind, value) of an identity."""


@dataclass(frozen=True)
class ContactState:
    """A contact at `version`. `identities`: what finds the person; `states`: what is proven of them (C9)."""

    contact: UUID
    version: int
    name: str | None = None
    company: str | None = None
    identities: frozenset[Key] = frozenset()
    owned: frozenset[Key] = frozenset()
    """Those of `identities` that nobody else had before."""
    sharers: Mapping[Key, frozenset[UUID]] = field(default_factory=dict)
    """Of an owned identity: who of another name uses it too (C3)."""
    states: Mapping[Key, IdentityState] = field(default_factory=dict)
    permissions: tuple[Permission, ...] = ()
    """C7: every word about being contacted, in the order recorded."""
    companies: frozenset[UUID] = frozenset()
    """Whom the person works or speaks for."""
    merged_into: UUID | None = None
    merged_by: UUID | None = None
    """The command that merged it."""
    absorbed: frozenset[UUID] = frozenset()
    """Contacts that were merged into this one, directly."""
    erased: bool = False


def contact_from(recorded: Iterable[Recorded]) -> ContactState | None:
    """The contact after these events, from its first on; None for no events."""
    state: ContactState | None = None
    for event in recorded:
        state = evolve_contact(state, event.meta, event.data)
    return state


def evolve_contact(state: ContactState | None, meta: Meta, data: e.Event) -> ContactState:
    """The contact after one more event."""
    if isinstance(data, e.ContactMade):
        return ContactState(meta.stream, meta.version, known(data.name), known(data.company))
    assert state is not None, f"{meta.event_id}: a contact's stream begins with {e.ContactMade.TOPIC}"
    change = _CHANGES.get(type(data))
    return with_(state, version=meta.version, **(change(state, meta, data) if change else {}))


def _added(state: ContactState, _: Meta, data: e.IdentityAdded) -> dict[str, Any]:
    if (value := known(data.value)) is None:
        return {}
    key = (data.identity_kind, value)
    owned = state.owned if data.shared else state.owned | {key}
    return {"identities": state.identities | {key}, "owned": owned, "states": {**state.states, key: data.state}}


def _shared(state: ContactState, _: Meta, data: e.IdentityShared) -> dict[str, Any]:
    if (value := known(data.value)) is None:
        return {}
    key = (data.identity_kind, value)
    return {"sharers": {**state.sharers, key: state.sharers.get(key, frozenset()) | {data.other_contact}}}


def _unshared(state: ContactState, _: Meta, data: e.IdentityUnshared) -> dict[str, Any]:
    if (value := known(data.value)) is None:
        return {}
    key = (data.identity_kind, value)
    return {"sharers": {**state.sharers, key: state.sharers.get(key, frozenset()) - {data.other_contact}}}


def _proven(state: ContactState, _: Meta, data: e.IdentityConfirmed | e.IdentityWrong) -> dict[str, Any]:
    if (value := known(data.value)) is None:
        return {}
    proven: IdentityState = "confirmed" if isinstance(data, e.IdentityConfirmed) else "wrong"
    return {"states": {**state.states, (data.identity_kind, value): proven}}


def _permission(state: ContactState, meta: Meta, data: e.PermissionRecorded) -> dict[str, Any]:
    permission = Permission(
        channel=data.channel,
        allowed=data.allowed,
        how=data.how,
        at=meta.happened_at,
        by=meta.actor.id,
        until=data.until,
        words=known(data.words),
        lead=data.lead,
        inbound_id=data.inbound_id,
    )
    return {"permissions": (*state.permissions, permission)}


_NOTHING_KNOWN: dict[str, Any] = {
    "name": None,
    "company": None,
    "identities": frozenset(),
    "owned": frozenset(),
    "sharers": {},
    "states": {},
    "permissions": (),
}
_CHANGES: dict[type[e.Event], Callable[[ContactState, Meta, Any], dict[str, Any]]] = {
    e.IdentityAdded: _added,
    e.IdentityShared: _shared,
    e.IdentityUnshared: _unshared,
    e.IdentityConfirmed: _proven,
    e.IdentityWrong: _proven,
    e.PermissionRecorded: _permission,
    e.CompanyJoined: lambda state, meta, data: {"companies": state.companies | {data.company}},
    e.ContactMerged: lambda state, meta, data: {"merged_into": data.into, "merged_by": meta.command},
    e.ContactUnmerged: lambda state, meta, data: {"merged_into": None, "merged_by": None},
    e.ContactAbsorbed: lambda state, meta, data: {"absorbed": state.absorbed | {data.contact}},
    e.ContactReleased: lambda state, meta, data: {"absorbed": state.absorbed - {data.contact}},
    e.PersonErased: lambda state, meta, data: {**_NOTHING_KNOWN, "erased": True},
}
"""What each event changes in a contact; an event that is not here changes its version only."""

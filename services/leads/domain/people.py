"""What is said of the person behind a lead: permissions (C7), what reaches them (C9), who they are not (C3), and whether their
data may go (C1). From a command to events, or to a refusal. Pure.

Invariants: a fact that holds already makes no second event; words of a message never record a permission by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from contracts import commands as c
from contracts import events as e
from contracts.commands import Refusal
from services.leads.domain.contact import ContactState, Key
from services.leads.domain.permissions import CHANNELS, Permission
from services.leads.domain.state import LeadState


@dataclass(frozen=True, slots=True)
class Person:
    """The person behind a lead: every contact of theirs, the lead's own first."""

    contacts: tuple[ContactState, ...]

    @property
    def permissions(self) -> tuple[Permission, ...]:
        """All they ever said about being contacted."""
        return tuple(permission for contact in self.contacts for permission in contact.permissions)

    @property
    def states(self) -> Mapping[Key, str]:
        """What is proven of each identity."""
        return {key: state for contact in reversed(self.contacts) for key, state in contact.states.items()}

    def who_has(self, key: Key) -> ContactState | None:
        """Which contact an identity was added to."""
        return next((contact for contact in self.contacts if key in contact.identities), None)


ContactEvents = tuple[tuple[UUID, e.Event], ...]
"""Events with the contact's stream each belongs to."""


def permit(state: LeadState, body: c.Permit, person: Person) -> ContactEvents:
    """C7: what the person said, for one channel or for each there is; said again alike, it is recorded once."""
    own = person.contacts[0]
    events: list[tuple[UUID, e.Event]] = []
    for channel in CHANNELS if body.channel == "all" else (body.channel,):
        last = next((p for p in reversed(own.permissions) if p.channel == channel), None)
        said = (body.allowed, body.how, body.until, body.words)
        if last is not None and (last.allowed, last.how, last.until, last.words) == said:
            continue
        recorded = e.PermissionRecorded(
            channel=channel, allowed=body.allowed, how=body.how, until=body.until, words=body.words, lead=state.lead
        )
        events.append((own.contact, recorded))
    return tuple(events)


def confirm(body: c.Confirm, value: str | None, person: Person) -> ContactEvents | Refusal:
    """C9: somebody was reached there, or nobody ever is. `value`: in normal form; None: it has none."""
    key = (body.kind, value or "")
    contact = person.who_has(key)
    if contact is None:
        what = {"phone": ("телефон", "phone"), "email": ("e-mail", "e-mail")}[body.kind]
        return Refusal(
            rules=("C9.known_identity",),
            # The value itself is not repeated: a refusal is kept for ever, beyond an erasure.
            ru=f"У клиента нет такого адреса ({what[0]}). Сначала запишите его в карточку.",
            en=f"The client has no such {what[1]}. Record it on the card first.",
        )
    if person.states.get(key) == ("confirmed" if body.right else "wrong"):
        return ()
    proof = {"identity_kind": key[0], "value": key[1], "proof": "by_hand"}
    kind = e.IdentityConfirmed if body.right else e.IdentityWrong
    return ((contact.contact, kind.model_validate(proof)),)


def dismiss(state: LeadState, body: c.Dismiss, suspected: bool) -> tuple[e.Event, ...] | Refusal:
    """C3: they are two people. `suspected`: whether the lead was ever marked so."""
    if not suspected:
        return Refusal(
            rules=("C3.suspected_duplicate",),
            ru="Этот человек не отмечен у лида как возможный дубль.",
            en="This person was not marked on the lead as a possible duplicate.",
        )
    if body.other_contact in state.dismissed:
        return ()
    return (e.DuplicateDismissed(other_contact=body.other_contact, comment=body.comment),)


def may_recommend(recommender: LeadState | None) -> Refusal | None:
    """P7: who recommended a client is a lead that goes on by itself."""
    if recommender is not None and recommender.merged_into is None and not recommender.erased:
        return None
    if recommender is None:
        why = ("такого лида нет", "there is no such lead")
    elif recommender.erased:
        why = ("данные этого клиента удалены", "that client's data was erased")
    else:
        into = recommender.merged_into
        why = (f"он объединён с лидом {into}, укажите его", f"it was merged into {into}, name that one")
    return Refusal(
        rules=("P7.known_recommender",),
        ru=f"Кто рекомендовал клиента: {why[0]}.",
        en=f"Who recommended the client: {why[1]}.",
    )


def may_delete(lead: UUID, others: Iterable[LeadState]) -> Refusal | None:
    """C1: bad data is deleted at once, unless the person has a lead beside it that is worked on, waits or was won, or that was
    lost with the contact kept."""
    living = sorted(
        str(state.lead)
        for state in others
        if state.lead != lead
        and state.merged_into is None
        and not state.erased
        and (state.kind != "lost" or state.outcome in ("contact", "ads"))
    )
    if not living:
        return None
    return Refusal(
        rules=("C1.only_lead_of_person",),
        ru=f"Данные клиента нельзя удалить: у него есть другие лиды ({', '.join(living)}). Выберите другую причину.",
        en=f"The person's data cannot be deleted: they have other leads ({', '.join(living)}). Choose another reason.",
    )

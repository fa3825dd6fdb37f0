"""What an inbound message proves or orders beyond itself: identities confirmed or wrong (C9), calls to make (C2, C3).

Each is a small function over one `Situation`, asked in the order of `CONSEQUENCES` after the outcome is known; each adds
events to what was recognised, or nothing. Pure. Invariants: a fact that holds already is not recorded twice; no stage moves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID, uuid5

from contracts import events as e
from contracts.inbound import CallBody, FormBody, MailBody
from services.leads.domain.arrivals import Recognised
from services.leads.domain.identities import Identity
from services.leads.domain.inbound_rules import SAME_CALL, SAME_LETTER, Case
from services.leads.domain.own_letters import read_own
from services.leads.domain.robots.outward import bounced
from services.leads.domain.state import LeadState


@dataclass(frozen=True, slots=True)
class Situation:
    """A message with its outcome; `before` is the lead it joins, as it was."""

    case: Case
    found: Recognised
    before: LeadState | None

    @property
    def activity(self) -> UUID:
        """The id of the activity that this message orders, the same however often it is run."""
        return uuid5(self.case.arrival.inbound_id, "activity")

    def says_something_new(self) -> bool:
        """Whether it is more than a repeat of what is recorded."""
        return self.found.reason not in (SAME_CALL, SAME_LETTER) and self.found.outcome != "quarantined"

    def newly_answered(self) -> bool:
        """Whether a call was answered of which that was not known yet."""
        body = self.case.arrival.body
        if not isinstance(body, CallBody) or not body.answered or not self.says_something_new():
            return False
        known = self.before.calls.get(body.call_id) if self.before is not None else None
        return known is None or not known.answered


def answered_call_confirms(now: Situation) -> None:
    """C9.answered_call_confirms: who talked with us on a phone is reached there."""
    if now.newly_answered():
        _confirm(now, "answered_call")


def reply_confirms(now: Situation) -> None:
    """C9.reply_confirms: who answers a letter of ours got it. A letter that answers the client's own letter proves nothing."""
    if now.case.answers_ours() and now.says_something_new():
        _confirm(now, "reply")


def bounce_proves_wrong(now: Situation) -> None:
    """C9.bounce_proves_wrong: an address that a server refused for good reaches nobody. A delay proves nothing."""
    body, known = now.case.arrival.body, now.case.known
    if not isinstance(body, MailBody) or body.kind != "bounce" or not now.says_something_new():
        return
    by_address = {bounced.address.lower(): bounced for bounced in body.bounced if bounced.permanent}
    for identity in now.case.arrival.identities:
        owner, bounced = known.owners.get(identity.hmac), by_address.get(identity.value)
        contact = known.contacts.get(owner.contact) if owner else None
        if bounced is None or contact is None or contact.erased:
            continue
        if contact.states.get((identity.kind, identity.value)) == "wrong":
            continue
        wrong = e.IdentityWrong(
            identity_kind=identity.kind,
            value=identity.value,
            proof="bounce",
            inbound_id=now.case.arrival.inbound_id,
            status=bounced.status,
            diagnostic=bounced.diagnostic or None,
        )
        now.found.other_contact_events.append((contact.contact, wrong))


def bounce_is_told(now: Situation) -> None:
    """C9.bounce_is_told: a letter of ours came back: it is told on its lead, and a person asks for the address."""
    body = now.case.arrival.body
    if not isinstance(body, MailBody) or body.kind != "bounce" or now.before is None or not now.says_something_new():
        return
    told = {b.address.lower(): b for b in body.bounced}
    own = [
        o.effect for r in now.case.arrival.names if (o := read_own(r.value)) is not None and o.lead == now.before.lead
    ]
    if not own:  # the report does not hold the letter's headers: the last one to that address is meant
        sent = now.before.automation.effects.items()
        own = [effect for effect, known in sent if known.kind == "email" and (known.email or "").lower() in told][-1:]
    for effect in own[:1]:
        known = now.before.automation.effects.get(effect)
        about = told.get((known.email or "").lower()) if known is not None else None
        about = about or next(iter(told.values()), None)
        now.found.ruled += bounced(now.before, effect, now.case.arrival.inbound_id, about)


def ordered_call_is_planned(now: Situation) -> None:
    """C3.ordered_call_is_planned: who orders a call is called: an activity at once, one at a time."""
    body = now.case.arrival.body
    if isinstance(body, FormBody) and body.kind == "callback":
        _plan_call(now, "callback_ordered")


def missed_call_is_called_back(now: Situation) -> None:
    """C2.missed_call_is_called_back: a call of the client that nobody took is our miss: a call to make, one at a time."""
    body = now.case.arrival.body
    if isinstance(body, CallBody) and body.direction == "in" and not body.answered:
        first = now.before is None or body.call_id not in now.before.calls
        if first:
            _plan_call(now, "missed_call")


def answered_call_ends_the_call_back(now: Situation) -> None:
    """C2.answered_call_ends_the_call_back: once somebody talked with the client, the call that was owed is made."""
    if now.before is None or now.found.outcome != "joined" or not now.newly_answered():
        return
    for activity in now.before.open_calls_owed():
        done = e.ActivityDone(
            activity=activity,
            activity_kind="call",
            reason="answered_call",
            inbound_id=now.case.arrival.inbound_id,
        )
        now.found.ruled.append(done)


CONSEQUENCES: tuple[Callable[[Situation], None], ...] = (
    answered_call_confirms,
    reply_confirms,
    bounce_proves_wrong,
    bounce_is_told,
    ordered_call_is_planned,
    missed_call_is_called_back,
    answered_call_ends_the_call_back,
)


def _plan_call(now: Situation, reason: str) -> None:
    if now.found.outcome not in ("accepted", "joined") or not now.says_something_new():
        return
    if now.before is not None and now.before.open_calls_owed():
        return
    planned = e.ActivityPlanned.model_validate(
        {
            "activity": now.activity,
            "activity_kind": "call",
            "reason": reason,
            "inbound_id": now.case.arrival.inbound_id,
        }
    )
    now.found.ruled.append(planned)


def _confirm(now: Situation, proof: str) -> None:
    """Record that the sender's own phone or e-mail reaches them, unless that is known."""
    contact, known = now.found.contact, now.case.known
    identity = _sender(now.case)
    if contact is None or identity is None:
        return
    owner, state = known.owners.get(identity.hmac), known.contacts.get(contact)
    theirs = (owner is not None and owner.contact == contact) or (owner is None and identity in now.found.claims)
    if not theirs or (state is not None and state.states.get((identity.kind, identity.value)) == "confirmed"):
        return
    confirmed = e.IdentityConfirmed.model_validate(
        {
            "identity_kind": identity.kind,
            "value": identity.value,
            "proof": proof,
            "inbound_id": now.case.arrival.inbound_id,
        }
    )
    now.found.contact_events.append(confirmed)


def _sender(case: Case) -> Identity | None:
    return next((i for i in case.arrival.identities if i.kind in ("phone", "email")), None)

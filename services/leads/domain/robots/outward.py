"""What came of effects that were requested of the outside, and what a person or the client changes in them (R3, C7, C9). Pure.

Invariants: an effect is closed by `EffectDone` or `EffectFailed` and done only once; what was given up or refused is shown to a
person as a task, and can be asked for again; a refusal of contact stops what is still on its way on that channel, and takes the
client out of every audience they were put into.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any, Final
from uuid import UUID, uuid5

from contracts import commands as c
from contracts import events as e
from contracts.commands import Refusal
from contracts.events import ContactChannel
from contracts.inbound_mail import BouncedAddress
from services.leads.domain.people import Person
from services.leads.domain.permissions import may_contact
from services.leads.domain.robots.standing import Effect
from services.leads.domain.state import LeadState
from services.subject import spoken

CHANNEL: Final[dict[str, ContactChannel]] = {"email": "email", "sms": "sms", "audience": "ads"}
"""The channel that each kind of effect uses; what is not here reaches no client."""
_SAID: Final[dict[str, tuple[str, str]]] = {
    "email": ("Письмо клиенту не ушло", "The letter to the client did not go out"),
    "sms": ("SMS клиенту не ушло", "The message to the client did not go out"),
    "audience": ("Рекламная аудитория не изменена", "The ad audience was not changed"),
    "webhook": ("Внешняя система не ответила", "The other system did not answer"),
}
_DOUBTFUL: Final = (" (могло всё же уйти)", " (it may have gone out all the same)")
_CAME_BACK: Final[dict[bool, tuple[str, str]]] = {
    True: ("Письмо не дошло: уточнить адрес", "The letter came back: ask for the address"),
    False: ("Письмо не дошло: связаться иначе", "The letter came back: reach the client in another way"),
}
"""By whether the address is proven wrong."""
REFUSED: Final = "contact_refused"


def report(state: LeadState, body: c.Report, command: UUID, language: str) -> tuple[e.Event, ...] | Refusal:
    """What the delivery service says of an effect; nothing where that is known already."""
    effect = state.automation.effects.get(body.effect)
    if effect is None:
        return _no_such_effect(state)
    if effect.state == "done" or (effect.state == "failed" and body.outcome == "failed"):
        return ()
    about: dict[str, Any] = {"effect": body.effect, "effect_kind": effect.kind, "provider": body.provider}
    if body.outcome == "done":
        done = e.EffectDone(
            **about,
            attempts=max(1, body.attempts),
            provider_id=body.provider_id,
            matched=body.matched,
            doubtful=body.doubtful,
        )
        return (done,)
    failed = e.EffectFailed(**about, attempts=body.attempts, reason=body.reason or "", doubtful=body.doubtful)
    if state.erased or effect.kind not in _SAID:
        return (failed,)
    (ru, en), (doubt_ru, doubt_en) = _SAID[effect.kind], _DOUBTFUL if body.doubtful else ("", "")
    told = e.ActivityPlanned(
        activity=uuid5(command, "activity"),
        activity_kind="task",
        reason="effect_failed",
        text=f"{ru}: {body.reason}{doubt_ru}" if language == "ru" else f"{en}: {body.reason}{doubt_en}",
        robot=effect.robot,
    )
    return (failed, told)


def repeat(state: LeadState, body: c.Repeat, person: Person, today: date) -> tuple[e.Event, ...] | Refusal:
    """A person wants tried again what could not be done; an address that was mended meanwhile is used (C7, C9)."""
    effect = state.automation.effects.get(body.effect)
    if effect is None:
        return _no_such_effect(state)
    if effect.state != "failed":
        return Refusal(
            rules=("R3.only_what_failed",),
            ru="Повторяют только то, что не удалось; это "
            + ("уже сделано." if effect.state == "done" else "ещё в пути."),
            en="Only what failed is repeated; this "
            + ("was done already." if effect.state == "done" else "is on its way still."),
        )
    channel = CHANNEL.get(effect.kind)
    if (
        channel is not None
        and effect.action != "remove"
        and not may_contact(person.permissions, channel, today).allowed
    ):
        return Refusal(
            rules=("C7.refusal_of_contact",),
            ru="Клиент просил не обращаться к нему этим способом.",
            en="The client asked not to be contacted in this way.",
        )
    repeated = e.EffectRepeated(
        effect=body.effect,
        effect_kind=effect.kind,
        email=state.email if effect.email is not None else None,
        phone=state.phone if effect.phone is not None else None,
    )
    return (repeated,)


def bounced(state: LeadState, effect: UUID, arrival: UUID, about: BouncedAddress | None) -> Iterator[e.Event]:
    """C9: a letter of ours came back: a fact, and a task where it will not get there. `about`: what the report says of its
    address; None: nothing that could be read."""
    if effect not in state.automation.effects:
        return
    wrong, given_up = (about.permanent, about.given_up) if about is not None else (False, True)
    status = about.status if about is not None else None
    yield e.EffectBounced(effect=effect, inbound_id=arrival, permanent=wrong, status=status, given_up=given_up)
    if given_up:
        ru, en = _CAME_BACK[wrong]
        yield e.ActivityPlanned(
            activity=uuid5(arrival, "bounced"),
            activity_kind="task",
            reason="bounced",
            inbound_id=arrival,
            text=f"{ru} / {en} ({status or '—'})",
        )


def refused(state: LeadState, channels: frozenset[str], command: UUID) -> Iterator[e.Event]:
    """C7: the client refused to be contacted: what is on its way stops, and they leave the audiences they are in."""
    inside: dict[tuple[str, str], Effect] = {}
    for effect, known in state.automation.effects.items():
        channel = CHANNEL.get(known.kind)
        if channel not in channels or known.action == "remove":
            if known.kind == "audience" and known.action == "remove" and known.state != "failed":
                inside.pop((known.service or "", known.audience or ""), None)
            continue
        if known.state == "requested":
            yield e.EffectFailed(effect=effect, effect_kind=known.kind, attempts=0, reason=REFUSED)
        if known.kind == "audience" and (known.state != "failed" or known.gave_up):
            inside[(known.service or "", known.audience or "")] = known
    for (service, audience), known in inside.items():
        yield e.EffectRequested(
            effect=uuid5(command, f"{state.lead}:{service}:{audience}"),
            effect_kind="audience",
            service=service,
            audience=audience,
            action="remove",
            email=known.email,
            phone=known.phone,
        )


def cancel(state: LeadState, body: c.CancelRobot) -> tuple[e.Event, ...] | Refusal:
    """R6: a person takes an armed robot back."""
    armed = state.automation.armed.get(body.timer)
    if armed is None:
        return Refusal(
            rules=("R6.armed_robot",),
            ru="Этот робот уже не ждёт: он сработал, пропущен или отменён.",
            en="This robot does not wait any more: it ran, was skipped or was cancelled.",
        )
    return (
        e.RobotCancelled(robot=armed.robot, timer=armed.timer, visit=armed.visit, by="by_hand", comment=body.comment),
    )


def _no_such_effect(state: LeadState) -> Refusal:
    of_deal = state.deal_of is not None
    return Refusal(
        rules=("R3.known_effect",),
        ru=spoken("У ⟨этого лида|этой сделки⟩ такого действия нет.", of_deal=of_deal),
        en=spoken("This ⟨lead|deal⟩ has no such effect.", of_deal=of_deal),
        status=404,
    )

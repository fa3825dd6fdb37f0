"""What becomes of an inbound message: the rules by which one becomes a lead, joins one, or neither, and why (C3, C9, S4).

`INBOUND_RULES` are asked in their order; the first that answers decides, and the last always does. `docs/rules.md` is
generated from them. Pure. Invariants: a message joins nothing unseen: where a phone or e-mail belongs to a person of another
name, both are kept and a person decides; nothing but a wish of the client makes a lead: no call of ours, no visit, no machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from contracts.inbound import CallBody, FormBody, MailBody
from contracts.pipeline import Stage
from services.leads.domain.arrivals import Arrival, Known, Outcome, Owner, Referred
from services.leads.domain.channels import client_number, is_hidden, is_internal
from services.leads.domain.identities import Identity, names_differ
from services.leads.domain.own_letters import read_own

SAME_CALL, SAME_LETTER = "same_call", "same_letter"
FURTHER_REPORT = "further_report"
"""Reasons that say it is no message of its own (`contracts.inbound.REPEAT_REASONS`)."""


@dataclass(frozen=True, slots=True)
class Whose:
    """The person a message is of, and others who have an identity of it without being that person."""

    mine: UUID | None
    others: tuple[tuple[UUID, Identity], ...] = ()
    thread: Referred | None = None
    """The conversation it goes on with, where that is this person's."""


@dataclass(frozen=True, slots=True)
class Case:
    """What a rule looks at."""

    arrival: Arrival
    known: Known
    whose: Whose

    @property
    def open_lead(self) -> UUID | None:
        """The open lead the message belongs to: that of its conversation, else the person's."""
        thread = self.whose.thread
        if thread is not None and thread.lead is not None:
            state = self.known.leads.get(thread.lead)
            if state is not None and state.is_open:
                return thread.lead
        return self.known.open_leads.get(self.whose.mine) if self.whose.mine is not None else None

    def earlier(self, kind: str) -> Referred | None:
        """The earlier message that this one is another report or copy of."""
        for reference in self.arrival.names:
            found = self.known.referred.get(reference.hmac) if reference.kind == kind else None
            if found is not None and found.inbound_id != self.arrival.inbound_id:
                return found
        return None

    def answers_ours(self) -> bool:
        """Whether it is a letter that answers one of ours: by the token in our address, or, within a known conversation, by
        an id that is none of the letters they sent us."""
        body = self.arrival.body
        if not isinstance(body, MailBody) or body.kind != "letter" or self.whose.thread is None:
            return False
        for reference in self.arrival.names:
            if reference.kind == "thread" and reference.hmac in self.known.referred:
                return True
            if reference.kind == "letter" and reference.value == body.in_reply_to:
                return read_own(reference.value) is not None or reference.hmac not in self.known.referred
        return False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a message. `lead`: which one it joins."""

    outcome: Outcome
    reason: str | None = None
    lead: UUID | None = None
    contact: UUID | None = None
    reopens: Stage | None = None
    """The stage that the lead comes back to by it."""


@dataclass(frozen=True, slots=True)
class InboundRule:
    """A rule: its id, what it says in both languages, why it is there, and the function that answers or passes (None)."""

    id: str
    ru: str
    en: str
    why: str
    answer: Callable[[Case], Verdict | None]


def decide(case: Case) -> tuple[str, Verdict]:
    """The first rule that answers, and its answer."""
    for rule in INBOUND_RULES:
        if (verdict := rule.answer(case)) is not None:
            return rule.id, verdict
    raise AssertionError("the last rule answers always")


def whose(arrival: Arrival, known: Known) -> Whose:
    """Whose a message is: by its conversation, then by its identities, the surest first."""
    thread = _conversation(arrival, known)
    mine = thread.contact if thread else None
    others: list[tuple[UUID, Identity]] = []
    decisive = [i for i in arrival.identities if i.kind != "visitor" or arrival.channel == "visit"]
    for identity in decisive:
        owner = known.owners.get(identity.hmac)
        if owner is None or (mine is not None and known.same(owner.contact, mine)):
            continue
        if mine is None and _is_the_same_person(arrival, known, identity, owner):
            mine = owner.contact
        else:
            others.append((owner.contact, identity))
    if mine is None and others and (caller := _nameless_caller(arrival, known)) is not None:
        return Whose(caller)
    stranger = _stranger_in_conversation(arrival, known)
    if mine is None and stranger is not None and decisive:
        others.append((stranger, decisive[0]))
    strangers = ((o, identity) for o, identity in others if mine is None or not known.same(o, mine))
    return Whose(mine, tuple(strangers), thread)


def _is_the_same_person(arrival: Arrival, known: Known, identity: Identity, owner: Owner) -> bool:
    contact = known.contacts.get(owner.contact)
    if owner.shared or contact is None:
        return False
    # A messenger's account is one person's, whatever name it shows today; a phone or an address may be a household's.
    return identity.kind == "messenger" or not names_differ(contact.name, arrival.said.name)


def _nameless_caller(arrival: Arrival, known: Known) -> UUID | None:
    """Who rang before from a number that several people use, with nothing saying who: until a person decides, one nameless
    caller with one open lead, instead of a lead for each call."""
    for reference in arrival.names:
        found = known.referred.get(reference.hmac) if reference.kind == "line" else None
        if found is not None and found.contact in known.open_leads:
            return found.contact
    return None


def _conversation(arrival: Arrival, known: Known) -> Referred | None:
    """The conversation a letter goes on with, if it is of the same person: their own address, or no other name."""
    found = _named(arrival, known)
    if found is None or found.contact is None:
        return None
    contact = known.contacts.get(found.contact)
    if contact is None or contact.erased:
        return None
    own = any(
        (owner := known.owners.get(identity.hmac)) is not None
        and known.same(owner.contact, found.contact)
        and not owner.shared
        for identity in arrival.identities
    )
    return found if own or not names_differ(contact.name, arrival.said.name) else None


def _stranger_in_conversation(arrival: Arrival, known: Known) -> UUID | None:
    """The person of the conversation that somebody of another name writes in."""
    found = _named(arrival, known)
    return found.contact if found is not None and _conversation(arrival, known) is None else None


def _named(arrival: Arrival, known: Known) -> Referred | None:
    if not isinstance(arrival.body, MailBody):
        return None
    for reference in arrival.names:
        found = known.referred.get(reference.hmac) if reference.kind in ("thread", "letter") else None
        if found is not None and found.contact is not None:
            return found
    return None


# --- the rules -----------------------------------------------------------------------------------------------------


def _reachable(case: Case) -> Verdict | None:
    body, arrival = case.arrival.body, case.arrival
    if not isinstance(body, FormBody) or any(i.kind in ("phone", "email") for i in arrival.identities):
        return None
    if body.phone or body.email:
        given = " and ".join(what for what, text in (("phone", body.phone), ("e-mail", body.email)) if text)
        return Verdict("quarantined", f"unreadable_contact: the {given} given cannot be read")
    return Verdict("quarantined", "no_contact: neither phone nor e-mail was given")


def _same_call(case: Case) -> Verdict | None:
    earlier = case.earlier("call")
    if earlier is None or earlier.lead is None:
        return None
    return Verdict("joined", FURTHER_REPORT, earlier.lead, earlier.contact)


def _hidden_number(case: Case) -> Verdict | None:
    body = case.arrival.body
    if isinstance(body, CallBody) and is_hidden(body):
        return Verdict("no_lead", "hidden_number: the caller kept the number back")
    return None


def _internal_number(case: Case) -> Verdict | None:
    body = case.arrival.body
    if isinstance(body, CallBody) and is_internal(body):
        return Verdict("no_lead", "internal_number: a call between our own lines")
    return None


def _readable_number(case: Case) -> Verdict | None:
    body = case.arrival.body
    if isinstance(body, CallBody) and client_number(body) and not case.arrival.identities:
        return Verdict("quarantined", "unreadable_contact: the number of the other side cannot be read")
    return None


def _same_letter(case: Case) -> Verdict | None:
    earlier = case.earlier("copy")
    if earlier is None:
        return None
    if earlier.lead is None:
        return Verdict("no_lead", SAME_LETTER, contact=earlier.contact)
    return Verdict("joined", SAME_LETTER, earlier.lead, earlier.contact)


def _readable_sender(case: Case) -> Verdict | None:
    body = case.arrival.body
    if isinstance(body, MailBody) and body.kind != "bounce" and not case.arrival.identities:
        return Verdict("quarantined", "unreadable_contact: the sender's address cannot be read")
    return None


def _bounce_joins_its_letter(case: Case) -> Verdict | None:
    body = case.arrival.body
    if not isinstance(body, MailBody) or body.kind != "bounce":
        return None
    for reference in case.arrival.names:
        found = case.known.referred.get(reference.hmac)
        ours = reference.kind == "thread" or read_own(reference.value) is not None
        if ours and found is not None and found.lead is not None and found.lead in case.known.leads:
            return Verdict("joined", lead=found.lead, contact=found.contact)
    return None


def _machine_makes_no_lead(case: Case) -> Verdict | None:
    body = case.arrival.body
    if not isinstance(body, MailBody) or body.kind == "letter" or case.open_lead is not None:
        return None
    return Verdict("no_lead", f"{body.kind}: written by a machine, and no open lead it belongs to", contact=_mine(case))


def _known_person_joins(case: Case) -> Verdict | None:
    if case.open_lead is None:
        return None
    return Verdict("joined", lead=case.open_lead, contact=case.whose.mine)


def _outbound_makes_no_lead(case: Case) -> Verdict | None:
    body = case.arrival.body
    if not isinstance(body, CallBody) or body.direction == "in":
        return None
    if case.whose.mine is None:
        return Verdict("no_lead", "outbound_to_unknown: we called a number that is nobody's yet")
    return Verdict("no_lead", "outbound_without_lead: the person we called has no open lead", contact=case.whose.mine)


def _visit_makes_no_lead(case: Case) -> Verdict | None:
    if case.arrival.channel != "visit":
        return None
    if case.whose.mine is None:
        return Verdict("no_lead", "unknown_visitor: the visit is of nobody known")
    return Verdict("no_lead", "visitor_without_lead: the visitor has no open lead", contact=case.whose.mine)


def _bulk_mail_makes_no_lead(case: Case) -> Verdict | None:
    body = case.arrival.body
    if isinstance(body, MailBody) and body.list_id is not None:
        return Verdict("no_lead", "bulk_mail: a letter of a mailing list or bulk mailer", contact=_mine(case))
    return None


def _mine(case: Case) -> UUID | None:
    return case.whose.mine


def _client_reopens(case: Case) -> Verdict | None:
    mine = case.whose.mine
    returning = case.known.returning.get(mine) if mine is not None else None
    if returning is None:
        return None
    return Verdict("joined", lead=returning.lead, contact=mine, reopens=returning.stage)


def _new_lead(case: Case) -> Verdict | None:
    return Verdict("accepted", contact=case.whose.mine)


INBOUND_RULES: tuple[InboundRule, ...] = (
    InboundRule(
        "K5.reachable",
        "Заявка без телефона и e-mail ждёт в карантине.",
        "A form that gives neither phone nor e-mail waits in quarantine.",
        "A lead that nobody can reach is no lead; a person may mend it (N18).",
        _reachable,
    ),
    InboundRule(
        "C3.same_call",
        "Ещё одно сообщение о том же звонке дополняет его, а не создаёт второй.",
        "A further report of a call adds to it and makes no second one.",
        "Telephone systems report a call when it rings, when it ends, and when its recording is there.",
        _same_call,
    ),
    InboundRule(
        "C3.hidden_number",
        "Звонок со скрытого номера остаётся в журнале.",
        "A call of a hidden number stays in the journal.",
        "Nobody can be called back; the share of such calls is reported.",
        _hidden_number,
    ),
    InboundRule(
        "C3.internal_number",
        "Звонок между своими номерами остаётся в журнале.",
        "A call between our own lines stays in the journal.",
        "A colleague is no client.",
        _internal_number,
    ),
    InboundRule(
        "K5.readable_number",
        "Звонок с нечитаемым номером ждёт в карантине.",
        "A call whose number cannot be read waits in quarantine.",
        "An adapter that writes numbers wrongly must be noticed, and its calls not be lost.",
        _readable_number,
    ),
    InboundRule(
        "C3.same_letter",
        "Копия того же письма на другой наш адрес — то же письмо.",
        "A copy of a letter at another address of ours is the same letter.",
        "A letter to two of our addresses is one wish of one person.",
        _same_letter,
    ),
    InboundRule(
        "K5.readable_sender",
        "Письмо с нечитаемым адресом отправителя ждёт в карантине.",
        "A letter whose sender cannot be read waits in quarantine.",
        "There is nobody to answer.",
        _readable_sender,
    ),
    InboundRule(
        "C9.bounce_joins_its_letter",
        "Отчёт о недоставке нашего письма — в лид, которому оно было написано, и закрытый тоже.",
        "A bounce of a letter of ours goes to the lead it was written to, a closed one too.",
        "Whoever reads the lead's history must see that the letter did not arrive (R3).",
        _bounce_joins_its_letter,
    ),
    InboundRule(
        "C3.machine_makes_no_lead",
        "Автоответ и отчёт о недоставке лида не создают.",
        "An automatic answer or a bounce makes no lead.",
        "A machine wishes to buy nothing.",
        _machine_makes_no_lead,
    ),
    InboundRule(
        "C3.known_person_joins",
        "Обращение известного человека — в его открытый лид.",
        "A known person's message goes to their open lead.",
        "Two leads of one person are called by two sellers (N15).",
        _known_person_joins,
    ),
    InboundRule(
        "C3.outbound_makes_no_lead",
        "Наш звонок сам по себе лида не создаёт.",
        "A call of ours makes no lead by itself.",
        "A lead is the client's wish; dialling is not. The call stays in the journal and can be run again.",
        _outbound_makes_no_lead,
    ),
    InboundRule(
        "C3.visit_makes_no_lead",
        "Визит лида не создаёт.",
        "A visit makes no lead.",
        "Whoever looks has not asked for anything yet.",
        _visit_makes_no_lead,
    ),
    InboundRule(
        "C3.bulk_mail_makes_no_lead",
        "Массовая рассылка лида не создаёт.",
        "Bulk mail makes no lead.",
        "A newsletter that reaches a sales address is nobody's wish to buy.",
        _bulk_mail_makes_no_lead,
    ),
    InboundRule(
        "P4.client_reopens",
        "Сам клиент сразу возвращает закрытый или отложенный лид, если стадия это разрешает.",
        "The client's own call, letter, form or message brings a closed or postponed lead back at once, where its stage says so.",
        "Who comes back by himself is wanted where his history is, not in a second lead (N15).",
        _client_reopens,
    ),
    InboundRule(
        "C3.new_lead",
        "Всё остальное — новый лид.",
        "All else is a new lead.",
        "Nothing that a client wants is lost.",
        _new_lead,
    ),
)
"""The rule book of intake."""

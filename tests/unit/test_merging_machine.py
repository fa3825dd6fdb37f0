"""Merges, their undoing and messages in any order, against an oracle written apart from the production fold (N15, N16, C3).

The oracle is a forest of numbers: which person number went to which, which lead went to which. It never looks at a state.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contracts import commands as c
from contracts import events as e
from contracts.commands import Command, Refusal
from contracts.inbound import FormBody
from contracts.meta import Meta
from services.leads.domain.arrivals import Arrival, Known, Owner, Said
from services.leads.domain.contact import ContactState, evolve_contact
from services.leads.domain.identities import Identity
from services.leads.domain.merging import Outcome, merge, unmerge
from services.leads.domain.merging_rules import MergeCase
from services.leads.domain.recognition import recognise
from services.leads.domain.state import LeadState, evolve_lead
from tests.unit.given_lead import CLASSIC, HEAD, THEN

PEOPLE = st.integers(0, 4)
SPACE = UUID(int=77)


class Lead:
    """A lead as the oracle sees it: whose, whether it is worked on, and into which it went (by which merge)."""

    def __init__(self, person: int) -> None:
        self.person, self.open = person, True
        self.into: UUID | None = None
        self.since = 0
        self.joins: int | None = None
        """The person who became another's by this merge."""
        self.said: list[int] = []
        """Who wrote on it, in order."""


class Merging(RuleBasedStateMachine):
    """Everything goes to the domain; the oracle says beforehand what must come of it."""

    def __init__(self) -> None:
        super().__init__()
        self.contacts: dict[UUID, ContactState] = {}
        self.states: dict[UUID, LeadState] = {}
        self.owners: dict[bytes, Owner] = {}
        self.persons: dict[UUID, UUID] = {}
        self.open_leads: dict[tuple[UUID, str], UUID] = {}
        self.count = 0
        # the oracle
        self.parents: dict[int, int] = {}
        self.leads: dict[UUID, Lead] = {}
        self.contact_of: dict[int, UUID] = {}

    # --- the system ---

    def put(self, stream: UUID, person: UUID, *events: e.Event) -> None:
        for event in events:
            states = self.states if event.KIND == "lead" else self.contacts
            state = states.get(stream)
            meta = Meta(
                stream=stream,
                version=state.version + 1 if state else 1,
                kind=event.KIND,
                type=event.TOPIC,
                happened_at=THEN + timedelta(minutes=self.count),
                recorded_at=THEN,
                actor=HEAD,
                command=uuid5(SPACE, str(self.count)),
                correlation="test",
                person=person,
                pipeline="classic@1",
            )
            evolve = evolve_lead if event.KIND == "lead" else evolve_contact
            states[stream] = evolve(state, meta, event)  # type: ignore[operator, assignment, arg-type]

    def apply(self, lead: LeadState, done: Outcome) -> None:
        self.put(lead.lead, lead.contact, *done.lead_events)
        self.put(done.into, self.states[done.into].contact, *done.into_events)
        for stream, sealed_for, event in done.contact_events:
            self.put(stream, sealed_for, event)
        self.persons |= done.heads
        for before, after, moved in done.moved_claims:
            assert self.open_leads.pop(before) == moved
            assert after not in self.open_leads
            self.open_leads[after] = moved

    def decide(self, lead: UUID, body: c.Merge | c.Unmerge, into: UUID | None) -> Outcome | Refusal:
        self.count += 1
        command = Command(id=uuid5(SPACE, str(self.count)), lead=lead, actor=HEAD, body=body)
        other = self.states.get(into) if into is not None else None
        case = MergeCase(self.states[lead], other, command, self.contacts, self.open_leads, self.states)
        return merge(case) if isinstance(body, c.Merge) else unmerge(case)

    # --- the oracle ---

    def root(self, person: int) -> int:
        while person in self.parents:
            person = self.parents[person]
        return person

    def same_person(self, one: Lead, other: Lead) -> bool:
        return self.root(one.person) == self.root(other.person)

    def open_lead(self, person: int) -> UUID | None:
        mine = [i for i, lead in self.leads.items() if lead.open and not lead.into]
        found = [i for i in mine if self.root(self.leads[i].person) == self.root(person)]
        assert len(found) <= 1, "one open lead of a person"
        return found[0] if found else None

    # --- what happens ---

    @rule(person=PEOPLE)
    def writes(self, person: int) -> None:
        self.count += 1
        value = f"p{person}@example.org"
        identity = Identity("email", value, value.encode())
        said = Said("site", f"Имя{person}")
        body = FormBody(name=f"Имя{person}", email=value)
        inbound = uuid5(SPACE, f"inbound:{self.count}")
        arrival = Arrival(inbound, "form", "site", THEN, body, said, (identity,))
        open_leads = {
            contact: lead
            for contact in self.contacts
            if (lead := self.open_leads.get((self.persons.get(contact, contact), "classic"))) is not None
        }
        known = Known(self.owners, self.contacts, open_leads, self.states, persons=self.persons)
        found = recognise(arrival, known, CLASSIC, "RU")
        expected = self.open_lead(person)
        assert (found.lead if found.outcome == "joined" else None) == expected
        assert found.lead is not None
        assert found.contact is not None
        self.put(found.contact, found.contact, *found.contact_events)
        self.put(found.lead, found.contact, *found.lead_events)
        for claimed in found.claims:
            self.owners[claimed.hmac] = Owner(found.contact, False)
        if expected is None:
            self.open_leads[(self.persons.get(found.contact, found.contact), "classic")] = found.lead
            self.leads[found.lead] = Lead(person)
            self.contact_of.setdefault(person, found.contact)
        assert found.contact == self.contact_of[person], "what comes by somebody's identity stays theirs"
        self.leads[found.lead].said.append(person)

    @precondition(lambda self: any(lead.open and not lead.into for lead in self.leads.values()))
    @rule(data=st.data())
    def is_rejected(self, data: st.DataObject) -> None:
        lead = data.draw(st.sampled_from(sorted(i for i, told in self.leads.items() if told.open and not told.into)))
        self.count += 1
        state = self.states[lead]
        self.put(
            lead,
            state.contact,
            e.StageEntered(
                stage="price",
                kind="lost",
                visit=state.visit + 1,
                from_stage=state.stage,
                cause="rejected",
                direction="out",
            ),
        )
        self.leads[lead].open = False
        self.open_leads = {place: other for place, other in self.open_leads.items() if other != lead}

    @precondition(lambda self: len(self.leads) > 1)
    @rule(data=st.data())
    def merges(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(sorted(self.leads)))
        other = data.draw(st.sampled_from(sorted(self.leads)))
        told, into = self.leads[one], self.leads[other]
        joins = self.root(told.person) if self.root(told.person) != self.root(into.person) else None
        mine, theirs = self.open_lead(told.person), self.open_lead(into.person)
        two_open = joins is not None and mine is not None and theirs is not None and mine != one
        fits = one != other and not told.into and not into.into and into.open >= told.open and not two_open
        done = self.decide(one, c.Merge(into=other), other)
        assert isinstance(done, Outcome) == fits, done
        if not isinstance(done, Outcome):
            return
        was_open = self.open_leads.copy()
        self.open_leads = {place: lead for place, lead in self.open_leads.items() if lead != one}
        assert (one in was_open.values()) == told.open
        self.apply(self.states[one], done)
        told.into, told.joins, told.since = other, joins, len(into.said)
        if joins is not None:
            self.parents[joins] = self.root(into.person)

    @precondition(lambda self: any(lead.into for lead in self.leads.values()))
    @rule(data=st.data())
    def merges_are_undone(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(sorted(i for i, lead in self.leads.items() if lead.into)))
        told = self.leads[one]
        assert told.into is not None
        into = self.leads[told.into]
        before = self.parents.copy()
        if told.joins is not None:
            del self.parents[told.joins]
        apart = {p for p in range(5) if told.joins is not None and self.root(p) == told.joins}
        clash = told.open and self.open_lead(told.person) is not None
        others = [lead for lead in self.leads.values() if lead is not told]
        last = all(self.same_person(lead, self.leads[lead.into]) for lead in others if lead.into)
        fits = not into.into and last and not clash
        history = self.states[one]
        done = self.decide(one, c.Unmerge(), told.into)
        assert isinstance(done, Outcome) == fits, done
        if not isinstance(done, Outcome):
            self.parents = before
            return
        released = next(event for event in done.into_events if isinstance(event, e.LeadReleased))
        messages = [
            version
            for version, contact in self.states[told.into].of_others
            if contact in {self.contact_of[p] for p in apart if p in self.contact_of}
        ]
        assert len(released.moved) == sum(p in apart for p in into.said[told.since :])
        assert set(released.moved) <= set(messages)
        self.apply(self.states[one], done)
        now = self.states[one]
        assert (now.stage, now.kind, now.contact, now.card) == (
            history.stage,
            history.kind,
            history.contact,
            history.card,
        )
        if told.open:
            self.open_leads[(self.persons.get(now.contact, now.contact), "classic")] = one
        told.into, told.joins = None, None

    # --- what must hold always ---

    @invariant()
    def one_open_lead_of_each_person_as_the_oracle_has_it(self) -> None:
        expected = {
            self.contact_of[self.root(lead.person)]: i for i, lead in self.leads.items() if lead.open and not lead.into
        }
        assert {head: lead for (head, _), lead in self.open_leads.items()} == expected

    @invariant()
    def what_is_merged_is_of_one_person(self) -> None:
        for lead in self.leads.values():
            assert lead.into is None or self.same_person(lead, self.leads[lead.into])

    @invariant()
    def everybody_is_who_the_oracle_says(self) -> None:
        for person, contact in self.contact_of.items():
            assert self.persons.get(contact, contact) == self.contact_of[self.root(person)]


TestN16MergesAndTheirUndoing = Merging.TestCase
TestN16MergesAndTheirUndoing.settings = settings(
    max_examples=500,
    stateful_step_count=40,
    deadline=None,
    # How long a step takes, and how much a long story draws, says something of the machine that runs it, not of merges.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


class _Drawn:
    """Draws what it was given, in order."""

    def __init__(self, *values: UUID) -> None:
        self.values = list(values)

    def draw(self, _: object) -> UUID:
        return self.values.pop(0)


def test_N16_merges_of_one_person_are_undone_the_last_first_and_nobody_stays_behind() -> None:
    """The second took along the person to whom the first had joined the client: the first waits until it is undone."""
    it = Merging()

    def lead(person: int) -> UUID:
        known = set(it.leads)
        it.writes(person=person)
        (new,) = it.leads.keys() - known
        return new

    def act(rule: Any, *drawn: UUID) -> None:
        rule(data=_Drawn(*drawn))
        it.one_open_lead_of_each_person_as_the_oracle_has_it()
        it.everybody_is_who_the_oracle_says()

    first = lead(0)
    act(it.is_rejected, first)
    second = lead(1)
    act(it.merges, first, second)
    act(it.is_rejected, second)
    third, fourth = lead(0), lead(2)
    act(it.merges, third, fourth)
    act(it.merges_are_undone, first)
    assert it.leads[first].into == second, "refused: the third lead rests on it"
    act(it.merges_are_undone, third)
    act(it.merges_are_undone, first)
    assert it.leads[first].into is None
    assert it.persons[it.contact_of[1]] == it.contact_of[1]

"""The last merge of a person is undone first (N16): what rests on an earlier one is named, and nothing is taken apart.

Ivan (1) has two leads, Pyotr (2) and Olga (3) one each. Whoever undoes «Ivan is Pyotr» while another lead of Ivan's stands
merged into Olga's, as a lead of that one person, would leave Olga with Pyotr whom nobody ever took for her.
"""

from __future__ import annotations

from uuid import UUID

import pytest

from contracts import commands as c
from contracts import events as e
from contracts.commands import Command, Refusal
from contracts.meta import Meta
from services.leads.domain.contact import ContactState, evolve_contact
from services.leads.domain.merging import Outcome, merge, unmerge
from services.leads.domain.merging_rules import MergeCase
from services.leads.domain.persons import head_of
from services.leads.domain.state import LeadState, evolve_lead, with_
from tests.unit.given_lead import HEAD, captured, entered, given, meta

IVAN, PYOTR, OLGA = (UUID(int=n) for n in (101, 102, 103))
FIRST, SECOND, OF_PYOTR, OF_OLGA = (UUID(int=n) for n in (201, 202, 203, 204))
WHOSE = {FIRST: IVAN, SECOND: IVAN, OF_PYOTR: PYOTR, OF_OLGA: OLGA}


class People:
    """Closed leads of three people, and the merges and undoings that a head decided."""

    def __init__(self) -> None:
        self.contacts = {contact: ContactState(contact, 1) for contact in (IVAN, PYOTR, OLGA)}
        closed = given(*captured(), entered("price")).state
        self.leads = {lead: with_(closed, lead=lead, contact=contact) for lead, contact in WHOSE.items()}
        self.commands = 0

    def when(self, lead: UUID, body: c.Merge | c.Unmerge) -> Outcome | Refusal:
        self.commands += 1
        command = Command(id=UUID(int=self.commands), lead=lead, actor=HEAD, body=body)
        into = body.into if isinstance(body, c.Merge) else self.leads[lead].merged_into
        assert into is not None
        case = MergeCase(self.leads[lead], self.leads[into], command, self.contacts, {}, self.leads)
        done = merge(case) if isinstance(body, c.Merge) else unmerge(case)
        if isinstance(done, Outcome):
            for stream, events in ((lead, done.lead_events), (into, done.into_events)):
                for event in events:
                    self.leads[stream] = evolve_lead(self.leads[stream], self._meta(stream, command, event), event)
            for stream, _, event in done.contact_events:
                self.contacts[stream] = evolve_contact(self.contacts[stream], self._meta(stream, command, event), event)
        return done

    def merged(self, lead: UUID, into: UUID) -> None:
        assert isinstance(self.when(lead, c.Merge(into=into)), Outcome)

    def undone(self, lead: UUID) -> None:
        done = self.when(lead, c.Unmerge())
        assert isinstance(done, Outcome), done

    def refused(self, lead: UUID, because: UUID) -> None:
        before = (self.heads(), dict(self.leads))
        done = self.when(lead, c.Unmerge())
        assert isinstance(done, Refusal), "the undoing of a merge that another rests on"
        assert done.rules == ("N16.last_first",)
        assert str(because) in done.ru, "who reads it sees which to undo first"
        assert str(because) in done.en
        assert (self.heads(), self.leads) == before

    def heads(self) -> dict[UUID, UUID]:
        return {contact: head_of(contact, self.contacts) for contact in (IVAN, PYOTR, OLGA)}

    def _meta(self, stream: UUID, command: Command, event: e.Event) -> Meta:
        states: dict[UUID, LeadState | ContactState] = {**self.leads, **self.contacts}
        changed = {"stream": stream, "command": command.id, "person": WHOSE.get(stream, stream), "kind": event.KIND}
        return meta(event, states[stream].version + 1).model_copy(update=changed)


def test_N16_undoing_a_merge_that_a_later_one_of_the_person_rests_on_is_refused_until_that_one_is_undone() -> None:
    people = People()
    people.merged(FIRST, OF_PYOTR)
    people.merged(SECOND, OF_OLGA)
    assert people.heads() == {IVAN: OLGA, PYOTR: OLGA, OLGA: OLGA}
    people.refused(FIRST, because=SECOND)
    people.undone(SECOND)
    assert people.heads() == {IVAN: PYOTR, PYOTR: PYOTR, OLGA: OLGA}, "Olga is a person of her own again"
    people.undone(FIRST)
    assert people.heads() == {IVAN: IVAN, PYOTR: PYOTR, OLGA: OLGA}


@pytest.mark.parametrize(("lead", "into"), [(SECOND, OF_PYOTR), (OF_OLGA, SECOND)])
def test_N16_no_lead_stays_merged_into_a_lead_of_somebody_set_apart(lead: UUID, into: UUID) -> None:
    people = People()
    people.merged(FIRST, OF_PYOTR)
    people.merged(lead, into)
    people.refused(FIRST, because=lead)
    people.undone(lead)
    people.undone(FIRST)
    assert people.heads() == {IVAN: IVAN, PYOTR: PYOTR, OLGA: OLGA}


def test_N16_later_merge_that_does_not_rest_on_it_stays_when_an_earlier_one_is_undone() -> None:
    people = People()
    people.merged(FIRST, OF_PYOTR)
    people.merged(OF_OLGA, OF_PYOTR)
    people.undone(FIRST)
    assert people.heads() == {IVAN: IVAN, PYOTR: PYOTR, OLGA: PYOTR}
    people.undone(OF_OLGA)
    assert people.heads() == {IVAN: IVAN, PYOTR: PYOTR, OLGA: OLGA}

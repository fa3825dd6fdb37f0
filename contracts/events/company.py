"""Events of a company: a firm and what finds it. It outlives leads and the people who spoke for it (decision 7).

`Meta.person` is the company itself: what is known of it is sealed under a key of its own, since a sole trader is a person.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from contracts.events.base import Event
from contracts.meta import AggregateKind
from contracts.personal import Personal

CompanyIdentityKind = Literal["name", "site", "phone", "email"]


class CompanyEvent(Event):
    """Base of a company's events."""

    KIND: ClassVar[AggregateKind] = "company"


class CompanyMade(CompanyEvent):
    """P10: a company became known, by its name."""

    TOPIC: ClassVar[str] = "leadline.company.made"

    name: Personal[str]


class CompanyRenamed(CompanyEvent):
    """The company is called otherwise."""

    TOPIC: ClassVar[str] = "leadline.company.renamed"

    name: Personal[str]


class CompanyIdentityAdded(CompanyEvent):
    """The company can be found by this: its site (host name), its phone (E.164), its e-mail (normalised)."""

    TOPIC: ClassVar[str] = "leadline.company.identity_added"

    identity_kind: CompanyIdentityKind
    value: Personal[str]


class CompanyErased(CompanyEvent):
    """M7: the company's key was destroyed in the transaction of this event: a sole trader is a person. People who spoke for it,
    and their leads, keep what is theirs."""

    TOPIC: ClassVar[str] = "leadline.company.erased"

    reason: Literal["asked", "retention", "by_hand"]

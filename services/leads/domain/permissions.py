"""May this person be contacted on this channel? The one answer for every robot, button and audience (C7). Pure.

Invariants: what a person said holds until they say otherwise, or until the day they named; a form weakens no refusal, because
forms are filled in for other reasons, and by others; who said nothing may be contacted. The answer names its proof.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, get_args
from uuid import UUID

from contracts.events import ContactChannel

CHANNELS: Final[tuple[ContactChannel, ...]] = get_args(ContactChannel)
"""Every channel; `all` of a command means these."""


@dataclass(frozen=True, slots=True)
class Permission:
    """Something a person said about being contacted: when, how, in which words, and who wrote it down."""

    channel: ContactChannel
    allowed: bool
    how: str
    at: datetime
    by: str
    until: date | None = None
    """Of a refusal for a time: the day from which it holds no more."""
    words: str | None = None
    lead: UUID | None = None
    inbound_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether the channel may be used, and what was said that decides it; `proof` None: nothing was ever said."""

    allowed: bool
    proof: Permission | None = None


def may_contact(permissions: Iterable[Permission], channel: ContactChannel, on: date) -> Answer:
    """Whether the person may be contacted on a channel on a day.

    `permissions`: all that were recorded for the person, of merged contacts too, in any order.
    """
    standing: Permission | None = None
    for said in sorted((p for p in permissions if p.channel == channel), key=lambda p: p.at):
        if standing is None or said.how != "form" or not _weakens(standing, said):
            standing = said
    if standing is None:
        return Answer(True)
    over = standing.until is not None and standing.until <= on
    return Answer(standing.allowed or over, standing)


def contactable(permissions: Iterable[Permission], on: date) -> Mapping[ContactChannel, Answer]:
    """The answer for every channel."""
    said = tuple(permissions)
    return {channel: may_contact(said, channel, on) for channel in CHANNELS}


def _weakens(standing: Permission, said: Permission) -> bool:
    """Whether the new word would allow more than a refusal that stands."""
    if standing.allowed:
        return False
    if said.allowed:
        # A refusal for a time that is over by then is no refusal any more.
        return standing.until is None or standing.until > said.at.date()
    return said.until is not None and (standing.until is None or standing.until > said.until)

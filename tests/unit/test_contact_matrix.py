"""C7: every action of a robot × every channel × every kind of refusal, against an oracle that is a table, not the code."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product
from typing import Any, get_args

import pytest

from contracts import events as e
from contracts.commands import Permit
from contracts.events import ContactChannel
from services.leads.domain.permissions import Permission
from tests.unit.given_pipeline import BEGAN
from tests.unit.given_robots import Robots
from tests.unit.test_robots import CALL, robot, school

CONTACTS: dict[str, tuple[str, ...]] = {
    CALL: ("phone",),
    '{plan: letter, text: {ru: "Письмо", en: "Letter"}}': ("email",),
    '{plan: meeting, text: {ru: "Встреча", en: "Meet"}}': (),
    '{plan: task, text: {ru: "Дело", en: "Task"}}': (),
    '{notify_head: {ru: "Посмотрите", en: "Look"}}': (),
    "{assign: boris}": (),
    "{move: work}": (),
    "{reject: poor, reason: silent}": (),
    '{field: budget, value: "5"}': (),
    "{tag: hot}": (),
    "{email: thanks}": ("email",),
    "{email: offers}": ("email", "ads"),
    "{sms: place}": ("sms",),
    "{audience: Ученики, service: vk}": ("ads",),
    "{audience: Ученики, service: yandex}": ("ads",),
    "{audience: Ученики, service: facebook}": ("ads",),
    "{audience: Ученики, service: google}": ("ads",),
    "{audience: Ученики, service: vk, action: remove}": (),
    "{webhook: crm}": (),
}
"""Which channels each action uses; an action needs all of its channels."""
HOW = get_args(Permit.model_fields["how"].annotation)
TODAY = BEGAN.date()


def said(story: Robots, channel: Any, *, allowed: bool, how: str, until: date | None = None, hours: int = 0) -> None:
    """The client says a word; `hours`: how long before now."""
    story.permissions.append(Permission(channel, allowed, how, story.now - timedelta(hours=hours), "anna", until))


KINDS: dict[str, bool] = {
    **{f"for good, by {how}": True for how in HOW},
    "until tomorrow": True,
    "until today": False,
    "for good, then a form": True,
    "for good, then a call that allows": False,
    "until tomorrow, then a form": True,
    "allowed, then refused": True,
}
"""Kinds of refusal, and whether each stands."""


def refuse(story: Robots, channel: Any, kind: str) -> None:
    """The client refuses a channel in one of these ways."""
    if kind.startswith("for good, by "):
        said(story, channel, allowed=False, how=kind.removeprefix("for good, by "))
        return
    first, _, then = kind.partition(", then ")
    if first == "for good":
        said(story, channel, allowed=False, how="call", hours=2)
    elif first == "until tomorrow":
        said(story, channel, allowed=False, how="call", until=TODAY + timedelta(days=1), hours=2)
    elif first == "until today":
        said(story, channel, allowed=False, how="call", until=TODAY, hours=2)
    elif first == "allowed":
        said(story, channel, allowed=True, how="form", hours=2)
    if then:
        said(story, channel, allowed=then != "refused", how={"a form": "form", "refused": "letter"}.get(then, "call"))


@pytest.mark.parametrize("do", CONTACTS)
def test_C7_every_action_times_every_channel_times_every_kind_of_refusal(do: str) -> None:
    for channel, (kind, stands) in product(get_args(ContactChannel), KINDS.items()):
        story = school(robot("one", do))
        refuse(story, channel, kind)
        story.until(seconds=1)
        refused = stands and channel in CONTACTS[do]
        assert story.ran() == ([] if refused else ["one"]), (channel, kind)
        if refused:
            skipped = story.why("one")
            assert isinstance(skipped, e.RobotSkipped)
            assert (skipped.reason, skipped.channel) == ("contact_refused", channel), kind
            assert story.of(e.EffectRequested) == []

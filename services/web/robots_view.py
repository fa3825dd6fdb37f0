"""What the lead's page shows of robots and of what goes out: grouped as people look for it (U, R6, C6).

Pure but for `ledger_of`. Invariants: everything comes from the lead's events (`services.web.shapes_robots`); a call task
shows the letter that it follows, else the newest one to the client, so that who calls knows what the client has read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from contracts.pipeline import Pipeline, Titles
from services.database import Database
from services.leads.domain.identities import normalise_phone
from services.leads.domain.state import LeadState
from services.pipelines.robot_words import robot_titles
from services.web.shapes_robots import AutomationOut, RobotOut, SentOut, TriggerOut
from services.web.telling import Telling


@dataclass(frozen=True, slots=True)
class RobotsView:
    """`armed`: by their instants; `ran` and `not_run`: of the stage visit the lead is in, the newest first; `past`: of earlier
    ones; `effects` and `triggers`: the newest first; `letters`: of each open call task the letter it shows."""

    armed: list[RobotOut]
    waiting: list[RobotOut]
    ran: list[RobotOut]
    not_run: list[RobotOut]
    past: list[RobotOut]
    effects: list[SentOut]
    triggers: list[TriggerOut]
    letters: Mapping[UUID, SentOut | None]
    planned_by: Mapping[UUID, Titles]
    more: Mapping[UUID, str]
    """What the delivery's ledger adds to an effect that is on its way, in words."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing ever happened by itself."""
        return not (self.armed or self.waiting or self.ran or self.not_run or self.past or self.triggers)


def robots_view(out: AutomationOut, state: LeadState, pipeline: Pipeline, more: Mapping[UUID, str]) -> RobotsView:
    """The page's part about robots."""
    closed = [robot for robot in reversed(out.robots) if robot.outcome not in ("armed", "waiting")]
    here = [robot for robot in closed if robot.visit == state.root]
    return RobotsView(
        armed=sorted(
            (robot for robot in out.robots if robot.outcome == "armed"),
            key=lambda robot: (str(robot.due_at), robot.robot),
        ),
        waiting=[robot for robot in out.robots if robot.outcome == "waiting"],
        ran=[robot for robot in here if robot.outcome == "ran"],
        not_run=[robot for robot in here if robot.outcome != "ran"],
        past=[robot for robot in closed if robot.visit != state.root],
        effects=list(reversed(out.effects)),
        triggers=list(reversed(out.triggers)),
        letters={
            activity: letter_before(activity, out)
            for activity, planned in state.activities.items()
            if planned.kind == "call" and planned.done_at is None
        },
        planned_by={
            activity: robot_titles(planned.robot, pipeline)
            for activity, planned in state.activities.items()
            if planned.robot is not None
        },
        more=more,
    )


def letter_before(activity: UUID, out: AutomationOut) -> SentOut | None:
    """C6: the letter whose state a call task shows: that of the robot which the planning one follows, else the newest."""
    letters = [effect for effect in out.effects if effect.kind == "email"]
    planning = next((robot for robot in reversed(out.robots) if robot.activity == activity), None)
    if planning is not None and planning.after is not None:
        followed = [e for e in letters if (e.robot, e.visit) == (planning.after, planning.visit)]
        letters = followed or letters
    return letters[-1] if letters else None


def dialled(phone: str | None, region: str) -> str | None:
    """A phone as a `tel:` link takes it (RFC 3966): in its international form; None for what is no phone."""
    return normalise_phone(phone, region)


class OnTheWay(Protocol):
    """What the delivery service's ledger says of an effect beyond the lead's events (`services.delivery`)."""

    @property
    def effect(self) -> UUID:
        """Its id."""

    @property
    def attempts(self) -> int:
        """Tries so far."""

    @property
    def last_reason(self) -> str | None:
        """Why the last one did not succeed."""

    @property
    def expected_at(self) -> datetime | None:
        """When it is tried at the earliest."""

    @property
    def paused_until(self) -> datetime | None:
        """Until when everything that goes the same way is held up."""


def on_the_way(ledger: OnTheWay, tell: Telling) -> str:
    """An effect that waits, in words: how often it was tried and why in vain, until when its provider is left alone, when it is
    tried next; empty where there is nothing to say."""
    words, said = tell.words, []
    if ledger.attempts:
        said.append(words("on_the_way.tried", attempts=ledger.attempts, why=ledger.last_reason or "—"))
    elif ledger.last_reason:
        said.append(ledger.last_reason)
    if ledger.paused_until is not None:
        said.append(words("on_the_way.paused", at=tell.time(ledger.paused_until)))
    if ledger.expected_at is not None:
        said.append(words("on_the_way.next", at=tell.time(ledger.expected_at)))
    return "; ".join(said)


async def ledger_of(connection: Database, lead: UUID, now: datetime) -> Sequence[OnTheWay]:
    """The effects of a lead that are on their way, as the delivery service's ledger has them.

    This is where the ledger's own read goes in; without it the page says what the events say.
    """
    del connection, lead, now
    return ()

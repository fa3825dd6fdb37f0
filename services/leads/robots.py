"""Step 5 of a batch for commands about robots and effects: ask the domain, put down what follows (R1-R6, decisions 8 and 9).

Invariants: `fire` and `report` are taken from our own reactors only; a timer is closed by exactly one event, and a repeat changes
nothing (N1); what a robot does and what follows from it are one transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from contracts import commands as c
from contracts import events as e
from contracts.commands import Refusal
from contracts.pipeline import Pipeline
from services.database import Database
from services.leads import adopting, assigning
from services.leads.automatic import follow, surroundings
from services.leads.claims import move_claim
from services.leads.domain.case import Case
from services.leads.domain.deadlines import closing, reacting
from services.leads.domain.deadlines.setting import Circumstances, Language
from services.leads.domain.people import Person
from services.leads.domain.robots import arming, outward
from services.leads.domain.robots.acting import Around
from services.leads.domain.robots.firing import fire
from services.leads.domain.robots.following import depth_of
from services.leads.domain.rules import COMMAND_RULES, refused
from services.leads.domain.state import LeadState
from services.leads.letters import filler
from services.leads.people.deleting import deletion
from services.leads.people.effects import person_of
from services.leads.work import MACHINES
from services.pipelines import registry

if TYPE_CHECKING:
    from services.leads.batch import LeadBatch

Decided = tuple[e.Event, ...] | Refusal


async def decide_robots(
    batch: LeadBatch, command: c.Command, state: LeadState, pipeline: Pipeline, database: Database
) -> Decided:
    """The events of such a command, or why it is refused."""
    body = command.body
    if body.type in c.MACHINE_BODIES:
        if command.actor.kind not in MACHINES:
            return machines_only()
        if isinstance(body, c.Fire):
            return await _fire(batch, command, body, state, pipeline, database)
        assert isinstance(body, c.Report)
        return outward.report(state, body, command.id, batch.settings.language)
    case = Case(state, pipeline, None, command, batch.now)
    return refused(case, COMMAND_RULES) or _BY_HAND[type(body)](batch, state, pipeline, body)


async def _fire(
    batch: LeadBatch, command: c.Command, body: c.Fire, state: LeadState, pipeline: Pipeline, database: Database
) -> Decided:
    armed, turn = state.automation.armed.get(body.timer), state.deadlines.open.get(body.timer)
    waits = armed or turn
    if waits is not None and waits.due_at <= batch.now and await adopting.takes_none(batch, database, state.pipeline):
        if turn is not None:
            return (e.DeadlineDropped(**closing.of(turn), by="archived"),)
        assert armed is not None
        return (e.RobotCancelled(robot=armed.robot, timer=armed.timer, visit=armed.visit, by="archived"),)
    newest = await _newest(batch, database, state.pipeline)
    chooser = assigning.Chooser(batch, pipeline)
    decided = fire(state, body, pipeline, around_of(batch, state, newest, chooser, whole=_asks(state, body, pipeline)))
    if isinstance(decided, Refusal):
        return decided
    against = await adopting.archived_refusal(batch, state, decided, database) or deletion(batch, state, decided)[1]
    if against is not None:  # its timer is closed all the same
        armed = state.automation.armed[body.timer]
        skipped = e.RobotSkipped(
            robot=armed.robot, timer=armed.timer, visit=armed.visit, reason="rules", rules=against.rules
        )
        return (skipped,)
    chooser.settle(decided)
    return decided


def around_of(
    batch: LeadBatch, state: LeadState, newest: Pipeline, chooser: assigning.Chooser, *, whole: bool = True
) -> Around:
    """What a robot's act on a lead of the batch needs to know beyond it. `newest`: the version in force; `whole`: whether it
    asks where the robot ran before, for the person's other leads."""
    person = person_of(batch, state)
    return Around(
        times=batch.times,
        beyond=lambda: surroundings(batch, state),
        person=person,
        fill=filler(batch, newest),
        templates=newest,
        choose=chooser,
        heads=tuple(staff.name for staff in batch.settings.staff if staff.role == "head"),
        language="en" if batch.settings.language == "en" else "ru",
        message_domain=batch.settings.mail_id_domain,
        ran_for_person=_ran_for(batch, state, person) if whole else frozenset(),
    )


async def _newest(batch: LeadBatch, database: Database, name: str) -> Pipeline:
    """The version in force of a pipeline, asked for once in a batch."""
    if name not in batch.current:
        batch.current[name] = await registry.current(database, name)
    return batch.current[name][0]


def _asks(state: LeadState, body: c.Fire, pipeline: Pipeline) -> bool:
    """Whether the robot that fires asks where it ran before: for it alone the person's other leads are at hand, and looking
    through a whole batch for each robot is dear."""
    armed = state.automation.armed.get(body.timer)
    found = pipeline.robots_by_id.get(armed.robot) if armed is not None else None
    return found is not None and found[1].once == "person"


def _ran_for(batch: LeadBatch, state: LeadState, person: Person) -> frozenset[str]:
    """Robots of the pipeline that ran for the person, on any of their leads at hand (P5)."""
    contacts = {contact.contact for contact in person.contacts}
    theirs = [lead for lead in batch.leads() if lead.contact in contacts and lead.pipeline == state.pipeline]
    return frozenset(
        robot for lead in theirs for (_, robot), settled in lead.automation.settled.items() if settled.how == "ran"
    )


def _repeat(batch: LeadBatch, state: LeadState, _: Pipeline, body: Any) -> Decided:
    today = batch.times.calendar.local(batch.now).date()
    return outward.repeat(state, body, person_of(batch, state), today)


def _start(batch: LeadBatch, state: LeadState, pipeline: Pipeline, body: Any) -> Decided:
    at = body.at or batch.now
    robots = arming.restart(state, pipeline, batch.times, at, body.robot, fresh=body.fresh)
    language: Language = "en" if batch.settings.language == "en" else "ru"
    now = Circumstances(pipeline, batch.times, at, language, frozenset(batch.settings.responsibles))
    return (*robots, *reacting.restart(state, now, body.robot))


_BY_HAND: Final[dict[type[c.CommandBody], Callable[[LeadBatch, LeadState, Pipeline, Any], Decided]]] = {
    c.Repeat: _repeat,
    c.CancelRobot: lambda batch, state, pipeline, body: outward.cancel(state, body),
    c.StartRobots: _start,
}
ROBOT_COMMANDS: Final[tuple[type[c.CommandBody], ...]] = (c.Fire, c.Report, *_BY_HAND)
"""The commands that are decided here."""


async def obey_refusal(
    batch: LeadBatch, state: LeadState, command: c.Command, envelope: dict[str, Any], database: Database
) -> None:
    """C7: what the person just refused is stopped on every lead of theirs, they leave the ad audiences, and what follows from it
    happens on each lead under the version of the pipeline that it stands in (R1)."""
    body = command.body
    if not isinstance(body, c.Permit) or body.allowed:
        return
    channels = frozenset(outward.CHANNEL.values() if body.channel == "all" else (body.channel,))
    contacts = {contact.contact for contact in person_of(batch, state).contacts}
    for lead in [lead.lead for lead in (*batch.leads(), *batch.deals()) if lead.contact in contacts]:
        before = batch.lead(lead)
        assert before is not None
        stopped = () if before.erased else tuple(outward.refused(before, channels, command.id))
        if not stopped:
            continue
        pipeline = await registry.version(database, before.pipeline, before.pipeline_number)
        within = {
            **envelope,
            "pipeline": f"{before.pipeline}@{before.pipeline_number}",
            "autodepth": depth_of(before, command.actor, stopped),
        }
        await assigning.have_for(batch, database, before, pipeline)
        batch.record(lead, "lead", before.contact, stopped, **within)
        follow(batch, lead, stopped, pipeline, within, before)
        after = batch.lead(lead)
        if after is not None and lead != state.lead:  # the claim of the lead that was named moves with the command
            move_claim(batch, before, after)


def machines_only() -> Refusal:
    """The refusal of a person's command that only our services send."""
    return Refusal(
        rules=("R1.machines_only",),
        ru="Эту команду отправляют только службы Leadline.",
        en="Only the services of Leadline send this command.",
    )

"""Whose a lead becomes, in a batch: the team in force, turns had, loads, and what is kept of them (C4, N19).

Invariants: whoever gives leads by themselves holds the lock of assignment from the first one until the batch's transaction ends,
so that turns are given once, in one order, whatever batches run beside each other or are killed; a batch that gives none neither
locks nor reads. What a batch gave counts for what it gives next. A team that nobody published has no members.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from contracts import commands as c
from contracts import events as e
from contracts.pipeline import AssignTo, Pipeline
from contracts.team import Team
from services.calendars import registry as calendars
from services.calendars.calendar import Calendar
from services.calendars.registry import NoSuchCalendarError
from services.database import Database
from services.eventlog.recording import store as recording
from services.leads.domain.assigning.deciding import DEFAULT, ROTATION, Decision, counts_loads, give, teams_of
from services.leads.domain.assigning.turns import FIRST, Circle, Mark, circle_of
from services.leads.domain.assigning.waiting import IDLE, POOL
from services.leads.domain.assigning.workforce import Workforce
from services.leads.domain.state import LeadState, with_
from services.leads.turns import store
from services.leads.work import ArrivalWork, CommandWork, ImportWork, Work
from services.pipelines import registry
from services.teams import registry as teams

if TYPE_CHECKING:
    from services.leads.batch import LeadBatch

LOCK: Final = recording.lock_number(hashlib.sha256(b"assignment").digest())
OWN: Final = ""
"""Under which name a circle's own mark is kept among its people's."""


@dataclass(slots=True)
class Assigning:
    """The people as a batch knows them, and what of it is to be kept."""

    teams: dict[str, tuple[Team, int]] = field(default_factory=dict)
    calendars: dict[str, Calendar] = field(default_factory=dict)
    circles: dict[str, Circle] = field(default_factory=dict)
    loads: Counter[str] = field(default_factory=Counter)
    days: dict[tuple[str, date], int] = field(default_factory=dict)
    asked: set[tuple[str, str]] = field(default_factory=set)
    """What was read: (what, name)."""
    ready: set[int] = field(default_factory=set)
    """Versions of pipelines for which everything is here, by identity: a process reads each once."""
    force: Workforce | None = None
    """The same, as decisions look at it."""
    kept: dict[str, Circle] = field(default_factory=dict)
    """Circles as the store has them, of those that moved."""
    taken: Counter[tuple[str, date]] = field(default_factory=Counter)
    """Leads given by this batch, where a quota of a day counts them."""


async def look_up(batch: LeadBatch, database: Database, work: Sequence[Work]) -> None:
    """What work names of people: who may be given leads by hand, who can have missed what was due, and who had the last lead of
    the clients that write."""
    bodies = [piece.command.body for piece in work if isinstance(piece, CommandWork)]
    first = [body for of in bodies for body in (of, *getattr(of, "first", ()))]
    named = any(isinstance(piece, ImportWork) and piece.row.responsible for piece in work)
    asked = any(isinstance(body, c.Assign | c.HandOver | c.Plan | c.Accept | c.Capture) for body in first)
    if named or asked or _judges(batch):
        batch.people = await teams.everybody(database, batch.now.date())
    wanted: set[str] = {of.pipeline or batch.settings.default_pipeline for of in bodies if isinstance(of, c.Capture)}
    if any(isinstance(piece, ArrivalWork) for piece in work):
        wanted.add(batch.settings.default_pipeline)
    known = {head for contact, head in batch.persons.items() if batch.contact(contact) is not None}
    if not known:
        return
    for name in wanted:
        if name not in batch.current:
            try:
                batch.current[name] = await registry.current(database, name)
            except registry.NoSuchPipelineError:
                continue
        pipeline, _ = batch.current[name]
        if pipeline.assignment is not None and pipeline.assignment.sticky:
            contacts = [contact for contact, head in batch.persons.items() if head in known]
            for contact, owner in await store.last_owners(database, contacts):  # oldest first: the newest one stays
                batch.last_owners[batch.person(contact)] = owner
            return


def _judges(batch: LeadBatch) -> bool:
    """Whether a deadline of a lead at hand may be missed by now: whose miss it is depends on who is still here (Q6)."""
    states = (head.state for head in batch.heads.values())
    open_ = (state.deadlines.open for state in states if isinstance(state, LeadState) and state.deadlines.open)
    return any(turn.due_at <= batch.now for turns in open_ for turn in turns.values())


async def have(batch: LeadBatch, database: Database, pipeline: Pipeline) -> None:
    """Have what giving a lead of this pipeline needs; from here on no other batch gives any."""
    if batch.assigning is None:
        await batch.lock_assignment(database, LOCK)
        batch.assigning = Assigning()
    now, assignment = batch.assigning, pipeline.assignment or DEFAULT
    if id(pipeline) in now.ready:
        return
    now.ready.add(id(pipeline))
    for name in teams_of(assignment) - now.teams.keys():
        await _have_team(batch, database, now, name)
    here = [now.teams[name][0] for name in teams_of(assignment) if name in now.teams]
    names = {team.team for team in here}
    names |= {f"{rule.team or assignment.team}/{pipeline.pipeline}/{rule.id}" for rule in assignment.rules}
    fresh = {name for name in names if ("circle", name) not in now.asked}
    now.asked |= {("circle", name) for name in fresh}
    now.circles |= await _circles(database, fresh)
    if counts_loads(assignment, iter(here)):
        people = {member.name for team in here for member in team.members}
        fresh = {person for person in people if ("load", person) not in now.asked}
        now.asked |= {("load", person) for person in fresh}
        now.loads.update(await store.open_leads(database, fresh))
        now.loads.update({person: batch.load_changes[person] for person in fresh})


async def _have_team(batch: LeadBatch, database: Database, now: Assigning, name: str) -> None:
    try:
        now.teams[name] = await teams.current(database, name)
    except teams.NoSuchTeamError:
        return
    team, _ = now.teams[name]
    if team.calendar not in now.calendars:
        now.calendars[team.calendar] = await _calendar(batch, database, team.calendar)
    limited = {member.name for member in team.members if member.quota.day is not None}
    if limited:
        today = now.calendars[team.calendar].local(batch.now).date()
        now.days |= {(who, today): leads for who, leads in (await store.days(database, limited, today)).items()}
        now.asked |= {("day", who) for who in limited}


async def _calendar(batch: LeadBatch, database: Database, name: str) -> Calendar:
    if name == batch.times.calendar.team:
        return batch.times.calendar
    try:
        return await calendars.current(database, name)
    except NoSuchCalendarError:
        return batch.times.calendar


async def _circles(database: Database, names: set[str]) -> dict[str, Circle]:
    marks: dict[str, dict[str, Mark]] = {}
    for circle, person, had, reached, turn in await store.marks(database, names):
        marks.setdefault(circle, {})[person] = Mark(had, reached, turn)
    found = {}
    for circle, of in marks.items():
        own = of.pop(OWN, FIRST)
        found[circle] = circle_of(own, of)
    return found


def force_of(batch: LeadBatch) -> Workforce:
    """The people as they stand now; `have` was called before."""
    now = batch.assigning
    assert now is not None, "what assignment needs was looked up"
    if now.force is None:
        now.force = Workforce(batch.now, now.teams, now.calendars, now.circles, now.loads, now.days, {})
    return now.force


def choose(
    batch: LeadBatch, state: LeadState, pipeline: Pipeline, *, owner: str | None = None, without: str | None = None
) -> Decision:
    """Who gets the lead, as things stand. Nothing is taken by it."""
    return give(state, pipeline, force_of(batch), owner=owner, without=without)


def take(batch: LeadBatch, decision: Decision) -> None:
    """The lead was given as decided: the turn is had, and counts for what is given next."""
    now = batch.assigning
    assert now is not None
    assert decision.to is not None
    if decision.circle is not None:
        now.kept.setdefault(decision.name, now.circles.get(decision.name, Circle()))
        now.circles[decision.name] = decision.circle
    if ("day", decision.to) in now.asked:
        day = (decision.to, force_of(batch).day_of(decision.team))
        now.days[day] = now.days.get(day, 0) + 1
        now.taken[day] += 1


async def have_for(
    batch: LeadBatch, database: Database, state: LeadState, pipeline: Pipeline, body: c.CommandBody | None = None
) -> None:
    """Have it where what happens to the lead may give it to somebody: a robot that does, a deadline that was missed once more."""
    if (isinstance(body, c.Fire) and _gives(state, body, pipeline)) or _may_miss(state, pipeline, batch.now):
        await have(batch, database, pipeline)


def _gives(state: LeadState, body: c.Fire, pipeline: Pipeline) -> bool:
    armed = state.automation.armed.get(body.timer)
    if armed is None:
        return False
    found = pipeline.robots_by_id.get(armed.robot)
    return armed.robot in (IDLE, POOL) or (
        found is not None and isinstance(act := found[1].do, AssignTo) and act.assign == "next"
    )


def _may_miss(state: LeadState, pipeline: Pipeline, now: datetime) -> bool:
    if pipeline.assignment is None or pipeline.assignment.missed_running is None:
        return False
    return any(turn.due_at <= now for turn in state.deadlines.open.values())


@dataclass(slots=True)
class Chooser:
    """Chooses for robots and deadlines of a lead, and takes the turn once the event stands. `at_once`: for whoever only looks
    ahead, and records nothing."""

    batch: LeadBatch
    pipeline: Pipeline
    at_once: bool = False
    last: Decision | None = None

    def __call__(self, state: LeadState, without: str | None) -> Decision:
        """Who gets the lead, without somebody it is to be taken from."""
        decision = choose(self.batch, state, self.pipeline, without=without)
        if self.at_once and decision.to is not None:
            take(self.batch, decision)
        self.last = None if self.at_once else decision
        return decision

    def settle(self, events: Sequence[e.Event]) -> None:
        """These events are recorded: what was chosen last is taken where it is among them."""
        decision = self.last
        if decision is not None and any(isinstance(v, e.LeadAssigned) and v.to == decision.to for v in events):
            self.last = None
            take(self.batch, decision)


def give_new(
    batch: LeadBatch, state: LeadState, pipeline: Pipeline, card: Mapping[str, str], envelope: dict[str, Any]
) -> tuple[e.Event, ...]:
    """A new lead gets its responsible, or waits in the pool: recorded, by whoever gives leads by itself. `card`: what is about to
    be written on it. A company that gives leads by hand alone has neither."""
    decision = choose(
        batch,
        with_(state, card={**state.card, **card}),
        pipeline,
        owner=batch.last_owners.get(batch.person(state.contact)),
    )
    if decision.to is None and decision.nobody_at_all and pipeline.assignment is None:
        return ()
    event: e.Event = decision.pooled(None)
    if decision.to is not None:
        event = decision.assigned(None)
        take(batch, decision)
    batch.record(state.lead, "lead", state.contact, (event,), **{**envelope, "actor": ROTATION})
    return (event,)


def count_load(batch: LeadBatch, before: LeadState | None, after: LeadState) -> None:
    """Whose open leads are more or fewer by what was just recorded."""
    was = before.responsible if before is not None and before.is_open else None
    now = after.responsible if after.is_open else None
    if was == now:
        return
    for person, change in ((was, -1), (now, 1)):
        if person is None:
            continue
        batch.load_changes[person] += change
        if batch.assigning is not None and ("load", person) in batch.assigning.asked:
            batch.assigning.loads[person] += change


async def write(batch: LeadBatch, database: Database) -> None:
    """Keep the turns had, and what counts for the quotas of a day."""
    now = batch.assigning
    if now is None:
        return
    rows: list[tuple[str, str, int, int, int]] = []
    for name, before in now.kept.items():
        circle = now.circles[name]
        rows.append((name, OWN, circle.turns, circle.reached, circle.turns))
        rows += [(name, who, *mark) for who, mark in circle.marks.items() if before.marks.get(who) != mark]
    await store.keep_marks(database, rows)
    await store.keep_days(database, [(who, day, leads) for (who, day), leads in now.taken.items()])

"""Who gets a lead, and why: the pipeline's assignment over the team as it stands (C4, N19). Pure.

Invariants: whoever left, takes none, is away, or has their quota gets nothing by itself; the same circumstances give the same
decision; each says who could have had the lead, what they had, and why the others could not. Nobody may have it: it goes to the
pool.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Literal

from contracts import events as e
from contracts.meta import Actor
from contracts.pipeline import Assignment, AssignmentRule, Pipeline, Titles
from contracts.team import Member, Quota, Team
from services.calendars.calendar import Calendar, NoWorkingTimeError
from services.leads.domain.assigning.turns import Circle, next_of
from services.leads.domain.assigning.workforce import Fit, Workforce
from services.leads.domain.criteria import values_of
from services.leads.domain.state import LeadState
from services.pipelines.conditions import holds

ROTATION: Final = Actor(id="rotation", kind="system")
"""Who gives leads by itself."""
DEFAULT: Final = Assignment(sticky=False)
"""Of a pipeline that says nothing: its leads go to the default team in turn."""
NO_QUOTA: Final = Quota()
Reason = Literal["in_turn", "least_loaded", "owner"]


@dataclass(frozen=True, slots=True)
class Decision:
    """Who gets a lead; `to` None: nobody may have it. `circle`: after it, under `name`, where it was a turn."""

    team: Team
    number: int
    to: str | None
    reason: Reason
    name: str
    turn: int | None = None
    rule: str | None = None
    candidates: tuple[str, ...] = ()
    loads: dict[str, int] = field(default_factory=dict)
    excluded: dict[str, str] = field(default_factory=dict)
    circle: Circle | None = None

    @property
    def version(self) -> str:
        """`team@number`."""
        return f"{self.team.team}@{self.number}"

    @property
    def nobody_at_all(self) -> bool:
        """Whether the team has nobody who takes leads: a company that gives them by hand alone."""
        return not any(member.takes for member in self.team.members)

    def found_by(self, person: str) -> e.LeadAssigned | None:
        """Whoever found the client works on it, where they are one of those who take leads, whatever else stands against it."""
        if person not in self.team.by_name or self.excluded.get(person) in ("left", "not_yet", "takes_none"):
            return None
        return e.LeadAssigned(to=person, reason="by_hand", candidates=self.candidates, team=self.version)

    def assigned(self, previous: str | None, reason: str | None = None) -> e.LeadAssigned:
        """The event. `reason`: why the lead was to be given, where that says more than how it was chosen to whom."""
        assert self.to is not None, "somebody gets it"
        return e.LeadAssigned.model_validate(
            {
                "to": self.to,
                "previous": previous,
                "reason": reason or self.reason,
                "candidates": self.candidates,
                "turn": self.turn,
                "team": self.version,
                "rule": self.rule,
                "loads": self.loads,
                "excluded": self.excluded,
            }
        )

    def pooled(self, previous: str | None) -> e.LeadPooled:
        """The event that says that nobody may have it."""
        return e.LeadPooled(team=self.version, rule=self.rule, previous=previous, excluded=self.excluded)


def give(
    lead: LeadState, pipeline: Pipeline, force: Workforce, *, owner: str | None = None, without: str | None = None
) -> Decision:
    """Who gets the lead. `owner`: who had the client's last one; `without`: somebody it is to be taken from."""
    assignment = pipeline.assignment or DEFAULT
    rule = _rule(lead, pipeline, assignment)
    team, number = team_of(assignment, rule, force)
    fit = _fit(team, rule, force)
    excluded, candidates, names = fit.excluded, fit.members, fit.names
    if fit.limited or assignment.in_hours or without in names:
        excluded = _of_now(team, fit, force, without, in_hours=assignment.in_hours)
        candidates = tuple([member for member in fit.members if member.name not in excluded])
        names = tuple([member.name for member in candidates])
    name = team.team if rule is None else f"{team.team}/{pipeline.pipeline}/{rule.id}"
    circle = force.circles.get(name) or Circle()
    had = force.loads if assignment.by == "least_loaded" else circle.counts
    told: dict[str, Any] = {
        "rule": rule.id if rule is not None else None,
        "candidates": names,
        "loads": {who: had.get(who, 0) for who in names},
        "excluded": excluded,
    }
    if not candidates:
        return Decision(team, number, None, assignment.by, name, **told)
    if assignment.sticky and owner in names:
        return Decision(team, number, owner, "owner", name, **told)
    if assignment.by == "least_loaded":
        shares = {member.name: had.get(member.name, 0) / member.weight for member in candidates}
        least = min(shares.values())
        chosen = next_of(circle, [member for member in candidates if shares[member.name] == least])
    else:
        chosen = next_of(circle, candidates)
    present = names if without is None else [*names, *(who for who, why in excluded.items() if why == "replaced")]
    turn = circle.turns if assignment.by == "in_turn" else None
    return Decision(
        team,
        number,
        chosen.name,
        assignment.by,
        name,
        turn,
        circle=circle.after(chosen, present),
        **told,
    )


def teams_of(assignment: Assignment) -> set[str]:
    """The teams that it may give leads to."""
    return {assignment.team, *(rule.team for rule in assignment.rules if rule.team is not None)}


def counts_loads(assignment: Assignment, teams: Iterator[Team]) -> bool:
    """Whether who has how many open leads matters."""
    return assignment.by == "least_loaded" or any(
        member.quota.open is not None for team in teams for member in team.members
    )


def team_of(assignment: Assignment, rule: AssignmentRule | None, force: Workforce) -> tuple[Team, int]:
    """The team that the lead goes to; one that nobody published has no members."""
    name = (rule.team if rule is not None else None) or assignment.team
    return force.teams.get(name) or (Team(team=name, titles=Titles(ru=name, en=name)), 0)


def _rule(lead: LeadState, pipeline: Pipeline, assignment: Assignment) -> AssignmentRule | None:
    if not assignment.rules:
        return None
    values = values_of(lead, pipeline)
    return next((rule for rule in assignment.rules if rule.when is None or holds(rule.when, values)), None)


def _fit(team: Team, rule: AssignmentRule | None, force: Workforce) -> Fit:
    """Who may have a lead under the rule, as far as that does not change with each lead; of the others the first thing that
    stands against them."""
    place = (team.team, rule.id if rule is not None else None)
    found = force.held.get(place) if force.held is not None else None
    if found is None:
        today, calendar = force.day_of(team), force.calendar(team)
        excluded: dict[str, str] = {}
        for member in team.members:
            why = _of_the_team(member, today) or (_of_the_rule(member, rule) if rule is not None else None)
            if why is None and any(first <= today <= last for first, last in calendar.absences.get(member.name, ())):
                why = "absent"
            if why is not None:
                excluded[member.name] = why
        members = tuple(member for member in team.members if member.name not in excluded)
        limited = any(member.quota != NO_QUOTA for member in members)
        found = Fit(members, tuple(member.name for member in members), excluded, limited)
        if force.held is not None:
            force.held[place] = found
    return found


def _of_now(team: Team, fit: Fit, force: Workforce, without: str | None, *, in_hours: bool) -> dict[str, str]:
    """The same with what changes from lead to lead: quotas, the hour, from whom this one is taken."""
    excluded = dict(fit.excluded)
    today = force.day_of(team)
    for member in fit.members:
        why = _over_quota(member, today, force) or ("replaced" if member.name == without else None)
        if why is not None:
            excluded[member.name] = why
    return {**excluded, **_off_hours(team, force, excluded)} if in_hours else excluded


def _of_the_team(member: Member, today: date) -> str | None:
    if member.left is not None and member.left <= today:
        return "left"
    if member.since is not None and member.since > today:
        return "not_yet"
    return None if member.takes else "takes_none"


def _of_the_rule(member: Member, rule: AssignmentRule) -> str | None:
    if rule.people and member.name not in rule.people:
        return "people"
    for what in ("skills", "languages", "directions"):
        if not set(getattr(rule, what)) <= set(getattr(member, what)):
            return what
    return None


def _over_quota(member: Member, today: date, force: Workforce) -> str | None:
    quota = member.quota
    if quota.open is not None and force.loads.get(member.name, 0) >= quota.open:
        return "quota_open"
    if quota.day is not None and force.days.get((member.name, today), 0) >= quota.day:
        return "quota_day"
    return None


def _off_hours(team: Team, force: Workforce, excluded: Mapping[str, str]) -> dict[str, str]:
    """Those whose working time it is not; none where that would leave nobody: the lead waits for the morning with somebody."""
    calendar = force.calendar(team)
    left = [member.name for member in team.members if member.name not in excluded]
    off = {who for who in left if not _works(calendar, force, who)}
    return dict.fromkeys(sorted(off), "off_hours") if len(off) < len(left) else {}


def _works(calendar: Calendar, force: Workforce, person: str) -> bool:
    try:
        return calendar.next_working(force.now, person) == force.now
    except NoWorkingTimeError:
        return False

"""What robots do: each action as events of the lead, or why there is none (R2-R4, C7). Pure.

Invariants: what acts on the lead goes through `decide`, by everyone's rules; what acts outside is requested by one
`EffectRequested` with all that carrying it out needs, under an id that follows from the timer (N1); nobody is written to, called
or advertised to on a channel that they refused, and it is said which one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID, uuid5

from contracts import commands as c
from contracts import events as e
from contracts import pipeline as p
from contracts.commands import Refusal
from contracts.events import ContactChannel
from contracts.meta import Actor
from services.leads.domain.assigning.waiting import Choose
from services.leads.domain.deadlines.carrying_out import reason_of
from services.leads.domain.deadlines.setting import Circumstances, Language
from services.leads.domain.decide import Surroundings, decide
from services.leads.domain.own_letters import message_id
from services.leads.domain.people import Person
from services.leads.domain.permissions import may_contact
from services.leads.domain.robots.instants import Times, due
from services.leads.domain.robots.standing import Armed
from services.leads.domain.state import LeadState

Skip = dict[str, Any]
"""Why a robot does nothing: fields of `RobotSkipped`."""


@dataclass(frozen=True, slots=True)
class Words:
    """A template filled in for a client."""

    subject: str | None
    text: str
    html: str | None


@dataclass(frozen=True, slots=True)
class Around:
    """What a robot's act needs to know beyond the lead. `fill`: a template in a language, filled in for this lead; raises
    TemplateError."""

    times: Times
    beyond: Callable[[], Surroundings]
    """What a decision needs to know beyond the lead; asked for by the robots that decide something."""
    person: Person
    fill: Callable[[LeadState, p.Template, str], Words]
    templates: p.Pipeline
    """The pipeline's newest version: its templates are the ones used (decision 6)."""
    choose: Choose
    """Who gets the lead by the rules of its pipeline, without somebody it is to be taken from (C4)."""
    heads: tuple[str, ...] = ()
    language: Language = "ru"
    message_domain: str = "leadline.invalid"
    ran_for_person: frozenset[str] = frozenset()
    """Robots of the pipeline that ran for this person on any lead (P5)."""

    @property
    def head(self) -> str | None:
        """Who looks at what a head should see; None: nobody is named."""
        return self.heads[0] if self.heads else None

    @property
    def surroundings(self) -> Surroundings:
        """What a decision needs to know beyond the lead."""
        return self.beyond()

    def circumstances(self, pipeline: p.Pipeline) -> Circumstances:
        """What deadlines need to know of it."""
        people = frozenset(self.surroundings.responsibles)
        return Circumstances(pipeline, self.times, self.times.now, self.language, people)

    @property
    def today(self) -> date:
        """The day on the team's wall clock."""
        return self.times.calendar.local(self.times.now).date()


@dataclass(frozen=True, slots=True)
class Acting:
    """A robot that acts."""

    state: LeadState
    pipeline: p.Pipeline
    robot: p.Robot
    armed: Armed
    around: Around

    @property
    def effect(self) -> UUID:
        """The id of what it requests of the outside."""
        return uuid5(self.armed.timer, "effect")

    def words(self, words: p.Words) -> str:
        """What people of ours read, in the company's language."""
        return str(getattr(words, self.around.language))


@dataclass(frozen=True, slots=True)
class Act:
    """What a robot did: its events, and what it planned or requested."""

    events: tuple[e.Event, ...] = ()
    effect: UUID | None = None
    activity: UUID | None = None


def refused_contact(state: LeadState, robot: p.Robot, around: Around) -> Skip | None:
    """C7, C9: why the client is not contacted in the way this robot would: they refused, or there is no address that reaches
    them. Taking somebody out of an audience is always allowed: it is what a refusal asks for."""
    channel = _channel(robot)
    if channel is None:
        return None
    if not may_contact(around.person.permissions, channel, around.today).allowed:
        return {"reason": "contact_refused", "channel": channel}
    template = around.templates.templates_by_id.get(_template(robot))
    if (
        template is not None
        and template.marketing
        and not may_contact(around.person.permissions, "ads", around.today).allowed
    ):
        return {"reason": "contact_refused", "channel": "ads"}
    return None


def _channel(robot: p.Robot) -> ContactChannel | None:
    match robot.do:
        case p.SendEmail():
            return "email"
        case p.SendSms():
            return "sms"
        case p.ChangeAudience(action="add"):
            return "ads"
        case p.PlanActivity(plan="call"):
            return "phone"
        case p.PlanActivity(plan="letter"):
            return "email"
    return None


def _template(robot: p.Robot) -> str:
    """The template that it sends; empty: none."""
    match robot.do:
        case p.SendEmail(email=name) | p.SendSms(sms=name):
            return name
    return ""


def reaches(around: Around, kind: str, value: str | None) -> bool:
    """Whether there is such an address, and it is not proven wrong (C9)."""
    return value is not None and around.person.states.get((kind, value)) != "wrong"


def command_of(armed: Armed, state: LeadState, body: c.CommandBody) -> c.Command:
    """A robot's act as the command that it is."""
    actor = Actor(id=armed.robot, kind="robot")
    return c.Command(id=uuid5(armed.timer, "act"), lead=state.lead, actor=actor, body=body)


def _decided(now: Acting, body: c.CommandBody) -> tuple[e.Event, ...] | Skip:
    found = decide(
        now.state,
        command_of(now.armed, now.state, body),
        now.pipeline,
        now.around.times.now,
        now.around.surroundings,
    )
    return {"reason": "rules", "rules": found.rules} if isinstance(found, Refusal) else found


def _by_the_rules(now: Acting, body: c.CommandBody) -> Act | Skip:
    found = _decided(now, body)
    return found if isinstance(found, dict) else Act(found)


def _plan(now: Acting, do: p.PlanActivity) -> Act | Skip:
    around, activity = now.around, uuid5(now.armed.timer, "activity")
    assignee = around.head if do.assignee == "head" else None
    due_at = None
    if do.due is not None:
        due_at = due(now.around.times, now.around.times.now, do.due, assignee or now.state.responsible)
    counted = do.due is not None and (do.due.working or do.due.months)
    planned = e.ActivityPlanned(
        activity=activity,
        activity_kind=do.plan,
        reason="robot",
        due_at=due_at,
        assignee=assignee,
        text=now.words(do.text),
        robot=now.robot.id,
        visit=now.armed.visit,
        calendar=around.times.name if counted else None,
        key=do.key,
    )
    return Act((planned,), activity=activity)


def _notify_head(now: Acting, do: p.NotifyHead) -> Act | Skip:
    activity, around = uuid5(now.armed.timer, "activity"), now.around
    events: list[e.Event] = [
        e.ActivityPlanned(
            activity=activity,
            activity_kind="task",
            reason="robot",
            assignee=around.head,
            text=now.words(do.notify_head),
            robot=now.robot.id,
            visit=now.armed.visit,
        )
    ]
    if around.head is not None:
        events.append(
            e.EffectRequested(
                effect=now.effect,
                effect_kind="notice",
                service=around.head,
                language=around.language,
                text=now.words(do.notify_head),
            )
        )
    return Act(tuple(events), activity=activity)


def _assign(now: Acting, do: p.AssignTo) -> Act | Skip:
    if do.assign != "next":
        found = _decided(now, c.Assign(to=do.assign))
        if isinstance(found, dict):
            return found
        return Act(tuple(event.model_copy(update={"reason": "robot"}) for event in found))
    decision = now.around.choose(now.state, now.state.responsible)
    if decision.to is None:
        return {"reason": "rules", "rules": ("C4.somebody_to_assign",)}
    found = _decided(now, c.Assign(to=decision.to))
    if isinstance(found, dict):
        return found
    return Act((decision.assigned(now.state.responsible, "robot"),))


def _email(now: Acting, do: p.SendEmail) -> Act | Skip:
    if not reaches(now.around, "email", now.state.email):
        return {"reason": "no_address", "channel": "email"}
    return _message(now, "email", do.email, do.language)


def _sms(now: Acting, do: p.SendSms) -> Act | Skip:
    if not reaches(now.around, "phone", now.state.phone):
        return {"reason": "no_address", "channel": "sms"}
    return _message(now, "sms", do.sms, do.language)


def _message(now: Acting, kind: Any, name: str, language: Any) -> Act | Skip:
    template = now.around.templates.templates_by_id.get(name) or now.pipeline.templates_by_id[name]
    words, effect = now.around.fill(now.state, template, language), now.effect
    requested = e.EffectRequested(
        effect=effect,
        effect_kind=kind,
        robot=now.robot.id,
        visit=now.armed.visit,
        template=name,
        language=language,
        marketing=template.marketing,
        message_id=message_id(now.state.lead, effect, now.around.message_domain) if kind == "email" else None,
        email=now.state.email if kind == "email" else None,
        phone=now.state.phone if kind == "sms" else None,
        name=now.state.name,
        subject=words.subject,
        text=words.text,
        html=words.html,
    )
    return Act((requested,), effect=effect)


def _audience(now: Acting, do: p.ChangeAudience) -> Act | Skip:
    state = now.state
    email = state.email if reaches(now.around, "email", state.email) else None
    phone = state.phone if reaches(now.around, "phone", state.phone) else None
    if email is None and phone is None:
        return {"reason": "no_address", "channel": "ads"}
    requested = e.EffectRequested(
        effect=now.effect,
        effect_kind="audience",
        robot=now.robot.id,
        visit=now.armed.visit,
        service=do.service,
        action=do.action,
        audience=do.audience,
        email=email,
        phone=phone,
    )
    return Act((requested,), effect=now.effect)


def _webhook(now: Acting, do: p.CallWebhook) -> Act | Skip:
    effect = now.effect
    requested = e.EffectRequested(
        effect=effect,
        effect_kind="webhook",
        robot=now.robot.id,
        visit=now.armed.visit,
        service=do.webhook,
    )
    return Act((requested,), effect=effect)


def _incident(now: Acting, do: p.RaiseIncident) -> Act | Skip:
    raised = e.IncidentRaised(
        incident=uuid5(now.armed.timer, "incident"),
        robot=now.robot.id,
        visit=now.armed.visit,
        responsible=now.state.responsible,
        stage=now.state.stage,
        text=now.words(do.incident),
    )
    return Act((raised,))


def _tag(now: Acting, do: p.ChangeTag) -> Act | Skip:
    return _by_the_rules(now, c.ChangeLabel(tag=do.tag, on=do.action == "add"))


ACTS: Final[dict[type[p.Model], Callable[[Acting, Any], Act | Skip]]] = {
    p.PlanActivity: _plan,
    p.NotifyHead: _notify_head,
    p.AssignTo: _assign,
    p.MoveTo: lambda now, do: _by_the_rules(now, c.Move(to=do.move)),
    p.RejectAs: lambda now, do: _by_the_rules(now, c.Reject(status=do.reject, reason=reason_of(now.state, do))),
    p.SetField: lambda now, do: _by_the_rules(now, c.Record(fields={do.field: do.value})),
    p.ChangeTag: _tag,
    p.SendEmail: _email,
    p.SendSms: _sms,
    p.ChangeAudience: _audience,
    p.CallWebhook: _webhook,
    p.RaiseIncident: _incident,
}
"""By the action of the language."""

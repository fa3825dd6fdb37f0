"""A lead's story with robots: `Robots(PIPELINE).given("move", to="work").until(hours=2)`.

Commands and messages go through the domain as the aggregate service sends them; `until` lets time go on and fires every robot
whose instant comes, in the order of the instants, as the robots service does; effects wait until they are reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5
from zoneinfo import ZoneInfo

from contracts import commands as c
from contracts import events as e
from contracts.commands import Command, Refusal
from contracts.meta import Actor, Meta
from contracts.pipeline import Pipeline, Template
from services.calendars.calendar import Calendar, Hours
from services.leads.domain.assigning.deciding import Decision, give
from services.leads.domain.assigning.workforce import workforce_of
from services.leads.domain.contact import ContactState
from services.leads.domain.deadlines import reacting
from services.leads.domain.deadlines.setting import Circumstances
from services.leads.domain.decide import Surroundings, decide
from services.leads.domain.people import Person
from services.leads.domain.permissions import Permission
from services.leads.domain.robots import arming, outward
from services.leads.domain.robots.acting import Around, Words
from services.leads.domain.robots.firing import fire
from services.leads.domain.robots.following import Following, depth_of, follow
from services.leads.domain.robots.instants import Times
from services.leads.domain.state import LeadState, evolve_lead
from services.pipelines.language import read_pipeline
from services.pipelines.templates import TemplateError
from tests.unit.given_pipeline import BEGAN, CONTACT, LEAD, SELLER

WORKING_HOURS = (Hours(time(9), time(18)),)
MOSCOW = Calendar("sales", 3, ZoneInfo("Europe/Moscow"), (WORKING_HOURS,) * 5 + ((), ()))
"""Monday to Friday, 9 to 18. The stories begin on Monday, 2 March 2026, at noon there."""
PEOPLE = ("anna", "boris", "helen")
CLIENT = Actor(id="site", kind="adapter")
DELIVERY = Actor(id="delivery", kind="system")


def pipeline_of(stages: str, more: str = "") -> Pipeline:
    """A pipeline with these stages, and a card with a date, a time and a number."""
    return read_pipeline(
        f"""
pipeline: school
titles: {{ru: "Школа", en: "School"}}
conversion_point: deal
fields:
  - {{id: lesson, titles: {{ru: "Занятие", en: "Lesson"}}, type: date}}
  - {{id: hour, titles: {{ru: "Час", en: "Hour"}}, type: time}}
  - {{id: budget, titles: {{ru: "Бюджет", en: "Budget"}}, type: number}}
facts:
  - {{id: agreed, titles: {{ru: "согласен", en: "agreed"}}}}
{more}
stages:
{stages}
  - {{id: deal, titles: {{ru: "Сделка", en: "Deal"}}, kind: won}}
  - id: poor
    titles: {{ru: "Некачественный", en: "Poor"}}
    kind: lost
    reasons: [{{id: silent, titles: {{ru: "не отвечает", en: "silent"}}}}]
  - {{id: later, titles: {{ru: "Отложен", en: "Later"}}, kind: postponed}}
""",
        "school.yaml",
    )


class Robots:
    """A lead from its capture on, with everything that happens by itself."""

    def __init__(
        self,
        pipeline: Pipeline,
        calendar: Calendar = MOSCOW,
        channel: str = "hand",
        card: dict[str, str] | None = None,
        **known: Any,
    ) -> None:
        self.pipeline = pipeline
        self.calendar = calendar
        self.now = BEGAN
        self.state: LeadState | None = None
        self.events: list[e.Event] = []
        self.metas: list[Meta] = []
        self.permissions: list[Permission] = []
        self.wrong: dict[tuple[str, str], str] = {}
        self.heads: tuple[str, ...] = ("helen",)
        self.stopped: int | None = None
        self.fill_fails: str | None = None
        self.fill_fails_ru: str | None = None
        first = pipeline.first
        who = {"name": "Анна", "phone": "+79161234567", "email": "anna@example.org", **known}
        captured = e.LeadCaptured(
            pipeline=pipeline.pipeline, contact=CONTACT, channel=channel, source="site", received_at=BEGAN, **who
        )
        entered = e.StageEntered(stage=first.id, kind=first.kind, visit=1, cause="captured", direction="in")
        written = (e.CardRecorded(names=tuple(card), values=card),) if card else ()
        self._happen(None, (captured, entered, *written, e.LeadAssigned(to="anna", reason="in_turn")), CLIENT)

    @property
    def lead(self) -> LeadState:
        """Where the story stands."""
        assert self.state is not None
        return self.state

    @property
    def times(self) -> Times:
        """The moment and the calendar."""
        return Times(self.now, self.calendar)

    def of(self, *kinds: type[e.Event], robot: str | None = None) -> list[Any]:
        """The events of these kinds so far."""
        return [
            event
            for event in self.events
            if isinstance(event, kinds) and (robot is None or getattr(event, "robot", None) == robot)
        ]

    def ran(self) -> list[str]:
        """The robots that ran, in order."""
        return [event.robot for event in self.of(e.RobotRan)]

    def why(self, robot: str) -> e.Event:
        """What became of a robot last."""
        return self.of(e.RobotArmed, e.RobotRan, e.RobotSkipped, e.RobotCancelled, e.RobotFailed, robot=robot)[-1]

    def give(self, name: str, /, *, by: Actor = SELLER, **body: Any) -> Any:
        """A command of a person: the story itself when it was done, the refusal when not."""
        made = c.COMMAND_BODIES[name].model_validate({"type": name, **body})
        state, command = self.lead, Command(id=uuid4(), lead=LEAD, actor=by, body=made)  # type: ignore[arg-type]
        decided: tuple[e.Event, ...] | Refusal
        if isinstance(made, c.CancelRobot):
            decided = outward.cancel(state, made)
        elif isinstance(made, c.StartRobots):
            decided = arming.restart(
                state, self.pipeline, self.times, made.at or self.now, made.robot, fresh=made.fresh
            )
            now = Circumstances(self.pipeline, self.times, made.at or self.now, people=frozenset(PEOPLE))
            decided += reacting.restart(state, now, made.robot)
        elif isinstance(made, c.Repeat):
            decided = outward.repeat(state, made, self.person, self.now.date())
        else:
            around = Surroundings(PEOPLE, activity=uuid4())
            decided = decide(state, command, self.pipeline, self.now, around)
        if isinstance(decided, Refusal):
            return decided
        self._happen(state, decided, by)
        return self

    def given(self, name: str, /, **more: Any) -> Robots:
        """A command that must be done."""
        answer = self.give(name, **more)
        assert answer is self, answer
        return self

    def arrives(self, *events: e.Event) -> Robots:
        """Something of the client's comes in."""
        self._happen(self.lead, events, CLIENT)
        return self

    def until(self, moment: datetime | None = None, **period: int) -> Robots:
        """Time goes on; every robot whose instant comes fires then, not later."""
        moment = moment or self.now + timedelta(**period)
        for _ in range(10_000):
            waiting = [(a.due_at, a.robot, a.timer) for a in self.lead.automation.armed.values()]
            waiting += [(turn.due_at, turn.deadline, turn.timer) for turn in self.lead.deadlines.open.values()]
            due = [one for one in waiting if one[0] <= moment]
            if not due:
                break
            due_at, robot, timer = min(due)
            self.now = max(self.now, due_at)
            self.fire(timer, robot)
        self.now = max(self.now, moment)
        return self

    def fire(self, timer: UUID, robot: str) -> Any:
        """The robots service says that an instant has come."""
        state = self.lead
        decided = fire(state, c.Fire(timer=timer, robot=robot), self.pipeline, self.around)
        if isinstance(decided, Refusal):
            return decided
        self._happen(state, decided, Actor(id=robot, kind="robot"))
        return self

    def report(self, outcome: str = "done", *, kind: str = "email", **more: Any) -> Robots:
        """The delivery service says what came of everything of this kind that was requested."""
        state = self.lead
        for effect, known in state.automation.effects.items():
            if known.kind == kind and known.state == "requested":
                body = c.Report(effect=effect, outcome=outcome, attempts=1, **more)  # type: ignore[arg-type]
                decided = outward.report(self.lead, body, uuid4(), "ru")
                assert not isinstance(decided, Refusal)
                self._happen(self.lead, decided, DELIVERY)
        return self

    def refuse(self, channel: str, *, until: Any = None) -> Robots:
        """The client refuses to be contacted on a channel."""
        self.permissions.append(Permission(channel, False, "call", self.now, "anna", until))  # type: ignore[arg-type]
        stopped = tuple(outward.refused(self.lead, frozenset({channel}), uuid4()))
        self._happen(self.lead, stopped, SELLER)
        return self

    @property
    def person(self) -> Person:
        """The person behind the lead."""
        contact = ContactState(CONTACT, 1, permissions=tuple(self.permissions), states=self.wrong)  # type: ignore[arg-type]
        return Person((contact,))

    @property
    def around(self) -> Around:
        """What a robot's act needs beyond the lead."""
        return Around(
            times=self.times,
            beyond=lambda: Surroundings(PEOPLE),
            person=self.person,
            fill=self._fill,
            templates=self.pipeline,
            choose=self._choose,
            heads=self.heads,
            message_domain="school.example.org",
            ran_for_person=frozenset(r for (_, r), s in self.lead.automation.settled.items() if s.how == "ran"),
        )

    def _choose(self, state: LeadState, without: str | None) -> Decision:
        return give(state, self.pipeline, workforce_of(PEOPLE, self.now), without=without)

    def _fill(self, state: LeadState, template: Template, language: str) -> Words:
        if self.fill_fails is not None:
            raise TemplateError(self.fill_fails, self.fill_fails_ru or self.fill_fails)
        told = template.ru if language == "ru" else template.en
        return Words(told.subject, f"{told.text} {state.name}", told.html)

    def _happen(self, before: LeadState | None, events: Sequence[e.Event], by: Actor) -> None:
        depth = depth_of(before, by, events) if before is not None else 0
        state = self._record(events, by, depth)
        now = Following(
            self.pipeline,
            self.times,
            lambda: Surroundings(PEOPLE),
            uuid5(LEAD, str(len(self.events))),
            self._record,
        )
        self.stopped = follow(now, before, state, events, depth)

    def _record(self, events: Iterable[e.Event], by: Actor, depth: int) -> LeadState:
        for event in events:
            meta = Meta(
                stream=LEAD,
                version=len(self.events) + 1,
                kind="lead",
                type=event.TOPIC,
                happened_at=self.now,
                recorded_at=self.now,
                actor=by,
                command=LEAD,
                correlation="test",
                autodepth=depth,
                person=CONTACT,
                pipeline=f"{self.pipeline.pipeline}@1",
            )
            self.events.append(event)
            self.metas.append(meta)
            self.state = evolve_lead(self.state, meta, event)
        return self.lead

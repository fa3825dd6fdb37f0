"""What machines do in a scenario: the robots service that fires what is due, the delivery service that carries out (R1-R4).

Pure. Robots are decided by `services.leads.domain.robots`; letters are written by the real templates, with sample words in the
place of what the settings say of the company. What is requested is carried out at once; letters only where the mail works.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from contracts import commands as c
from contracts import events as e
from contracts.commands import Refusal
from contracts.pipeline import Pipeline, Template
from services.leads.domain.assigning.waiting import Choose
from services.leads.domain.criteria import seen_by_templates
from services.leads.domain.decide import Surroundings
from services.leads.domain.people import Person
from services.leads.domain.robots import outward
from services.leads.domain.robots.acting import Around, Words
from services.leads.domain.robots.firing import fire
from services.leads.domain.robots.instants import Times
from services.leads.domain.robots.standing import Armed
from services.leads.domain.state import LeadState
from services.pipelines.templates import COMPANY_NAMES, values_for, write

MOST_FIRINGS: Final = 10_000
"""How many robots fire in one step of a scenario at most: years of a robot that comes again every day."""
HEADS: Final = ("helen",)
COMPANY: Final = {name: f"[company.{name}]" for name in COMPANY_NAMES}
UNSUBSCRIBE: Final = "https://example.org/unsubscribe"


def due_next(lead: LeadState | None, moment: datetime) -> Armed | None:
    """The robot or deadline that is due first, at this moment at the latest."""
    if lead is None:
        return None
    turns = lead.deadlines.open.values()
    waiting = [
        *lead.automation.armed.values(),
        *(Armed(t.timer, t.deadline, t.visit, t.due_at, t.because) for t in turns),
    ]
    due = [armed for armed in waiting if armed.due_at <= moment]
    return min(due, key=lambda armed: (armed.due_at, armed.robot), default=None)


def fired(
    state: LeadState,
    armed: Armed,
    pipeline: Pipeline,
    times: Times,
    person: Person,
    sellers: tuple[str, ...],
    choose: Choose,
) -> tuple[e.Event, ...]:
    """What comes of a robot whose instant has come."""

    def fill(lead: LeadState, template: Template, language: str) -> Words:
        written = write(template, _seen(lead, pipeline, language, times), language="ru" if language == "ru" else "en")
        return Words(written.subject, written.text, written.html)

    around = Around(
        times=times,
        beyond=lambda: Surroundings(sellers, region="RU"),
        person=person,
        fill=fill,
        templates=pipeline,
        choose=choose,
        heads=HEADS,
        message_domain="example.org",
        ran_for_person=frozenset(robot for (_, robot), s in state.automation.settled.items() if s.how == "ran"),
    )
    decided = fire(state, c.Fire(timer=armed.timer, robot=armed.robot), pipeline, around)
    assert not isinstance(decided, Refusal), "it is armed and due"
    return decided


def _seen(state: LeadState, pipeline: Pipeline, language: str, times: Times) -> dict[str, object]:
    lead = seen_by_templates(state, pipeline)
    return values_for(
        pipeline,
        lead,
        language="ru" if language == "ru" else "en",
        now=times.now,
        zone=times.calendar.zone,
        company=COMPANY,
        unsubscribe=UNSUBSCRIBE,
    )


def reports(state: LeadState, command: UUID, *, mail_works: bool) -> tuple[e.Event, ...]:
    """What the delivery service reports of the next effect that it can carry out; nothing where there is none."""
    for effect, known in state.automation.effects.items():
        if known.state == "requested" and (mail_works or known.kind not in ("email", "notice")):
            report = c.Report(effect=effect, outcome="done", attempts=1)
            told = outward.report(state, report, command, "ru")
            return () if isinstance(told, Refusal) else told
    return ()

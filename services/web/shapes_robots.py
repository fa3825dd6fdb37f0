"""What the API answers about robots, triggers and effects of a lead, and how it is made from the lead's account (R6, N4, M5).

Invariants: everything follows from the lead's events; `ru` and `en` say the same in words, with instants in the team's zone;
what was erased is absent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from contracts import events as e
from contracts.meta import Actor
from contracts.personal import known
from contracts.pipeline import Pipeline, Titles
from contracts.recorded import Recorded
from services.leads.domain.robots.account import Account, Pull, Run, Sent, Waiting, account
from services.leads.domain.state import LeadState
from services.pipelines.robot_words import robot_titles, template_titles
from services.web.account_words import told_effect, told_pull, told_run, told_waiting
from services.web.telling import Telling
from services.web.telling_robots import Named
from services.web.texts import Words

Outcome = Literal["armed", "waiting", "ran", "skipped", "cancelled", "failed", "not_started"]


class RobotOut(BaseModel):
    """A robot in a stage visit, and what became of it. armed: it will run at `due_at`; waiting: nothing armed it yet, and
    `waits_for` says why not; not_started: the lead left the stage before anything armed it. `stage`: the stage it belongs to;
    `late_ms`: milliseconds after its instant."""

    robot: str
    titles: Titles
    outcome: Outcome
    stage: str
    stage_titles: Titles
    visit: int
    timer: UUID | None = None
    armed_at: datetime | None = None
    due_at: datetime | None = None
    because: str | None = None
    after: str | None = None
    calendar: str | None = None
    replaces: UUID | None = None
    waits_for: Literal["armed", "requested", "failed", "date", "never", "imported"] | None = None
    field: str | None = None
    closed_at: datetime | None = None
    by: Actor | None = None
    did: str | None = None
    late_ms: int | None = None
    effect: UUID | None = None
    activity: UUID | None = None
    reason: str | None = None
    clause: str | None = None
    values: dict[str, str] = {}
    rules: list[str] = []
    predecessor: str | None = None
    channel: str | None = None
    comment: str | None = None
    ru: str
    en: str


class SentOut(BaseModel):
    """Something that goes out: a letter, a short message, an ad audience, another system. `attempts`: of its last end;
    `repeats`: how often a person asked for it again; `bounced`, where it came back: permanent (the address does not take it),
    failed (given up for another reason), delayed (held up)."""

    effect: UUID
    kind: str
    robot: str | None = None
    visit: int | None = None
    template: str | None = None
    titles: Titles | None = None
    service: str | None = None
    audience: str | None = None
    action: str | None = None
    marketing: bool = False
    state: Literal["requested", "done", "failed"]
    requested_at: datetime
    closed_at: datetime | None = None
    attempts: int | None = None
    provider: str | None = None
    reason: str | None = None
    matched: int | None = None
    doubtful: bool = False
    repeats: int = 0
    bounced: Literal["permanent", "failed", "delayed"] | None = None
    bounced_at: datetime | None = None
    ru: str
    en: str


class TriggerOut(BaseModel):
    """What a trigger did: fired, or why not. `because`: the event it answered (`stream-version`)."""

    trigger: str
    titles: Titles
    fired: bool
    at: datetime
    from_stage: str | None = None
    to_stage: str
    because: str
    reason: str | None = None
    clause: str | None = None
    values: dict[str, str] = {}
    rules: list[str] = []
    other: str | None = None
    ru: str
    en: str


class AutomationOut(BaseModel):
    """Everything that happened by itself on a lead, in the order it began; what waits without a timer comes last."""

    robots: list[RobotOut]
    effects: list[SentOut]
    triggers: list[TriggerOut]


def automation_out(
    history: Sequence[Recorded],
    state: LeadState,
    pipeline: Pipeline,
    under: Mapping[str, Pipeline],
    zone: ZoneInfo,
    now: datetime,
) -> AutomationOut:
    """The account of a lead. `under`: versions of pipelines by `id@number`, for names as they were (N14); `now`: by the system's
    clock."""
    return Making(
        account(history, state, pipeline, under), pipeline, under, zone, now, of_deal=state.deal_of is not None
    ).out()


class Making:
    """Makes the answer out of an account."""

    def __init__(
        self,
        of: Account,
        pipeline: Pipeline,
        under: Mapping[str, Pipeline],
        zone: ZoneInfo,
        now: datetime,
        *,
        of_deal: bool = False,
    ) -> None:
        self.account, self.pipeline, self.under, self.now = of, pipeline, under, now
        self._telling = {language: Telling(Words(language, of_deal=of_deal), zone) for language in ("ru", "en")}

    def out(self) -> AutomationOut:
        """All of it."""
        return AutomationOut(
            robots=[*map(self.run, self.account.runs), *map(self.waiting, self.account.waiting)],
            effects=[self.effect(sent) for sent in self.account.effects],
            triggers=[self.pull(pull) for pull in self.account.pulls],
        )

    def run(self, run: Run) -> RobotOut:
        """A robot that was armed."""
        version, armed, closed = self._version(run.version), run.armed, run.closed
        more: dict[str, Any] = closed.model_dump(include=_OF_CLOSING) if closed is not None else {}
        if isinstance(closed, e.RobotCancelled):
            more |= {"reason": closed.by, "comment": known(closed.comment)}
        if isinstance(closed, e.RobotSkipped):
            more["values"] = known(closed.values) or {}
        outcome: Outcome = "armed"
        if closed is not None:
            outcome = closed.TOPIC.rpartition("_")[2]  # type: ignore[assignment]  # robot_ran, robot_skipped, …
        return RobotOut(
            **self._of_robot(armed.robot, run.stage, version),
            **more,
            **self._said(version, lambda named: told_run(run, named, self.now)),
            outcome=outcome,
            visit=armed.visit,
            timer=armed.timer,
            armed_at=run.at,
            due_at=armed.due_at,
            because=armed.because,
            after=armed.after,
            calendar=armed.calendar,
            replaces=armed.replaces,
            closed_at=run.closed_at,
            by=run.by,
        )

    def waiting(self, waiting: Waiting) -> RobotOut:
        """A robot that nothing armed yet."""
        return RobotOut(
            **self._of_robot(waiting.robot, waiting.stage, self.pipeline),
            **self._said(self.pipeline, lambda named: told_waiting(waiting, named)),
            outcome="not_started" if waiting.why == "left" else "waiting",
            visit=waiting.visit,
            after=waiting.after,
            waits_for=waiting.why if waiting.why != "left" else None,
            reason="left_stage" if waiting.why == "left" else None,
            field=waiting.field,
        )

    def effect(self, sent: Sent) -> SentOut:
        """An effect."""
        version, requested, closed = self._version(sent.version), sent.requested, sent.closed
        found = SentOut(
            **requested.model_dump(include=_OF_REQUEST),
            **self._said(version, lambda named: told_effect(sent, named)),
            kind=requested.effect_kind,
            titles=template_titles(requested.template, version) if requested.template is not None else None,
            state=sent.state,
            requested_at=sent.at,
            repeats=sent.repeats,
        )
        if closed is not None:
            found.closed_at, found.attempts, found.provider = sent.closed_at, closed.attempts, closed.provider
            found.doubtful = closed.doubtful
            if isinstance(closed, e.EffectDone):
                found.matched = closed.matched
            else:
                found.reason = closed.reason
        if sent.bounced is not None:
            found.bounced = sent.bounced.what
            found.bounced_at = sent.bounced_at
        return found

    def pull(self, pull: Pull) -> TriggerOut:
        """A trigger."""
        version, what = self._version(pull.version), pull.what
        more: dict[str, Any] = {"from_stage": getattr(what, "from_stage", None)}
        if isinstance(what, e.TriggerRefused):
            more |= {"reason": what.reason, "clause": what.clause, "values": known(what.values) or {}}
            more |= {"rules": list(what.rules), "other": what.other}
        return TriggerOut(
            **more,
            **self._said(version, lambda named: told_pull(pull, named)),
            trigger=what.trigger,
            titles=robot_titles(what.trigger, version, self.pipeline),
            fired=isinstance(what, e.TriggerFired),
            at=pull.at,
            to_stage=what.to_stage,
            because=what.because,
        )

    def _version(self, name: str | None) -> Pipeline:
        return self.under.get(name or "", self.pipeline)

    def _of_robot(self, robot: str, stage: str, version: Pipeline) -> dict[str, Any]:
        known_stage = version.by_id.get(stage) or self.pipeline.by_id.get(stage)
        return {
            "robot": robot,
            "titles": robot_titles(robot, version, self.pipeline),
            "stage": stage,
            "stage_titles": known_stage.titles if known_stage is not None else Titles(ru=stage, en=stage),
        }

    def _said(self, version: Pipeline, tell: Callable[[Named], str]) -> dict[str, str]:
        return {language: tell(Named(telling, version, self.pipeline)) for language, telling in self._telling.items()}


_OF_CLOSING = {
    *("did", "late_ms", "effect", "activity", "reason", "clause", "rules", "predecessor", "channel"),
}
_OF_REQUEST = {"effect", "robot", "visit", "template", "service", "audience", "action", "marketing"}

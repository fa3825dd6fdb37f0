"""The rules of robots' rows: what each event of a robot, a trigger or an effect changes (R6, N2, N4).

Pure. Invariants: a timer is one row, and so is an effect; closed rows never open again, but an effect that a person repeats;
nothing personal is used.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime

from contracts import events as e
from contracts.topics import EVENTS_TOPIC_OF_KIND
from projections.event import Event


def _types(of: type[e.Event]) -> frozenset[str]:
    """The types of an event: the lead's, and that of whatever else goes through stages with robots (a class of its own of it)."""
    return frozenset(topic for topic, cls in e.EVENT_TYPES.items() if issubclass(cls, of))


ARMED, REQUESTED = _types(e.RobotArmed), _types(e.EffectRequested)
REPEATED, BOUNCED = _types(e.EffectRepeated), _types(e.EffectBounced)
OUTCOMES = {
    topic: how
    for how, of in (
        ("ran", e.RobotRan),
        ("skipped", e.RobotSkipped),
        ("cancelled", e.RobotCancelled),
        ("failed", e.RobotFailed),
    )
    for topic in _types(of)
}
STATES = {topic: how for how, of in (("done", e.EffectDone), ("failed", e.EffectFailed)) for topic in _types(of)}
PULLED = {topic: how for how, of in ((True, e.TriggerFired), (False, e.TriggerRefused)) for topic in _types(of)}
OF_EFFECTS = REQUESTED | REPEATED | BOUNCED | STATES.keys()
OF_ROBOTS = ARMED | OUTCOMES.keys()
TYPES = OF_ROBOTS | OF_EFFECTS | PULLED.keys()
TOPICS = tuple(sorted({EVENTS_TOPIC_OF_KIND[e.EVENT_TYPES[topic].KIND] for topic in TYPES}))


@dataclass(slots=True)
class RunRow:
    """A robot under one timer. `reason`: of a skip its kind, of a cancellation by what, of a failure its words."""

    lead: str
    timer: str
    pipeline: str
    robot: str
    visit: int
    because: str
    armed_at: datetime
    due_at: datetime
    outcome: str | None = None
    reason: str | None = None
    closed_at: datetime | None = None
    late_ms: int | None = None
    effect: str | None = None


@dataclass(slots=True)
class EffectRow:
    """Something requested of the outside."""

    lead: str
    effect: str
    pipeline: str
    kind: str
    robot: str | None
    visit: int | None
    template: str | None
    service: str | None
    action: str | None
    marketing: bool
    requested_at: datetime
    state: str = "requested"
    closed_at: datetime | None = None
    attempts: int | None = None
    provider: str | None = None
    reason: str | None = None
    matched: int | None = None
    doubtful: bool = False
    repeats: int = 0
    bounced: str | None = None
    bounced_at: datetime | None = None


@dataclass(slots=True)
class PullRow:
    """What a trigger did."""

    lead: str
    version: int
    pipeline: str
    trigger: str
    at: datetime
    fired: bool
    to_stage: str
    reason: str | None


RUN_COLUMNS = tuple(f.name for f in fields(RunRow))
EFFECT_COLUMNS = tuple(f.name for f in fields(EffectRow))
PULL_COLUMNS = tuple(f.name for f in fields(PullRow))


@dataclass(slots=True)
class RobotRows:
    """The rows a batch touches: those loaded, and those that `begun` or changed in it."""

    runs: dict[tuple[str, str], RunRow] = field(default_factory=dict)
    effects: dict[tuple[str, str], EffectRow] = field(default_factory=dict)
    pulls: list[PullRow] = field(default_factory=list)
    begun: set[tuple[str, str]] = field(default_factory=set)
    changed: set[tuple[str, str]] = field(default_factory=set)


def apply(rows: RobotRows, event: Event) -> None:
    """Let one event change the rows. Raises KeyError for one whose robot or effect is not there."""
    kind, lead, data = event.type, event.stream, event.data
    if kind in PULLED:
        rows.pulls.append(
            PullRow(
                lead, event.version, _pipeline(event), data["trigger"], event.happened_at, PULLED[kind],
                data["to_stage"], data.get("reason"),
            )
        )  # fmt: skip
        return
    if kind in OF_ROBOTS:
        place = (lead, data["timer"])
        if kind in ARMED:
            rows.runs[place] = RunRow(
                *place, _pipeline(event), data["robot"], data["visit"], data["because"], event.happened_at,
                datetime.fromisoformat(data["due_at"]),
            )  # fmt: skip
            rows.begun.add(place)
            return
        _close(rows.runs[place], event)
    else:
        place = (lead, data["effect"])
        if kind in REQUESTED:
            rows.effects[place] = EffectRow(
                *place, _pipeline(event), data["effect_kind"], data.get("robot"), data.get("visit"),
                data.get("template"), data.get("service"), data.get("action"), data.get("marketing", False),
                event.happened_at,
            )  # fmt: skip
            rows.begun.add(place)
            return
        _go_on(rows.effects[place], event)
    rows.changed.add(place)


def _close(run: RunRow, event: Event) -> None:
    data = event.data
    run.outcome, run.closed_at = OUTCOMES[event.type], event.happened_at
    run.reason = data.get("by") or data.get("reason")
    run.late_ms, run.effect = data.get("late_ms"), data.get("effect")


def _go_on(effect: EffectRow, event: Event) -> None:
    data = event.data
    if event.type in BOUNCED:
        effect.bounced = "permanent" if data.get("permanent", True) else "failed" if data.get("given_up") else "delayed"
        effect.bounced_at = event.happened_at
        return
    if event.type in REPEATED:
        effect.state, effect.closed_at, effect.repeats = "requested", None, effect.repeats + 1
        return
    effect.state, effect.closed_at = STATES[event.type], event.happened_at
    effect.attempts, effect.provider = data["attempts"], data.get("provider")
    effect.reason, effect.matched = data.get("reason"), data.get("matched")
    effect.doubtful = data.get("doubtful", False)


def _pipeline(event: Event) -> str:
    return (event.pipeline or "").partition("@")[0]

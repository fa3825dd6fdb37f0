"""Robots and triggers: circles that leads go round by themselves, moves that no rule lets happen, robots that never start or
start too late (R1, R2, N3, S5). Pure.

What is told is what holds of every lead: a robot that may never run because of what one lead has is no finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from typing import Final

from contracts.events import EVENT_TYPES
from contracts.events.deal import AS_OF_LEADS
from contracts.pipeline import MoveTo, Period, RejectAs, Robot, SetField, Stage, Trigger
from services.pipelines.card_values import Unreadable, read_typed
from services.pipelines.linting.case import Case
from services.pipelines.linting.finding import Found, Path, Said
from services.pipelines.linting.paths import stays, way_round
from services.pipelines.linting.ways import Way, machine_target, trigger_sources

_SENDS: Final = frozenset({"email", "sms", "audience", "webhook"})
ALWAYS: Final = frozenset({"stage_entered", "trigger_fired"})
"""Events that come by themselves to every lead in a stage."""
BY_ANY_ROBOT: Final = frozenset({"robot_armed", "robot_ran", "robot_skipped"})
BY_ROBOTS: Final[Mapping[str, frozenset[str]]] = {
    "activity_planned": frozenset({"plan", "notify_head"}),
    "activity_closed": frozenset({"plan", "notify_head"}),
    "effect_requested": _SENDS | {"notify_head"},
    "effect_done": _SENDS,
    "effect_failed": _SENDS,
    "tag_added": frozenset({"tag"}),
    "tag_removed": frozenset({"tag"}),
    "card_recorded": frozenset({"field"}),
    "assigned": frozenset({"assign"}),
    "incident_raised": frozenset({"incident"}),
}
"""Events that nobody need act for where a robot of the stage does such a thing: a trigger on one of them goes on by itself. What
a client or a person does breaks a circle."""
ON_LEADS: Final = frozenset(kind for kind, event in EVENT_TYPES.items() if event.KIND in ("lead", "deal"))
"""Types of events that a trigger can answer."""
_HOUR = timedelta(hours=1)
_WORKING_DAY, _WORKING_HOUR = timedelta(days=7 / 5), _HOUR * (24 * 7 / (5 * 8))


@dataclass(frozen=True, slots=True)
class Step:
    """A change of stage that comes about by itself. `sure`: whatever the lead, once it was there."""

    to: str
    path: Path
    sure: bool
    by: Said | None
    """The robot or trigger; None: an automatic move."""


def circle(case: Case) -> Iterator[Found]:
    """Stages that robots, triggers and automatic moves lead round in a circle, whatever the lead."""
    yield from _circles(case, sure=True)


def circle_on_condition(case: Case) -> Iterator[Found]:
    """The same, as long as some condition holds."""
    yield from _circles(case, sure=False)


def _circles(case: Case, *, sure: bool) -> Iterator[Found]:
    steps = _steps(case)
    certain = {stage: [step for step in found if step.sure] for stage, found in steps.items()}
    told: set[frozenset[str]] = set()
    for stage in steps:
        round_ = way_round(stage, certain if sure else steps)
        names = frozenset(step.to for step in round_)
        if not round_ or names in told or not any(step.by for step in round_):
            continue
        told.add(names)
        if not sure and all(step.sure for step in round_):
            continue
        titles = [case.pipeline.by_id[step.to].titles for step in round_]
        begins = case.pipeline.by_id[stage].titles
        who = [step.by for step in round_ if step.by is not None]
        yield Found(
            next(step.path for step in round_ if step.by is not None),
            Said(
                f"сами собой по кругу: «{begins.ru}» → {' → '.join(f'«{t.ru}»' for t in titles)} "
                f"({', '.join(one.ru for one in who)})",
                f"round in a circle by themselves: “{begins.en}” → {' → '.join(f'“{t.en}”' for t in titles)} "
                f"({', '.join(one.en for one in who)})",
            ),
            tuple(step.to for step in round_),
        )


def _steps(case: Case) -> dict[str, list[Step]]:
    found: dict[str, list[Step]] = {stage.id: [] for stage in case.pipeline.stages}
    for n, stage in enumerate(case.pipeline.stages):
        ways = {way.to: way for way in case.ways.out[stage.id]}
        found[stage.id] += [
            Step(way.to, way.path, _sure(way, case), None) for way in ways.values() if way.auto and way.path
        ]
        for m, robot in enumerate(stage.robots):
            to = machine_target(robot)
            if to is not None and to in ways and not _never(robot, stage, case):
                sure = _holds(robot.when, case) and _sure(ways[to], case) and not _waits_for_a_date(robot, stage)
                said = Said(f"робот {robot.id}", f"robot {robot.id}")
                found[stage.id].append(Step(to, ("stages", n, "robots", m), sure, said))
        for m, trigger in enumerate(stage.triggers):
            if trigger.on != "event" or case.conditions.get(trigger.when or "") is False:
                continue
            said = Said(f"триггер {trigger.id}", f"trigger {trigger.id}")
            for here in trigger_sources(trigger, stage, case.pipeline):
                way = next((way for way in case.ways.out[here] if way.to == stage.id), None)
                comes = _comes_by_itself(trigger, case.pipeline.by_id[here], case)
                if way is not None and comes is not None:
                    sure = comes and _holds(trigger.when, case) and _sure(way, case)
                    found[here].append(Step(stage.id, ("stages", n, "triggers", m), sure, said))
    return found


def _comes_by_itself(trigger: Trigger, here: Stage, case: Case) -> bool | None:
    """Whether the event that a trigger answers comes to a lead in a stage without anybody's act: surely, perhaps, or not."""
    name = AS_OF_LEADS.get(trigger.type or "", trigger.type or "").removeprefix("leadline.lead.")
    if name in ALWAYS:
        return True
    does = BY_ROBOTS.get(name, frozenset())
    by = [
        robot for robot in here.robots if (name in BY_ANY_ROBOT or robot.does in does) and not _never(robot, here, case)
    ]
    return any(_holds(robot.when, case) for robot in by) if by else None


def _holds(when: str | None, case: Case) -> bool:
    return when is None or case.conditions.get(when) is True


def _sure(way: Way, case: Case) -> bool:
    """Whether whoever went this way once can always go it again."""
    return _holds(way.when, case) and all(stays(criterion, case.pipeline) for criterion in way.asked)


def _waits_for_a_date(robot: Robot, stage: Stage) -> bool:
    return any(one.start.date is not None or one.start.day is not None for one in _chain(robot, stage))


def not_allowed(case: Case) -> Iterator[Found]:
    """A robot or trigger whose move the pipeline's own moves never let happen."""
    for n, stage in enumerate(case.pipeline.stages):
        for m, robot in enumerate(stage.robots):
            to = machine_target(robot)
            if to is not None and not _may(stage, to, case):
                target = case.pipeline.by_id[to].titles
                yield Found(
                    ("stages", n, "robots", m, "do"),
                    Said(
                        f"робот «{robot.titles.ru}» переводит в «{target.ru}», а из «{stage.titles.ru}» туда перехода нет",
                        f"the robot “{robot.titles.en}” moves leads to “{target.en}”, and “{stage.titles.en}” has no move there",
                    ),
                    (stage.id, to),
                )
        for m, trigger in enumerate(stage.triggers):
            sources = trigger_sources(trigger, stage, case.pipeline)
            if any(_may(case.pipeline.by_id[here], stage.id, case) for here in sources):
                continue
            yield Found(
                ("stages", n, "triggers", m),
                Said(
                    f"триггер «{trigger.titles.ru}» ни с одной стадии не может перевести в «{stage.titles.ru}»",
                    f"the trigger “{trigger.titles.en}” can move leads to “{stage.titles.en}” out of no stage",
                ),
                (stage.id,),
            )


def _may(stage: Stage, to: str, case: Case) -> bool:
    """Whether there is a way that a robot or trigger could go. Out of an outcome only stated moves lead: bringing a lead back
    (`reopen`) is a person's act."""
    if stage.kind in ("lost", "postponed"):
        return any(move.to == to for move in stage.moves or ())
    return to in case.ways.possible[stage.id]


def unknown_event(case: Case) -> Iterator[Found]:
    """A trigger on an event that does not happen to leads."""
    for n, stage in enumerate(case.pipeline.stages):
        for m, trigger in enumerate(stage.triggers):
            if trigger.type is None or trigger.type in ON_LEADS:
                continue
            near = get_close_matches(trigger.type, ON_LEADS, n=1, cutoff=0.85)
            yield Found(
                ("stages", n, "triggers", m, "type"),
                Said(
                    f"триггер «{trigger.titles.ru}» ждёт события {trigger.type}, а у лидов такого нет"
                    + (f"; возможно, {near[0]}" if near else ""),
                    f"the trigger “{trigger.titles.en}” waits for the event {trigger.type}, which no lead has"
                    + (f"; did you mean {near[0]}?" if near else ""),
                ),
                (stage.id,),
            )


def unreadable_value(case: Case) -> Iterator[Found]:
    """A robot that writes into a field what the field cannot hold."""
    for n, stage in enumerate(case.pipeline.stages):
        for m, robot in enumerate(stage.robots):
            if not isinstance(robot.do, SetField):
                continue
            field = case.pipeline.fields_by_id.get(robot.do.field)
            read = read_typed(field, robot.do.value, lambda number: number) if field is not None else _contact(robot.do)
            if isinstance(read, Unreadable):
                yield Found(
                    ("stages", n, "robots", m, "do", "value"),
                    Said(
                        f"робот «{robot.titles.ru}» пишет «{robot.do.value[:60]}»; {read.ru.rstrip('.')}",
                        f"the robot “{robot.titles.en}” writes “{robot.do.value[:60]}”; {read.en.rstrip('.')}",
                    ),
                    (stage.id,),
                )


def _contact(do: SetField) -> str | Unreadable:
    """What is written into a field of the client's: a phone has digits, an e-mail an @."""
    wrong = (do.field == "phone" and not any(map(str.isdecimal, do.value))) or (
        do.field == "email" and "@" not in do.value
    )
    if wrong and do.value.strip():
        return Unreadable(f"{do.field}: это не телефон и не e-mail", f"{do.field}: this is no phone or e-mail")
    return do.value


def never_starts(case: Case) -> Iterator[Found]:
    """A robot after one that never succeeds, or that takes the lead away."""
    for n, stage in enumerate(case.pipeline.stages):
        for m, robot in enumerate(stage.robots):
            before = stage.robots_by_id.get(robot.start.after or "")
            if before is None or robot.when_predecessor_did_not_run == "run":
                continue
            why = _why_never(robot, before, stage, case)
            if why is not None:
                yield Found(("stages", n, "robots", m, "start", "after"), why, (stage.id,))


def _why_never(robot: Robot, before: Robot, stage: Stage, case: Case) -> Said | None:
    this = f"робот «{robot.titles.ru}»", f"the robot “{robot.titles.en}”"
    other = f"«{before.titles.ru}»", f"“{before.titles.en}”"
    if _never(before, stage, case):
        return Said(
            f"{this[0]} ждёт {other[0]}, а тот никогда не срабатывает",
            f"{this[1]} waits for {other[1]}, which never runs",
        )
    if isinstance(before.do, MoveTo | RejectAs) and robot.on_leave == "cancel":
        return Said(
            f"{this[0]} ждёт {other[0]}, а тот уводит лид со стадии: к этому времени робот отменён",
            f"{this[1]} waits for {other[1]}, which takes the lead out of the stage: by then the robot is cancelled",
        )
    return None


def _never(robot: Robot, stage: Stage, case: Case) -> bool:
    """Whether a robot never does anything: its condition never holds, its move is not allowed, or one before it never runs."""
    if robot.when is not None and case.conditions[robot.when] is False:
        return True
    to = machine_target(robot)
    if to is not None and not _may(stage, to, case):
        return True
    before = stage.robots_by_id.get(robot.start.after or "")
    return before is not None and robot.when_predecessor_did_not_run == "skip" and _never(before, stage, case)


def after_limit(case: Case) -> Iterator[Found]:
    """A robot that starts when the stage's time limit is over already."""
    for n, stage in enumerate(case.pipeline.stages):
        if stage.limit is None:
            continue
        limit = about(stage.limit.after)
        for m, robot in enumerate(stage.robots):
            if _waits_for_a_date(robot, stage):
                continue
            delay = sum((about(one.start.delay) for one in _chain(robot, stage) if one.start.delay), timedelta())
            if delay > limit:
                yield Found(
                    ("stages", n, "robots", m, "start"),
                    Said(
                        f"робот «{robot.titles.ru}» запускается примерно через {_days(delay, 'дн.', 'ч')}, "
                        f"а срок «{stage.titles.ru}» — {_days(limit, 'дн.', 'ч')}",
                        f"the robot “{robot.titles.en}” starts after about {_days(delay, 'days', 'hours')}, "
                        f"and the limit of “{stage.titles.en}” is {_days(limit, 'days', 'hours')}",
                    ),
                    (stage.id,),
                )


def about(period: Period) -> timedelta:
    """About how long a period is: months of 30 days, weeks of five working days, days of eight working hours."""
    day, hour = (_WORKING_DAY, _WORKING_HOUR) if period.working else (timedelta(days=1), _HOUR)
    return timedelta(days=30 * period.months) + day * period.days + hour * period.hours + hour * period.minutes / 60


def _days(length: timedelta, days: str, hours: str) -> str:
    if length >= timedelta(days=2):
        return f"{length / timedelta(days=1):.0f} {days}"
    return f"{length / _HOUR:.1f} {hours}"


def _chain(robot: Robot, stage: Stage) -> list[Robot]:
    """A robot and those that it waits for, itself first."""
    found = [robot]
    while (before := stage.robots_by_id.get(found[-1].start.after or "")) is not None and before not in found:
        found.append(before)
    return found

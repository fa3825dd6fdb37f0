"""What must fit together in robots, triggers and templates: every name that stands in them names something (R1-R5, M3).

Pure; the same way as `contracts.pipeline.coherence`, which asks this for the whole. Invariant: a chain of robots has a beginning:
none follows itself, or one of another stage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from contracts.pipeline.names import Misfit, Path, there_are, there_are_ru, twice
from contracts.pipeline.robots import MoveTo, RejectAs, Robot, SendEmail, SendSms, SetField, Trigger
from contracts.pipeline.stages import Stage

if TYPE_CHECKING:
    from contracts.pipeline.pipeline import Pipeline

CONTACT_FIELDS = frozenset({"name", "company", "phone", "email"})
RESERVED = frozenset({"pause", "meeting_result", "idle", "pool", "activity"})
"""Ids under which the system itself arms something."""


def misfits_of_automation(pipeline: Pipeline) -> Iterator[Misfit]:
    """Everything that does not fit together, with its path."""
    yield from twice("template", "шаблоны", (template.id for template in pipeline.templates), ("templates",))
    yield from twice("term", "сроки", (term.id for term in pipeline.terms), ("terms",))
    robots: dict[str, str] = {}
    triggers: dict[str, str] = {}
    for n, stage in enumerate(pipeline.stages):
        place: Path = ("stages", n)
        for m, robot in enumerate(stage.robots):
            here: Path = (*place, "robots", m)
            yield from _told_apart(robots, "robot", "робот", robot.id, stage, (*here, "id"))
            yield from _of_robot(pipeline, stage, robot, here)
        for m, trigger in enumerate(stage.triggers):
            here = (*place, "triggers", m)
            yield from _told_apart(triggers, "trigger", "триггер", trigger.id, stage, (*here, "id"))
            yield from _of_trigger(pipeline, stage, trigger, here)


def _told_apart(seen: dict[str, str], what: str, what_ru: str, name: str, stage: Stage, path: Path) -> Iterator[Misfit]:
    if name in RESERVED:
        yield Misfit(
            path,
            f"{what} {name}: this name is taken by the system; give it another one",
            f"{what_ru} {name}: это имя занято системой; дайте другое",
        )
    if name in seen:
        yield Misfit(
            path,
            f"{what} {name} stands twice, in {seen[name]} and in {stage.id}; its name is told apart in the whole pipeline",
            f"{what_ru} {name} есть дважды, в {seen[name]} и в {stage.id}; имя — одно на всю воронку",
        )
    seen.setdefault(name, stage.id)


def _of_robot(pipeline: Pipeline, stage: Stage, robot: Robot, path: Path) -> Iterator[Misfit]:
    here, here_ru = f"robot {robot.id}: ", f"робот {robot.id}: "
    start = robot.start
    if start.after is not None:
        others = [other.id for other in stage.robots if other.id != robot.id]
        if start.after not in others:
            yield Misfit(
                (*path, "start", "after"),
                f"{here}starts after {start.after}, which is no other robot of stage {stage.id}"
                f"{there_are(others, start.after)}",
                f"{here_ru}запускается после {start.after}, а на стадии {stage.id} такого другого робота нет"
                f"{there_are_ru(others, start.after)}",
            )
        elif _follows_itself(stage, robot):
            yield Misfit(
                (*path, "start", "after"),
                f"{here}follows itself through {start.after}: none of them ever starts; begin the chain with one that "
                "follows nobody",
                f"{here_ru}запускается после самого себя, через {start.after}: не запустится никто; начните цепочку с "
                "того, кто ни за кем не следует",
            )
    for what, kind, name in (("date", "date", start.date), ("time", "time", start.time)):
        if name is not None:
            yield from _field_of(pipeline, kind, name, (*path, "start", what), here, here_ru)
    yield from _of_action(pipeline, stage, robot, (*path, "do"), here, here_ru)


def _follows_itself(stage: Stage, robot: Robot) -> bool:
    after = {other.id: other.start.after for other in stage.robots}
    seen, now = set[str](), robot.start.after
    while now is not None and now not in seen:
        if now == robot.id:
            return True
        seen.add(now)
        now = after.get(now)
    return False


def _field_of(pipeline: Pipeline, kind: str, name: str, path: Path, here: str, here_ru: str) -> Iterator[Misfit]:
    fits = [field.id for field in pipeline.fields if field.type == kind]
    if name not in fits:
        yield Misfit(
            path,
            f"{here}{name} is no field of type {kind}{there_are(fits, name)}",
            f"{here_ru}{name} — не поле типа {kind}{there_are_ru(fits, name)}",
        )


def _of_action(pipeline: Pipeline, stage: Stage, robot: Robot, path: Path, here: str, here_ru: str) -> Iterator[Misfit]:
    match robot.do:
        case SendEmail(email=template):
            yield from _template(pipeline, "email", template, (*path, "email"), here, here_ru)
        case SendSms(sms=template):
            yield from _template(pipeline, "sms", template, (*path, "sms"), here, here_ru)
        case MoveTo(move=to):
            fits = [s.id for s in pipeline.stages if s.kind in ("open", "won") and s.id != stage.id]
            yield from _one_of(fits, to, (*path, "move"), f"{here}moves to {to}", f"{here_ru}переводит в {to}")
        case RejectAs() as reject:
            yield from misfits_of_rejection(pipeline, reject, path, here, here_ru)
        case SetField(field=field):
            fits = [*(f.id for f in pipeline.fields), *sorted(CONTACT_FIELDS)]
            yield from _one_of(fits, field, (*path, "field"), f"{here}writes {field}", f"{here_ru}пишет в {field}")
        case _:
            pass


def misfits_of_rejection(pipeline: Pipeline, reject: RejectAs, path: Path, here: str, here_ru: str) -> Iterator[Misfit]:
    """What does not fit in a rejection by the system: its status, and the reason, said outright or by a field of the card."""
    status = reject.reject
    fits = [s.id for s in pipeline.stages if s.kind == "lost"]
    yield from _one_of(
        fits, status, (*path, "reject"), f"{here}rejects as {status}", f"{here_ru}отклоняет как {status}"
    )
    target = next((s for s in pipeline.stages if s.id == status), None)
    reasons = [reason.id for reason in target.reasons] if target is not None else []
    if reject.reason_field is not None:
        yield from _reason_field(pipeline, reject, reject.reason_field, reasons, (*path, "reason_field"), here, here_ru)
    elif reasons or reject.reason is not None:
        yield from _one_of(
            reasons,
            reject.reason or "",
            (*path, "reason"),
            f"{here}needs one of the reasons of {status}",
            f"{here_ru}нужна одна из причин {status}",
        )


def _reason_field(
    pipeline: Pipeline, reject: RejectAs, name: str, reasons: list[str], path: Path, here: str, here_ru: str
) -> Iterator[Misfit]:
    if reject.reason is not None:
        yield Misfit(
            path,
            f"{here}the reason is said by reason or by reason_field, not by both; take one away",
            f"{here_ru}причину называет reason или reason_field, но не оба; уберите одно",
        )
    choices = {field.id: field for field in pipeline.fields if field.type == "choice"}
    yield from _one_of(
        choices,
        name,
        path,
        f"{here}{name} is no choice of the card",
        f"{here_ru}{name} — не выбор карточки",
    )
    for option in choices[name].options if name in choices else ():
        yield from _one_of(
            reasons,
            option.id,
            path,
            f"{here}option {option.id} of {name} is no reason of {reject.reject}",
            f"{here_ru}вариант {option.id} поля {name} — не причина {reject.reject}",
        )


def _template(pipeline: Pipeline, kind: str, name: str, path: Path, here: str, here_ru: str) -> Iterator[Misfit]:
    fits = [template.id for template in pipeline.templates if template.kind == kind]
    yield from _one_of(
        fits, name, path, f"{here}sends {name}, which is no {kind} template", f"{here_ru}отправляет {name}: нет шаблона"
    )


def _one_of(fits: Iterable[str], name: str, path: Path, en: str, ru: str) -> Iterator[Misfit]:
    known = list(fits)
    if name not in known:
        yield Misfit(path, f"{en}{there_are(known, name)}", f"{ru}{there_are_ru(known, name)}")


def _of_trigger(pipeline: Pipeline, stage: Stage, trigger: Trigger, path: Path) -> Iterator[Misfit]:
    here, here_ru = f"trigger {trigger.id}: ", f"триггер {trigger.id}: "
    if stage.kind == "postponed":
        yield Misfit(
            path,
            f"{here}a pause needs a date that no trigger knows; put it on an open, won or lost stage, not on {stage.id}",
            f"{here_ru}для паузы нужна дата, которой триггер не знает; поставьте его на open, won или lost, не на {stage.id}",
        )
    reasons = [reason.id for reason in stage.reasons] if stage.kind == "lost" else []
    if reasons or trigger.reason is not None:
        yield from _one_of(
            reasons,
            trigger.reason or "",
            (*path, "reason"),
            f"{here}needs one of the reasons of {stage.id}",
            f"{here_ru}нужна одна из причин стадии {stage.id}",
        )
    ids = [other.id for other in pipeline.stages if other.id != stage.id]
    for n, name in enumerate(trigger.from_stages):
        yield from _one_of(
            ids,
            name,
            (*path, "from_stages", n),
            f"{here}moves leads out of {name}, which is no other stage",
            f"{here_ru}переводит из {name}: другой такой стадии нет",
        )

"""The account of a lead's robots, triggers and effects in words: one sentence each (R6, N4, M5, U).

Pure. Invariants: instants stand in the team's zone, robots go by their titles; a skip says the clause and what was seen.
"""

from __future__ import annotations

from datetime import datetime

from contracts import events as e
from contracts.personal import known
from contracts.pipeline import Titles
from services.leads.domain.robots.account import Pull, Run, Sent, Waiting
from services.web.telling_robots import LATE_MS, Named


def told_run(run: Run, named: Named, now: datetime) -> str:
    """What became of a robot that was armed."""
    words, tell, closed = named.words, named.tell, run.closed
    at = tell.time(run.closed_at)
    match closed:
        case None:
            key = "robot_due" if run.armed.due_at > now else "robot_overdue"
            because = named.because(run.armed.model_dump())
            said = words(key, due=tell.time(run.armed.due_at), because=because)
            return f"{said}, {words('by_calendar', name=run.armed.calendar)}" if run.armed.calendar else said
        case e.RobotRan():
            said = words("robot_ran", at=at, did=words(f"did.{closed.did}"))
            late = words("robot_late", late=named.late(closed.late_ms)) if closed.late_ms >= LATE_MS else ""
            return f"{said}, {late}" if late else said
        case e.RobotSkipped():
            return _with_sight(words("robot_skipped", at=at, why=named.skipped(closed.model_dump())), closed, named)
        case e.RobotCancelled():
            said = words("robot_cancelled", at=at, why=words(f"cancelled.{closed.by}"))
            if run.by is not None and closed.by == "by_hand":
                said = f"{said}, {run.by.id}"
            return f"{said}: {comment}" if (comment := known(closed.comment)) else said
        case e.RobotFailed():
            return words("robot_failed", at=at, why=named.could_not(closed.model_dump()))


def _with_sight(said: str, event: e.RobotSkipped | e.TriggerRefused, named: Named) -> str:
    """With the clause and what it saw, or the rules."""
    data = {"clause": event.clause, "values": known(event.values) or {}, "rules": event.rules}
    clause, seen = named.clause(data), named.seen(data)
    if clause is not None:
        said = f"{said}: {named.words('robot_saw', clause=clause, values=seen) if seen else clause}"
    rules = named.rules(data)
    return f"{said}: {' '.join(rules)}" if rules else said


def told_waiting(waiting: Waiting, named: Named) -> str:
    """What a robot that is not armed waits for."""
    field = named.pipeline.fields_by_id.get(waiting.field or "")
    titles = field.titles if field is not None else Titles(ru=waiting.field or "—", en=waiting.field or "—")
    of_date = waiting.why == "left" and waiting.after is None
    return named.words(
        "waiting.left.date" if of_date else f"waiting.{waiting.why}",
        after=named.robot(waiting.after) if waiting.after is not None else "—",
        field=named.words.of(titles),
    )


def told_effect(sent: Sent, named: Named) -> str:
    """How something stands that goes out."""
    words, tell, closed = named.words, named.tell, sent.closed
    said = [_told_state(sent, named)]
    if closed is not None and closed.doubtful:
        said.append(words("effect_doubtful" if sent.state == "done" else "effect_doubtful_failed"))
    if sent.bounced is not None:
        key = "effect_delayed" if sent.bounced.what == "delayed" else "effect_bounced"
        said.append(words(key, at=tell.time(sent.bounced_at), status=sent.bounced.status or "—"))
    if sent.repeats:
        said.append(words("effect_repeats", count=sent.repeats))
    return "; ".join(said)


def _told_state(sent: Sent, named: Named) -> str:
    words, tell, closed = named.words, named.tell, sent.closed
    match closed:
        case e.EffectDone():
            done = words(f"effect_done.{closed.effect_kind}")
            return words("effect_state.done", done=done, at=tell.time(sent.closed_at))
        case e.EffectFailed():
            return words("effect_state.failed", why=named.failed(closed.reason), attempts=closed.attempts)
        case None:
            return words("effect_state.requested", at=tell.time(sent.at))


def told_pull(pull: Pull, named: Named) -> str:
    """What a trigger did, or why it did nothing."""
    at, what = named.tell.time(pull.at), pull.what
    stage = named.stage(what.to_stage)
    if isinstance(what, e.TriggerFired):
        return named.words("why.fired", at=at, before=named.stage(what.from_stage), stage=stage)
    said = named.words("why.refused", at=at, stage=stage, why=named.refused(what.model_dump()))
    return _with_sight(said, what, named)

"""What becomes of an effect: its states, when it is tried again, when it is given up; limits of a provider (decision 9). Pure.

Invariants: an effect is carried out only in the state `working`, which is stored before the call, so after a crash it is found
there; an answer is stored (`answered`) before it is reported, and only the aggregate's event closes it (`done`, `failed`).
Whatever may have gone out twice stays `in_doubt` for good. A provider's trouble moves nothing but that provider's instant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID, uuid5

from contracts.events import EffectDone, EffectFailed, EffectRepeated, EffectRequested
from services.delivery.port import Done, Later, Outcome, Refused

State = Literal["waiting", "working", "answered", "done", "failed", "closed"]
"""closed: its report was refused, so no event will ever close it."""
OPEN: Final[frozenset[State]] = frozenset({"waiting", "working", "answered"})

FIRST_SECONDS: Final = 5.0
LONGEST_SECONDS: Final = 15 * 60.0
LONGEST_AFTER: Final = timedelta(days=1)
"""Whoever asks for a longer pause is asked again after this one."""
TOO_SMALL: Final = "audience_too_small"
"""How the reason begins when a list is too short for its service: such a try counts for nothing and waits for others."""
LOST: Final = "ledger_lost"
"""Why an effect failed of which the ledger had lost what it knew."""
NOT_REQUESTED: Final = "not_requested"
"""How the reason begins why a row is closed whose effect no event requested."""
REASON_CHARACTERS: Final = 500
PROVIDER_CHARACTERS: Final = 100
MOST_MATCHED: Final = 2**31 - 1
APP: Final = "app"
"""The way of notices to somebody without an address: the app shows them, nothing is sent."""
EMAIL: Final = "email"
SMS: Final = "sms"


class NotOursError(ValueError):
    """An event that does not fit the effect: nobody requested it, or another one bears its id."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A row of the ledger; nothing personal stands in it. Times are UTC."""

    effect: UUID
    stream: UUID
    kind: str
    """Of the stream: lead, deal, or incident (a journal)."""
    version: int
    """Of its `EffectRequested`."""
    effect_kind: str
    provider: str
    """The way out: email, app, sms, audiences.SERVICE, webhook:NAME."""
    correlation: str
    """Of its request: what all that followed from one cause has in common."""
    requested_at: datetime
    opened_at: datetime
    """When this round began; patience counts from here."""
    next_at: datetime
    audience: str | None = None
    action: str | None = None
    robot: str | None = None
    round: int = 0
    """How many times a person had it repeated."""
    repeated_version: int | None = None
    """Of the last `EffectRepeated`."""
    state: State = "waiting"
    attempts: int = 0
    """In this round."""
    in_doubt: bool = False
    last_reason: str | None = None
    outcome: Literal["done", "failed"] | None = None
    provider_id: str | None = None
    matched: int | None = None
    closed_at: datetime | None = None

    @property
    def report(self) -> UUID:
        """Id of the command that reports this round's outcome, the same however often it is sent."""
        return uuid5(self.effect, f"report:{self.round}")


def provider_of(requested: EffectRequested, has_address: bool) -> str:
    """Which way an effect goes. `has_address`: whether whoever a notice is for has an e-mail address."""
    match requested.effect_kind:
        case "email":
            return EMAIL
        case "sms":
            return SMS
        case "audience":
            return f"audiences.{requested.service or ''}"[:PROVIDER_CHARACTERS]
        case "webhook":
            return f"webhook:{requested.service or ''}"[:PROVIDER_CHARACTERS]
        case "notice":
            return way_of_notice(has_address)


def way_of_notice(has_address: bool) -> str:
    """Which way a notice goes to somebody of ours."""
    return EMAIL if has_address else APP


def requested(
    event: EffectRequested, stream: UUID, kind: str, version: int, at: datetime, *, has_address: bool, correlation: str
) -> Effect:
    """The effect that this event asks for; due at once."""
    audience = event.effect_kind == "audience"
    return Effect(
        effect=event.effect,
        stream=stream,
        kind=kind,
        version=version,
        effect_kind=event.effect_kind,
        provider=provider_of(event, has_address),
        correlation=correlation,
        requested_at=at,
        opened_at=at,
        next_at=at,
        audience=event.audience if audience else None,
        action=event.action if audience else None,
        robot=event.robot,
    )


def repeated(effect: Effect, _event: EffectRepeated, version: int, at: datetime) -> Effect:
    """A person wants it tried once more: a new round. What was in doubt stays so."""
    if effect.state in OPEN:
        raise NotOursError("an effect that waits is repeated")
    return replace(
        effect,
        round=effect.round + 1,
        repeated_version=version,
        opened_at=at,
        next_at=at,
        state="waiting",
        attempts=0,
        last_reason=None,
        outcome=None,
        provider_id=None,
        matched=None,
        closed_at=None,
    )


def closed(effect: Effect, event: EffectDone | EffectFailed, at: datetime) -> Effect:
    """The aggregate has recorded what came of it, or that the client wants none of it (C7). Failed while a call is under way: it
    may be done all the same, until the call's outcome says (`after_closed`)."""
    done = isinstance(event, EffectDone)
    under_way = effect.state == "working" and not done
    return replace(
        effect,
        state="done" if done else "failed",
        outcome="done" if done else "failed",
        attempts=event.attempts,
        in_doubt=effect.in_doubt or event.doubtful or under_way,
        last_reason=None if isinstance(event, EffectDone) else event.reason,
        provider_id=event.provider_id if isinstance(event, EffectDone) else None,
        matched=event.matched if isinstance(event, EffectDone) else None,
        closed_at=at,
    )


def unreportable(effect: Effect, rules: Sequence[str], at: datetime) -> Effect:
    """Its report was refused for good (an erased lead): it is closed without an event, and nothing is tried any more."""
    if effect.state not in OPEN:
        return effect
    said = f"report_refused: {', '.join(rules)}"[:REASON_CHARACTERS]
    return replace(effect, state="closed", last_reason=said, closed_at=at)


def taken(effect: Effect, *, tells_repeats: bool) -> Effect:
    """It is about to be carried out. One found `working` was under way when its worker died: it may have gone out, unless the
    other side tells repeats."""
    if effect.state not in ("waiting", "working"):
        raise NotOursError("only an effect that waits is carried out")
    died = effect.state == "working" and not tells_repeats
    return replace(effect, state="working", attempts=effect.attempts + 1, in_doubt=effect.in_doubt or died)


def after(effect: Effect, outcome: Outcome, now: datetime, patience: timedelta, draw: float) -> Effect:
    """What follows from an attempt. `draw`: a random number from 0 to 1, for the jitter."""
    match outcome:
        case Done(provider_id, matched):
            known = _plain(provider_id or "", 200) or None
            count = None if matched is None else max(0, min(matched, MOST_MATCHED))
            return replace(effect, state="answered", outcome="done", provider_id=known, matched=count, last_reason=None)
        case Refused(reason):
            return _failed(effect, reason)
        case Later() if waits_for_more(outcome):
            again = now + seconds(outcome.after if outcome.after is not None else LONGEST_SECONDS)
            tries = max(effect.attempts - 1, 0)
            return replace(effect, state="waiting", attempts=tries, next_at=again, last_reason=_short(outcome.reason))
        case Later():
            effect = replace(effect, in_doubt=effect.in_doubt or outcome.in_doubt)
            if now - effect.opened_at >= patience:
                return _failed(effect, f"gave_up: {outcome.reason}")
            again = now + max(back_off(effect.attempts, draw), seconds(outcome.after or 0.0))
            return replace(effect, state="waiting", next_at=again, last_reason=_short(outcome.reason))


def after_closed(closed: Effect, effect: Effect) -> Effect:
    """What follows for an effect that an event closed as failed while its call was under way. `effect`: as `after` gave it. Done
    is reported all the same; else the doubt is what the call left of it."""
    if effect.outcome == "done":
        return effect
    return replace(closed, in_doubt=effect.in_doubt)


def without_trying(effect: Effect, reason: str) -> Effect:
    """It cannot be tried at all (its person was erased, it has no address): a failure, and no attempt."""
    return replace(_failed(effect, reason), attempts=max(effect.attempts - 1, 0))


def waits_for_more(outcome: Outcome) -> bool:
    """Whether the contact waits for others of its audience, with no fault of anyone's."""
    return isinstance(outcome, Later) and outcome.reason.startswith(TOO_SMALL)


def back_off(attempts: int, draw: float) -> timedelta:
    """Full jitter: a random part of a span that doubles with each attempt, from 5 seconds to 15 minutes."""
    return timedelta(seconds=draw * min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(max(attempts - 1, 0), 30)))


def seconds(count: float) -> timedelta:
    """A pause that was asked for, none below nothing and none above a day."""
    return max(timedelta(0), min(timedelta(seconds=min(count, 1e9)), LONGEST_AFTER))


def _failed(effect: Effect, reason: str) -> Effect:
    return replace(effect, state="answered", outcome="failed", last_reason=_short(reason))


def _short(reason: str) -> str:
    """As it can be stored: never empty."""
    return _plain(reason, REASON_CHARACTERS) or "unknown"


def _plain(text: str, most: int) -> str:
    """A text of the other side's as the database and a command can hold it: no NUL, no half characters, not too long."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:most]


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing goes to the provider until then. `failures`: in a row."""

    until: datetime | None
    reason: str | None
    failures: int


CLEAR: Final = Pause(None, None, 0)
"""Of a provider that works."""


def pause_after(held: Pause, heard: Sequence[tuple[datetime, Outcome]], now: datetime, draw: float) -> Pause | None:
    """What outcomes mean for the provider as a whole; None: nothing. `heard`: with each outcome when its call began.

    Any answer that is about one effect alone shows that the provider works. A call that began before the pause that stands is
    no news: calls side by side are one failure, and what one of them had done ends no pause; only a longer wait that it was
    asked for counts.
    """
    whole = [(began, o) for began, o in heard if isinstance(o, Later) and o.whole_provider]
    wait = seconds(max((o.after for _, o in whole if o.after is not None), default=0.0))
    news = [began for began, _ in whole or heard if held.until is None or held.until <= began]
    if not whole:
        return CLEAR if news else None
    if news:
        wait = max(back_off(held.failures + 1, draw), wait)
        return Pause(now + wait, _short(whole[-1][1].reason), held.failures + 1)
    return replace(held, until=now + wait) if held.until is not None and held.until < now + wait else None


@dataclass(frozen=True, slots=True)
class Bucket:
    """What may go to a provider now. `at`: seconds, of a clock that all processes share."""

    tokens: float
    at: float


def burst_of(per_minute: int, most: int) -> int:
    """How many may go together at most, of `most` that could: what goes in a second."""
    return max(1, min(most, per_minute // 60))


def draw_tokens(
    bucket: Bucket | None, per_minute: int, burst: int, wanted: int, now: float, *, later: int = 0
) -> tuple[int, Bucket, float]:
    """How many of `wanted` may go, the bucket after that, and seconds until the next may where none may.

    Never more than `per_minute` in any 60 seconds: what may go at once, and what may be drawn now and go `later`, is taken off
    the rate. A clock that went back gives nothing.
    """
    rate = (per_minute - burst - later + 1) / 60
    if bucket is None:
        bucket = Bucket(float(burst), now)
    tokens = min(float(burst), bucket.tokens + max(now - bucket.at, 0.0) * rate)
    granted = min(wanted, int(tokens + 1e-9))
    left = Bucket(max(tokens - granted, 0.0), now)
    return granted, left, 0.0 if granted else (1 - left.tokens) / rate

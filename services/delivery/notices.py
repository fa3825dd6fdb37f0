"""Notices of the incident journals, read as the effects that they are: letters to people of ours (Q6, decision 18). Pure.

Invariants: a notice has one effect under its own id, on the journal's stream; from there on it is tried, limited, given up,
reported and repeated as every letter. One to somebody without an address fails at once: a miss of which nobody was told must
not count, and the application shows it all the same.
"""

from __future__ import annotations

from typing import Final

from contracts.events import (
    EffectDone,
    EffectFailed,
    EffectRepeated,
    EffectRequested,
    Event,
    NoticeDone,
    NoticeFailed,
    NoticeRepeated,
    NoticeRequested,
)

NOTICES: Final[tuple[type[Event], ...]] = (NoticeRequested, NoticeRepeated, NoticeDone, NoticeFailed)


def as_effect(event: Event) -> Event:
    """The event of an effect that an event of a notice is; any other as it is."""
    match event:
        case NoticeRequested():
            return EffectRequested(
                effect=event.effect, effect_kind="notice", service=event.to, subject=event.subject, text=event.text
            )
        case NoticeRepeated():
            return EffectRepeated(effect=event.effect, effect_kind="notice")
        case NoticeDone():
            return EffectDone(
                effect=event.effect,
                effect_kind="notice",
                attempts=event.attempts,
                provider=event.provider,
                provider_id=event.provider_id,
                doubtful=event.doubtful,
            )
        case NoticeFailed():
            return EffectFailed(
                effect=event.effect,
                effect_kind="notice",
                attempts=event.attempts,
                provider=event.provider,
                reason=event.reason,
                doubtful=event.doubtful,
            )
    return event

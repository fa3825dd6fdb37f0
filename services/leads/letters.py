"""Letters and short messages of robots, filled in for a lead: what a template sees, and how it ends (R3, RFC 8058).

Invariants: a template sees plain values of the lead and of the settings, nothing else; what cannot be filled in raises
`TemplateError`, whose words hold no value.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo

from contracts.pipeline import Pipeline, Template
from services.leads.domain import criteria
from services.leads.domain.robots.acting import Words
from services.leads.domain.state import LeadState
from services.pipelines.templates import Language, values_for, write
from services.privacy.unsubscribing import unsubscribe_link, unsubscribe_token
from services.settings import Settings

if TYPE_CHECKING:
    from services.leads.batch import LeadBatch


def filler(batch: LeadBatch, pipeline: Pipeline) -> Callable[[LeadState, Template, str], Words]:
    """How a template is filled in for a lead of a pipeline in this batch."""

    def fill(state: LeadState, template: Template, language: str) -> Words:
        seen = seen_by_templates(batch.settings, state, pipeline, language, batch.now, batch.times.calendar.zone)
        written = write(template, seen, language=cast(Language, language))
        return Words(written.subject, written.text, written.html)

    return fill


def seen_by_templates(
    settings: Settings, state: LeadState, pipeline: Pipeline, language: str, now: datetime, zone: ZoneInfo
) -> dict[str, object]:
    """The names of a template and their values, for a lead."""
    return values_for(
        pipeline,
        criteria.seen_by_templates(state, pipeline),
        language=cast(Language, language),
        now=now,
        zone=zone,
        company=settings.company,
        unsubscribe=unsubscribe_of(settings, state),
    )


def unsubscribe_of(settings: Settings, state: LeadState) -> str | None:
    """The address that ends letters to this client; None where the settings name no public address."""
    if settings.public_url is None:
        return None
    return unsubscribe_link(settings.public_url, unsubscribe_token(settings.pepper_bytes, state.lead))

"""Values of the card as a lead keeps them: read by the field's type (`services.pipelines.card_values`), phones by region (Q2).

Pure.
"""

from __future__ import annotations

from contracts.pipeline import CardField
from services.leads.domain.identities import normalise_phone
from services.pipelines.card_values import Unreadable, read_typed


def read_value(field: CardField, text: str, region: str) -> str | Unreadable:
    """A typed value in the form it is kept in; an empty text stays empty."""
    return read_typed(field, text, lambda number: normalise_phone(number, region))

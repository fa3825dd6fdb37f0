"""What commands are made of: the base of their bodies, and the texts in them (spec I)."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(min_length=1, max_length=10_000)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
"""An id that the pipeline gave."""
Link = Annotated[str, Field(min_length=1, max_length=2_000, pattern=r"^https?://[^\s]+$")]


Person = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$")]
"""Somebody of ours, by the name they work under."""


class CommandBody(BaseModel):
    """Base of the bodies: strict, so that a misspelt field is an error and not a loss."""

    model_config = ConfigDict(frozen=True, extra="forbid")

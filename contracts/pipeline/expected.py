"""Findings of the linter that stand, and why (S5, issue «each file lists the findings expected on it»)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contracts.pipeline.parts import Model, StageId, Words

RULE_PATTERN = r"^[A-Z]{1,2}[0-9]{1,2}\.[a-z][a-z0-9_]{0,59}$"
RuleId = Annotated[str, Field(pattern=RULE_PATTERN)]
"""The id of a rule of the linter, `S5.mixed_style` (`docs/lint.md`)."""


class ExpectedFinding(Model):
    """A finding that the linter is expected to have: it is told and fails nothing. `stage`: of the findings of this rule only
    those about this stage; left out: all of them. One that does not occur is itself a finding."""

    rule: RuleId
    stage: StageId | None = None
    why: Words

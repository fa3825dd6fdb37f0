"""Models made of checked parts are the same as those that were validated (`contracts.trusted`; N7)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, Field

from contracts.commands import Command, CommandResult, DueTimer, Fire
from contracts.meta import Actor
from contracts.timers import attempt_id, fire_command
from contracts.trusted import trusted

LEAD, TIMER = UUID(int=1), UUID(int=2)
ALSO = DueTimer(timer=UUID(int=3), robot="letter", attempt=1, armed_version=8)
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (CommandResult, {"command": TIMER, "stream": LEAD, "outcome": "done", "last_version": 9, "at": NOW}),
        (CommandResult, {"command": TIMER, "stream": LEAD, "outcome": "done", "first_version": 2, "at": NOW}),
        (DueTimer, {"timer": TIMER, "robot": "call", "attempt": 1, "armed_version": 7}),
        (Fire, {"timer": TIMER, "robot": "call"}),
        (Fire, {"timer": TIMER, "robot": "call", "also": (ALSO,)}),
    ],
)
def test_N7_a_trusted_model_is_the_validated_one(model: type[BaseModel], values: dict[str, Any]) -> None:
    made, checked = trusted(model, **values), model(**values)
    assert made == checked
    assert made.model_dump_json() == checked.model_dump_json()
    assert made.model_dump_json(exclude_defaults=True) == checked.model_dump_json(exclude_defaults=True)
    assert made.model_dump_json(exclude_unset=True) == checked.model_dump_json(exclude_unset=True)


@pytest.mark.parametrize("also", [(), (ALSO,)])
def test_N1_the_command_of_a_timer_is_what_a_reader_of_it_gets(also: tuple[DueTimer, ...]) -> None:
    due = DueTimer(timer=TIMER, robot="call", attempt=2, armed_version=7)
    made = fire_command(LEAD, due, "cause", 3, also)
    assert Command.model_validate_json(made.model_dump_json(exclude_none=True)) == made
    assert made.id == attempt_id(TIMER, 2)
    assert made.actor == Actor(id="call", kind="robot")
    assert made.causation == f"{LEAD}-7"


def test_N7_a_model_whose_defaults_are_made_anew_is_refused() -> None:
    class Shared(BaseModel):
        names: list[str] = Field(default_factory=list)

    with pytest.raises(AssertionError, match="names"):
        trusted(Shared)

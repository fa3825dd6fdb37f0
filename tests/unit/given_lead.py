"""Given/when/then for leads: `given(...)` folds events, `.when(command)` decides, `.then(...)` / `.refused_by(...)` look.

Times are fixed: the lead was captured at `THEN`, commands come at `NOW`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any
from uuid import UUID

from contracts import events as e
from contracts.commands import COMMAND_BODIES, Command, Refusal
from contracts.meta import Actor, Meta
from contracts.pipeline import Pipeline
from services.leads.domain.decide import Surroundings, decide
from services.leads.domain.state import LeadState, evolve_lead
from services.pipelines.language import read_pipeline

LEAD, CONTACT, COMMAND = UUID(int=1), UUID(int=2), UUID(int=3)
THEN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NOW = THEN + timedelta(hours=1)
SELLER = Actor(id="anna", kind="person", role="seller")
HEAD = Actor(id="helen", kind="person", role="head")
ROBOT = Actor(id="robot:1", kind="robot")


def classic() -> Pipeline:
    """The bundled pipeline of seed 000."""
    text = resources.files("contracts").joinpath("pipelines", "classic.yaml").read_text(encoding="utf-8")
    return read_pipeline(text, "classic.yaml")


CLASSIC = classic()


def captured(**known: Any) -> tuple[e.Event, ...]:
    """A lead just captured, in its first stage."""
    return (
        e.LeadCaptured(pipeline="classic", contact=CONTACT, channel="form", source="site", received_at=THEN, **known),
        e.StageEntered(stage="new", kind="open", visit=1, cause="captured", direction="in"),
    )


def entered(stage: str, visit: int = 2, **more: Any) -> e.StageEntered:
    """A stage entered, as the fold needs it."""
    kind = CLASSIC.by_id[stage].kind
    return e.StageEntered(
        **{"stage": stage, "kind": kind, "visit": visit, "cause": "moved", "direction": "forward", **more}
    )


OFFER = e.OfferMade(volume="1 шт.", price=e.Money(amount="45000", currency="RUB"), delivery_days=14)  # type: ignore[arg-type]


class Decided:
    """What a command led to."""

    def __init__(self, answer: tuple[e.Event, ...] | Refusal) -> None:
        self.answer = answer

    def then(self, *expected: e.Event) -> None:
        """These events, and no others."""
        assert self.answer == expected

    def then_types(self, *names: str) -> None:
        """Events of these types, by the last part of their names."""
        assert not isinstance(self.answer, Refusal), self.answer
        assert [event.TOPIC.rpartition(".")[2] for event in self.answer] == list(names)

    def refused_by(self, *rules: str, missing: tuple[str, ...] = ()) -> Refusal:
        """A refusal by exactly these rules, naming what is missing."""
        assert isinstance(self.answer, Refusal), f"not refused: {self.answer}"
        assert self.answer.rules == rules
        assert tuple(lack.id for lack in self.answer.missing) == missing
        assert self.answer.ru
        assert self.answer.en
        return self.answer


class Given:
    """A lead after some events."""

    def __init__(self, *events: e.Event, at: datetime = THEN) -> None:
        state: LeadState | None = None
        for version, data in enumerate(events, 1):
            state = evolve_lead(state, meta(data, version, at), data)
        assert state is not None
        self.state = state

    def when(
        self,
        name: str,
        *,
        by: Actor = SELLER,
        happened_at: datetime | None = None,
        version: int | None = None,
        around: Surroundings | None = None,
        **body: Any,
    ) -> Decided:
        """A command is given."""
        command = Command(
            id=COMMAND,
            lead=LEAD,
            actor=by,
            body=COMMAND_BODIES[name](**body),  # type: ignore[arg-type]
            happened_at=happened_at,
            expected_version=version,
        )
        return Decided(decide(self.state, command, CLASSIC, NOW, around or Surroundings(("anna", "boris"))))


def given(*events: e.Event) -> Given:
    """A lead after these events."""
    return Given(*events)


def meta(data: e.Event, version: int, at: datetime = THEN) -> Meta:
    """An envelope for tests."""
    return Meta(
        stream=LEAD,
        version=version,
        kind="lead",
        type=data.TOPIC,
        happened_at=at,
        recorded_at=at,
        actor=SELLER,
        command=COMMAND,
        correlation="test",
        person=CONTACT,
        pipeline="classic@1",
    )

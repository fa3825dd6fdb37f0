"""What the events say of timers and how one becomes a command: pure (decision 8; N1, N2, N7)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.commands import MOST_TOGETHER, DueTimer, Fire
from contracts.timers import attempt_id
from services.health import Health
from services.ops import reactors
from services.ops.serve import SERVICES
from services.robots.domain import (
    TYPES,
    UNREADABLE,
    Armed,
    Closed,
    Due,
    command_of,
    fairly,
    read,
    wait_after,
    wait_early,
)
from services.settings import Settings

TIMER, LEAD = UUID(int=7), UUID(int=8)
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ARMED = "leadline.lead.robot_armed"
META = {"stream": str(LEAD), "version": 3, "kind": "lead", "pipeline": "classic@2", "correlation": "c", "autodepth": 1}
DATA = {"timer": str(TIMER), "robot": "call", "due_at": "2026-03-02T15:00:00+03:00", "visit": 1, "because": "entry"}


def due(lead: int, number: int, *, attempts: int = 0, correlation: str = "c", depth: int = 0) -> Due:
    return Due(
        Armed(UUID(int=number + 1), UUID(int=lead), "lead", "classic", "call", NOON, 1, correlation, depth), attempts
    )


def alone(lead: int, number: int) -> Due:
    """One that has a cause of its own, so that no command brings it along."""
    return due(lead, number, correlation=str(number))


def test_R1_an_arming_event_gives_a_timer_and_its_command() -> None:
    armed = read(ARMED, META, DATA)
    assert armed == Armed(TIMER, LEAD, "lead", "classic", "call", NOON, 3, "c", 1)
    assert isinstance(armed, Armed)
    command = command_of(Due(armed, 2))
    assert command.id == uuid5(TIMER, "fire:3")
    assert (command.lead, command.body) == (LEAD, Fire(timer=TIMER, robot="call"))
    assert (command.actor.id, command.actor.kind) == ("call", "robot")
    assert (command.causation, command.correlation, command.autodepth) == (f"{LEAD}-3", "c", 1)


def test_N2_every_event_that_closes_is_known_and_says_how() -> None:
    closing = {type_: read(type_, META, DATA) for type_ in TYPES if not type_.endswith("armed")}
    assert {
        f"leadline.lead.robot_{how}": Closed(TIMER, how) for how in ("ran", "skipped", "cancelled", "failed")
    }.items() <= (closing.items())


@pytest.mark.parametrize(
    "data",
    [
        {"timer": "x"},
        {"timer": None},
        {"due_at": "2026-03-02T15:00:00"},
        {"due_at": "9999-12-31T23:59:59-12:00"},
        {"due_at": "0001-01-01T00:00:00+12:00"},
        {"due_at": 5},
        {"robot": ""},
        {"robot": "робот"},
        {"robot": "a\0b"},
        {"robot": " call"},
        {"robot": "x" * 61},
        {"robot": None},
    ],
)
def test_N7_an_arming_event_that_makes_no_command_is_unreadable(data: dict[str, Any]) -> None:
    with pytest.raises(UNREADABLE):
        read(ARMED, META, {**DATA, **data})


@pytest.mark.parametrize("meta", [{"kind": "contact"}, {"autodepth": 2**31}, {"correlation": "ц"}, {"stream": "x"}])
def test_N7_an_envelope_that_makes_no_command_is_unreadable(meta: dict[str, Any]) -> None:
    with pytest.raises(UNREADABLE):
        read(ARMED, {**META, **meta}, DATA)


@given(st.datetimes(min_value=datetime(1950, 1, 1), max_value=datetime(8000, 1, 1)), st.integers(-720, 720))  # noqa: DTZ001 (the zone is put on below)
def test_R1_an_instant_is_the_same_in_every_zone(moment: datetime, minutes: int) -> None:
    there = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    armed = read(ARMED, META, {**DATA, "due_at": there.isoformat()})
    assert isinstance(armed, Armed)
    assert armed.due_at == there


@given(st.lists(st.integers(0, 5), max_size=60))
def test_N7_a_lead_with_many_timers_does_not_stand_before_the_others(leads: list[int]) -> None:
    given_ = [alone(lead, number) for number, lead in enumerate(leads)]
    placed = [one for together in fairly(given_) for one in together]
    assert sorted(placed, key=lambda one: one.armed.timer.int) == given_
    before: dict[UUID, int] = {}
    for one in placed:
        mine = before.get(one.armed.stream, 0)
        others = [before.get(UUID(int=lead), 0) for lead in set(leads)]
        left = [leads.count(lead) for lead in set(leads)]
        # nobody gets a further turn while somebody who has timers left had fewer
        assert all(had >= mine or had == all_ for had, all_ in zip(others, left, strict=True))
        before[one.armed.stream] = mine + 1
    for lead in set(leads):
        numbers = [one.armed.timer.int for one in placed if one.armed.stream == UUID(int=lead)]
        assert numbers == sorted(numbers)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 1), st.integers(0, 1)), max_size=80),
)
def test_N7_what_goes_together_is_of_one_lead_one_cause_and_new(timers: list[tuple[int, int, int, int]]) -> None:
    given_ = [
        due(lead, number, attempts=attempts, correlation=str(cause), depth=depth)
        for number, (lead, attempts, cause, depth) in enumerate(timers)
    ]
    lists = fairly(given_)
    assert sorted((one for together in lists for one in together), key=lambda one: one.armed.timer.int) == given_
    for together in lists:
        assert 1 <= len(together) <= MOST_TOGETHER
        assert len({(one.armed.stream, one.armed.correlation, one.armed.autodepth) for one in together}) == 1
        assert len(together) == 1 or not any(one.attempts for one in together)
    for lead in range(4):
        numbers = [one.armed.timer.int for together in lists for one in together if one.armed.stream == UUID(int=lead)]
        assert numbers == sorted(numbers)


def test_N7_five_robots_of_an_entry_are_one_command() -> None:
    (first, *also), other = fairly([due(1, 0), due(1, 1), due(2, 2), due(1, 3), due(1, 4)])
    assert [one.armed.timer.int for one in (first, *also)] == [1, 2, 4, 5]
    assert [one.armed.timer.int for one in other] == [3]
    command = command_of(first, also)
    assert command.id == attempt_id(first.armed.timer, 1)
    assert command.body == Fire(
        timer=first.armed.timer,
        robot="call",
        also=tuple(DueTimer(timer=UUID(int=n), robot="call", attempt=1, armed_version=1) for n in (2, 4, 5)),
    )
    assert command_of(first).id == command.id, "whatever it brings along"


def test_N1_each_attempt_has_an_id_of_its_own_and_always_the_same() -> None:
    ids = [attempt_id(TIMER, attempt) for attempt in range(1, 100)]
    assert len(set(ids)) == 99
    assert ids[0] == uuid5(TIMER, "fire:1")
    assert attempt_id(UUID(int=9), 1) != ids[0]


def test_N2_waits_grow_and_have_a_limit() -> None:
    minute = timedelta(minutes=1)
    assert [wait_after(n, minute) for n in (1, 2, 3)] == [minute, 2 * minute, 4 * minute]
    assert wait_after(10_000, minute) == timedelta(hours=1)
    assert wait_early(1) == timedelta(milliseconds=100)
    assert wait_early(10_000) == minute


async def test_I_a_reactor_that_ends_unasked_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = []

    async def waits(_settings: Settings, _health: Health, stop: asyncio.Event) -> None:
        await stop.wait()
        ended.append("waits")

    async def breaks(_settings: Settings, _health: Health, _stop: asyncio.Event) -> None:
        raise ValueError("broken")

    async def returns(_settings: Settings, _health: Health, _stop: asyncio.Event) -> None:
        return

    for part, error in ((breaks, ValueError), (returns, RuntimeError)):
        monkeypatch.setattr(reactors, "_reactors", lambda part=part: {"one": waits, "two": part})
        with pytest.raises(error):
            await asyncio.wait_for(reactors.run(Settings(), Health("reactors"), asyncio.Event()), 60)
    assert ended == ["waits", "waits"]
    monkeypatch.setattr(reactors, "_reactors", lambda: {"one": waits, "two": waits})
    stop = asyncio.Event()
    running = asyncio.create_task(reactors.run(Settings(), Health("reactors"), stop))
    await asyncio.sleep(0)
    stop.set()
    await asyncio.wait_for(running, 60)


def test_I_what_goes_out_runs_among_the_reactors_and_the_timers_by_themselves() -> None:
    assert set(reactors._reactors()) == {"delivery", "incidents"}
    assert [name for name, service in SERVICES.items() if service.behind] == ["reactors", "delivery"]

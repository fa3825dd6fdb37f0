"""Robots that start at once run in the batch that arms them; timers that a command brings along (decision 0022; R1, N1, N7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts import events as e
from contracts.commands import Command, DueTimer, Fire, Move
from contracts.timers import attempt_id, fire_command
from services.clock import SystemClock
from services.database import Pool
from services.leads import at_once, robots
from services.pipelines.registry import publish
from services.settings import Settings
from tests.integration.leads_case import ANNA, HEAD, Leads, running

CHAIN = 25
PIPELINE = """
pipeline: robots
titles: {ru: "Роботы", en: "Robots"}
conversion_point: deal
templates:
  - id: thanks
    titles: {ru: "Спасибо", en: "Thanks"}
    kind: email
    ru: {subject: "Спасибо, {{ lead.name }}", text: "Здравствуйте, {{ lead.name }}! Мы получили заявку."}
    en: {subject: "Thanks", text: "Hello {{ lead.name }}!"}
stages:
  - id: new
    titles: {ru: "Новый", en: "New"}
    kind: open
    robots:
      - {id: greet, titles: {ru: "Привет", en: "Greeting"}, do: {email: thanks}}
      - {id: called, titles: {ru: "Звонок", en: "Call"}, start: {after: greet}, do: {tag: greeted}}
  - id: offered
    titles: {ru: "Предложено", en: "Offered"}
    kind: open
    robots:
      - {id: warm, titles: {ru: "Тёплый", en: "Warm"}, do: {tag: warm}}
      - {id: after_warm, titles: {ru: "После", en: "After"}, start: {after: warm}, do: {tag: after}}
      - id: call
        titles: {ru: "Звонок", en: "Call"}
        do: {plan: call, text: {ru: "Позвонить", en: "Call"}, due: {hours: 1, working: true}}
      - {id: letter, titles: {ru: "Письмо", en: "Letter"}, do: {email: thanks}}
      - {id: later, titles: {ru: "Позже", en: "Later"}, do: {tag: old}, start: {delay: {days: 3}}}
  - id: chain
    titles: {ru: "Цепь", en: "Chain"}
    kind: open
    robots:
LINKS
  - id: ping
    titles: {ru: "Туда", en: "There"}
    kind: open
    robots: [{id: there, titles: {ru: "Туда", en: "There"}, do: {move: pong}}]
  - id: pong
    titles: {ru: "Обратно", en: "Back"}
    kind: open
    robots: [{id: back, titles: {ru: "Обратно", en: "Back"}, do: {move: ping}}]
  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won}
  - id: poor
    titles: {ru: "Брак", en: "Poor"}
    kind: lost
    robots: [{id: sorry, titles: {ru: "Жаль", en: "Sorry"}, do: {email: thanks}}]
"""
LINKS = "\n".join(
    f"      - {{id: link{n}, titles: {{ru: а, en: b}}, do: {{tag: t{n}}}"
    + (f", start: {{after: link{n - 1}}}}}" if n else "}")
    for n in range(CHAIN)
)


@pytest.fixture
async def leads(settings: Settings, pool: Pool) -> AsyncIterator[Leads]:
    """The aggregate service with this pipeline as the default one."""
    await publish(pool, SystemClock(), PIPELINE.replace("LINKS", LINKS), HEAD)
    async with running(settings.model_copy(update={"default_pipeline": "robots"}), pool) as service:
        yield service


async def made(leads: Leads, name: str = "Анна") -> UUID:
    return await leads.lead_of(name=name, email=f"{uuid4()}@example.org")


async def of(leads: Leads, lead: UUID, *kinds: type[e.Event]) -> list[Any]:
    return [r.data for r in await leads.history(lead) if isinstance(r.data, kinds)]


async def ran(leads: Leads, lead: UUID) -> list[str]:
    return [one.robot for one in await of(leads, lead, e.RobotRan)]


async def waits(leads: Leads, lead: UUID) -> list[str]:
    """Robots that are armed and not closed."""
    closed = {one.timer for one in await of(leads, lead, e.RobotRan, e.RobotSkipped, e.RobotCancelled, e.RobotFailed)}
    return [one.robot for one in await of(leads, lead, e.RobotArmed) if one.timer not in closed]


async def test_R1_what_starts_at_once_is_requested_in_the_transaction_of_the_move(leads: Leads) -> None:
    lead, command = await made(leads), uuid4()
    answer = await leads.send(lead, "move", to="offered", id=command)
    assert answer.outcome == "done"
    assert await ran(leads, lead) == ["greet", "warm", "call", "letter", "after_warm"]
    assert await waits(leads, lead) == ["later"]
    history = await leads.history(lead)
    moved = next(r for r in history if isinstance(r.data, e.StageEntered) and r.data.stage == "offered")
    assert answer.last_version is not None
    of_move = [r for r in history if r.meta.version >= moved.meta.version]
    assert {r.meta.recorded_at for r in of_move} == {moved.meta.recorded_at}
    armed = {r.data.robot: r for r in of_move if isinstance(r.data, e.RobotArmed)}
    requested = next(r for r in of_move if isinstance(r.data, e.EffectRequested))
    assert (requested.meta.actor.id, requested.meta.actor.kind) == ("letter", "robot")
    assert requested.meta.command == attempt_id(armed["letter"].data.timer, 1)
    assert requested.meta.causation == f"{lead}-{armed['letter'].meta.version}"
    assert requested.meta.correlation == str(command)
    assert {r.data.late_ms for r in of_move if isinstance(r.data, e.RobotRan)} == {0}


async def test_R1_a_new_lead_is_greeted_in_the_transaction_that_captures_it(leads: Leads) -> None:
    lead = await made(leads)
    history = await leads.history(lead)
    assert [r.data.robot for r in history if isinstance(r.data, e.RobotRan)] == ["greet"]
    assert len({r.meta.recorded_at for r in history}) == 1
    assert await waits(leads, lead) == [], "what follows the letter waits until it went out"


async def test_R1_a_lead_that_is_rejected_gets_its_letter_at_once(leads: Leads) -> None:
    lead = await made(leads)
    assert (await leads.send(lead, "reject", status="poor")).outcome == "done"
    assert await ran(leads, lead) == ["greet", "sorry"]


async def test_N1_the_command_of_a_robot_that_ran_at_once_gets_its_answer(leads: Leads) -> None:
    lead = await made(leads)
    await leads.send(lead, "move", to="offered")
    before = len(await leads.history(lead))
    armed = {r.data.robot: r for r in await leads.history(lead) if isinstance(r.data, e.RobotArmed)}
    commands = [
        fire_command(lead, due_of(armed[robot]), armed[robot].meta.correlation, 0, also)
        for robot, also in (("letter", [due_of(armed["warm"])]), ("warm", []))
    ]
    done = await leads.batcher.submit([leads.reader.command(command) for command in commands])
    assert [(one.repeat, one.result and one.result.outcome) for one in done] == [(True, "done"), (True, "done")]
    assert len(await leads.history(lead)) == before


def due_of(armed: Any) -> DueTimer:
    return DueTimer(timer=armed.data.timer, robot=armed.data.robot, attempt=1, armed_version=armed.meta.version)


async def test_N7_a_long_chain_goes_on_by_the_robots_service(leads: Leads) -> None:
    lead = await made(leads)
    await leads.send(lead, "move", to="offered")
    assert (await leads.send(lead, "move", to="chain")).outcome == "done"
    links = [f"link{n}" for n in range(CHAIN)]
    before = ["greet", "warm", "call", "letter", "after_warm"]
    assert await ran(leads, lead) == [*before, *links[: at_once.MOST_OF_A_LEAD]]
    [waiting] = await waits(leads, lead)
    assert waiting == links[at_once.MOST_OF_A_LEAD]
    armed = next(r for r in await leads.history(lead) if isinstance(r.data, e.RobotArmed) and r.data.robot == waiting)
    [done] = await leads.batcher.submit([leads.reader.command(fire_command(lead, due_of(armed), "c", 0))])
    assert done.result is not None
    assert done.result.outcome == "done"
    assert await ran(leads, lead) == [*before, *links]
    assert await waits(leads, lead) == []


async def test_N3_robots_that_move_a_lead_to_and_fro_at_once_are_stopped(leads: Leads) -> None:
    lead = await made(leads)
    for stage in ("offered", "chain", "ping"):
        assert (await leads.send(lead, "move", to=stage)).outcome == "done"
    history = await leads.history(lead)
    assert [r.data.stage for r in history if isinstance(r.data, e.StageEntered)][3:] == ["ping", "pong"] * 5 + ["ping"]
    stopped = [r.data for r in history if isinstance(r.data, e.RobotSkipped)][-1]
    assert (stopped.robot, stopped.reason) == ("there", "loop")
    assert await waits(leads, lead) == []


async def test_N7_a_robot_that_raises_is_left_and_takes_nothing_with_it(
    leads: Leads, monkeypatch: pytest.MonkeyPatch
) -> None:
    fire = robots.fire

    def broken(state: Any, body: Fire, *rest: Any) -> Any:
        if body.robot == "call":
            raise RuntimeError("broken")
        return fire(state, body, *rest)

    lead = await made(leads)
    with monkeypatch.context() as patch:
        patch.setattr(robots, "fire", broken)
        assert (await leads.send(lead, "move", to="offered")).outcome == "done"
    assert await ran(leads, lead) == ["greet", "warm", "letter", "after_warm"]
    assert await waits(leads, lead) == ["call", "later"]
    armed = next(r for r in await leads.history(lead) if isinstance(r.data, e.RobotArmed) and r.data.robot == "call")
    await leads.batcher.submit([leads.reader.command(fire_command(lead, due_of(armed), "c", 0))])
    assert await waits(leads, lead) == ["later"]


async def test_N7_robots_that_all_raise_stop_no_move(leads: Leads, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("broken")

    lead = await made(leads)
    with monkeypatch.context() as patch:
        patch.setattr(robots, "fire", broken)
        assert (await leads.send(lead, "move", to="offered")).outcome == "done"
    assert await ran(leads, lead) == ["greet"]
    assert await waits(leads, lead) == ["warm", "call", "letter", "later"]


async def test_N7_a_batch_carries_out_so_many_at_once_and_leaves_the_others(
    leads: Leads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_once, "MOST", 7)
    ids = [await made(leads, f"Имя {n}") for n in range(4)]
    work = [leads.reader.command(Command(id=uuid4(), lead=lead, actor=ANNA, body=Move(to="offered"))) for lead in ids]
    assert all(done.result and done.result.outcome == "done" for done in await leads.batcher.submit(work))
    of_all = [robot for lead in ids for robot in await ran(leads, lead) if robot != "greet"]
    assert len(of_all) == 7
    left = [robot for lead in ids for robot in await waits(leads, lead) if robot != "later"]
    assert len(left) == 4 * 3 - 7 + sum(robot == "after_warm" for robot in (*of_all, *left))


async def test_N1_what_a_command_brings_along_is_decided_like_commands_of_their_own(
    settings: Settings, pool: Pool
) -> None:
    await publish(pool, SystemClock(), PIPELINE.replace("LINKS", LINKS), HEAD)
    async with running(settings.model_copy(update={"default_pipeline": "robots"}), pool, at_once=False) as leads:
        lead = await made(leads)
        await leads.send(lead, "move", to="offered")
        armed = {r.data.robot: r for r in await leads.history(lead) if isinstance(r.data, e.RobotArmed)}
        first, *also = (due_of(armed[robot]) for robot in ("warm", "letter", "later", "call"))
        command = fire_command(lead, first, "c", 0, also)
        for _ in range(2):  # a second time nothing happens
            [done] = await leads.batcher.submit([leads.reader.command(command)])
            assert done.result is not None
            assert done.result.outcome == "done"
            assert await ran(leads, lead) == ["warm", "letter", "call"]
        assert await waits(leads, lead) == ["later", "after_warm"]
        rows = await pool.fetch(
            "SELECT id, outcome FROM leadline.commands WHERE id = ANY($1::uuid[])",
            [attempt_id(due.timer, 1) for due in (first, *also)],
        )
        assert sorted(row[1] for row in rows) == ["done", "done", "done", "refused"], "one is not due yet, and says so"
        # brought along by another, it gets its answer too
        other = fire_command(lead, also[0], "c", 0, [first])
        [done] = await leads.batcher.submit([leads.reader.command(other)])
        assert done.repeat
        assert await ran(leads, lead) == ["warm", "letter", "call"]


async def test_R1_nobody_but_our_services_brings_timers_along(settings: Settings, pool: Pool) -> None:
    await publish(pool, SystemClock(), PIPELINE.replace("LINKS", LINKS), HEAD)
    async with running(settings.model_copy(update={"default_pipeline": "robots"}), pool, at_once=False) as leads:
        lead = await made(leads)
        [greet] = [due_of(r) for r in await leads.history(lead) if isinstance(r.data, e.RobotArmed)]
        command = fire_command(lead, greet, "c", 0, [greet]).model_copy(update={"id": uuid4(), "actor": HEAD})
        [done] = await leads.batcher.submit([leads.reader.command(command)])
        assert done.result is not None
        assert done.result.refusal is not None
        assert done.result.refusal.rules == ("R1.machines_only",)
        assert await waits(leads, lead) == ["greet"]

"""K1, K4, K5, M2: whatever is killed, nothing accepted is lost, doubled or put out of order (G-01 to G-05, docs/chaos.md).

Each cycle: load, a fault at a random moment of it, recovery, more load, drain, the oracle, `leadline verify`. The first cycle
that fails ends the run.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from tests.beside_others import WORKER
from tests.chaos import report
from tests.chaos.faults import FAULTS, choose
from tests.chaos.ledger import Ledger
from tests.chaos.load import CLOCK_STEP, Load
from tests.chaos.oracle import Verdict, examine, missing
from tests.chaos.robots import pipeline
from tests.chaos.scene import Fault, Scene
from tests.chaos.sink import Sink
from tests.chaos.system import START, ChaosError, System, until

ROUNDS, SEED = 5, 3
RECOVERY_LIMIT = 90.0  # seconds from the fault to a new form on the board
DRAIN_LIMIT = 180.0
WARM_LIMIT = 10.0
OTHERS = 0.15  # share of the machine other programs may have for a start's time to be judged
TOLD = 12  # complaints shown
LOOKS = 3  # at a system in which something moves by itself

LEFT = """SELECT
    (SELECT count(*) FROM leadline.outbox) AS outbox,
    $1 - (SELECT count(*) FROM leadline.inbound_outcomes) AS inputs,
    (SELECT count(*) FROM unnest($2::uuid[]) AS sent (id) LEFT JOIN leadline.commands AS c USING (id) WHERE c.id IS NULL)
        AS commands,
    (SELECT count(*) FROM (SELECT originator_id, max(originator_version) AS version FROM leadline.events
                           WHERE kind IN ('lead', 'contact') GROUP BY originator_id) AS e
     LEFT JOIN leadline.seen AS s ON s.stream = e.originator_id AND s.consumer = 'projections' AND s.build = 1
     WHERE s.version IS DISTINCT FROM e.version) AS unseen,
    (SELECT count(*) FROM leadline.timers, leadline.clock WHERE state = 'sent' OR due_at <= practice_now) AS timers,
    (SELECT count(*) FROM leadline.effects WHERE state IN ('waiting', 'working', 'answered')) AS effects,
    (SELECT count(*) FROM leadline.effects, leadline.clock WHERE state = 'waiting' AND next_at > practice_now) AS later"""


@dataclass
class Run:
    """A run: one system, one ledger, cycle after cycle."""

    system: System
    load: Load
    ledger: Ledger
    chance: random.Random
    before: Verdict
    short: bool = True
    late: list[str] = field(default_factory=list)
    """Starts that took too long. They fail the run at its end: what it counts is worth more than an early stop."""

    async def drained(self) -> None:
        """Wait until all that was accepted is decided, published and in every projection."""
        wanted = len(self.ledger.accepted()), [sent.id for sent in self.ledger.commands if sent.accepted]
        left = ""

        async def look() -> bool:
            nonlocal left
            database = await self.system.connect()
            try:
                row = await database.fetchrow(LEFT, *wanted)
            finally:
                database.terminate()
            left = str(dict(row))
            if row["later"]:  # time that stands still would keep it waiting
                await self.load.move_clock(CLOCK_STEP)
            return not any(row.values())

        try:
            await until("the system drains", look, DRAIN_LIMIT, 0.25)
        except ChaosError as error:
            raise ChaosError(f"{error}; left: {left}; missing: {await missing(self.system, self.ledger)}") from None

    async def cycle(self, fault: Fault, row: report.Row) -> None:
        """One cycle; fills its row. Raises ChaosError with all complaints."""
        scene = Scene(self.system, self.load, self.chance, self.drained)
        self.load.begin(row.number)
        await asyncio.sleep(self.chance.uniform(1.0, 3.5))
        if fault.quiet:
            await self.load.end()
            await self.drained()
        self.load.check()
        await fault.strike(scene)
        if fault.quiet:
            self.load.begin(row.number)
        await self.load.probe(RECOVERY_LIMIT)
        row.recovery, row.warm = time.monotonic() - scene.struck, scene.warm
        for each in scene.later:
            await each()
        await asyncio.sleep(self.chance.uniform(1.0, 2.5))
        await self.load.end()
        await self.drained()
        await self._judge(fault, scene, row)

    async def _judge(self, fault: Fault, scene: Scene, row: report.Row) -> None:
        for _ in range(LOOKS):
            verdict = await examine(self.system, self.ledger)
            if not verdict.moved:
                break
            await self.drained()
        row.inputs, row.commands = verdict.inputs - self.before.inputs, verdict.commands - self.before.commands
        row.events = verdict.events - self.before.events
        row.repeats = max(0, verdict.repeats - self.before.repeats)
        row.result = f"ok ({scene.note})" if scene.note else "ok"
        self.before = verdict
        status, out, err = await self.system.command("verify", "--json")
        if status:
            verdict.wrong.append(f"leadline verify: status {status}: {out[-3000:]} {err[-1000:]}")
        elif not json.loads(out)["ok"]:
            verdict.wrong.append("leadline verify: status 0, but not ok")
        slow = fault.group == "whole" and scene.warm is not None and scene.warm >= WARM_LIMIT
        if slow and (self.short or self.system.others > OTHERS):
            # A short run says it and goes on: on whatever machine it runs, it asks what is lost, not how fast it is.
            row.result += f" (slow start, not judged: others had {self.system.others:.0%} of the machine)"
        elif slow:
            self.late.append(f"cycle {row.number}: {scene.warm:.1f} s")
            row.result = "SLOW START"
        if verdict.wrong:
            more = len(verdict.wrong) - TOLD
            raise ChaosError("\n".join([*verdict.wrong[:TOLD], *([f"and {more} more"] if more > 0 else [])]))


@pytest.fixture
def sink() -> Iterator[Sink]:
    """Where letters go."""
    made = Sink()
    made.open()
    yield made
    made.close()


@pytest_asyncio.fixture
async def system(sink: Sink) -> AsyncIterator[System]:
    """A fresh system, up, its pipeline with robots; ended and removed afterwards, whatever happened."""
    # what a killed server lost of a robot's command is sent again soon
    environment = {"LEADLINE_MAIL_OUT": sink.mail_out, "LEADLINE_ROBOTS_OUTCOME_WITHIN": "5"}
    made = System(arguments=("--clock", START), environment=environment)
    try:
        await made.up()
        file = made.base / "classic.yaml"
        file.write_text(pipeline(), encoding="utf-8")
        status, out, err = await made.command("publish", str(file), "--yes")
        assert status == 0, f"{out} {err}"
        yield made
    finally:
        made.close()


@pytest.mark.chaos
async def test_K1_K4_K5_M2_nothing_is_lost_or_doubled(
    system: System, sink: Sink, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    option: Callable[..., str | int | None] = request.config.getoption
    rounds, seed = int(option("--rounds", None) or ROUNDS), int(option("--seed", None) or SEED)
    chance, began = random.Random(seed), time.monotonic()  # noqa: S311 - repeatable on purpose
    faults = choose(rounds, chance)
    if wanted := option("--fault", None):
        faults = [each for each in FAULTS if str(wanted) in each.name] * rounds
    ledger = Ledger(sink)
    clients = random.Random(seed + 1)  # noqa: S311 - of their own, so that faults do not depend on the clients' pace
    load = Load(system, ledger, clients, await system.token("site", "adapter"), await system.token("head", "head"))
    run, rows = Run(system, load, ledger, chance, Verdict(), rounds <= ROUNDS), list[report.Row]()
    # one process of several cannot show it at once: it is told at the end (tests/conftest.py)
    with nullcontext() if WORKER else capsys.disabled():
        print(f"\nchaos: {len(faults)} cycles, seed {seed} (--seed {seed} repeats the choice)\n{report.heading()}")
        try:
            for number, fault in enumerate(faults, 1):
                rows.append(row := report.Row(number, fault.name))
                try:
                    await run.cycle(fault, row)
                except BaseException as error:
                    row.result = f"FAILED {type(error).__name__}"
                    print(system.tail(), flush=True)
                    raise
                finally:
                    print(report.line(row.cells()), flush=True)
        finally:
            await load.close()
            summary = report.totals(rows, ledger.tries, seed, time.monotonic() - began)
            summary += "\n" + report.robots(run.before.robots, ledger.crashes)
            print(f"\n{summary}", flush=True)
    if place := option("--save", None):
        table = "\n".join([report.heading(), *(report.line(row.cells()) for row in rows)])
        await asyncio.to_thread(report.save, Path(str(place)), f"{table}\n\n{summary}")
    assert not run.late, f"starts took longer than the {WARM_LIMIT:.0f} s that are allowed: {', '.join(run.late)}"

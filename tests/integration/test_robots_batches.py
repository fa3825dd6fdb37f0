"""Batches of timers' events on a real Postgres: what is over within one batch leaves no row, and every count adds up (N2)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from services.clock import SystemClock
from services.database import Pool
from services.eventlog.consuming import Batch
from services.robots.handlers import Intake
from tests.builders import Made
from tests.integration.robots_case import Lead, counts, rows

NO_ROWS = """
CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a row was made'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON leadline.timers EXECUTE FUNCTION pg_temp.refuse()"""


class Taking:
    """The service's intake, told of batches by hand; `woken`: how often it said that timers wait."""

    def __init__(self, pool: Pool) -> None:
        self.woken = self._offset = 0
        self._intake = Intake(pool, SystemClock(), self._wake, lambda: None)

    def _wake(self) -> None:
        self.woken += 1

    async def take(self, made: Sequence[Made]) -> None:
        records = [each.record(self._offset + n) for n, each in enumerate(made)]
        self._offset += len(records)
        await self._intake.handle(Batch(records, []))


@pytest.fixture
def taking(pool: Pool) -> Taking:
    return Taking(pool)


def new(lead: Lead) -> list[Made]:
    """What came to the lead since this was asked last."""
    made, lead.made = lead.made, []
    return made


async def test_N2_what_is_armed_and_closed_by_one_batch_is_counted_and_never_a_row(pool: Pool, taking: Taking) -> None:
    lead = Lead()
    for outcome in ("ran", "skipped", "cancelled", "failed"):
        lead.close(lead.arm(), outcome)
    async with pool.acquire() as database:
        await database.execute(NO_ROWS)
        await taking.take(new(lead))
    assert await counts(pool) == {"armed": 4, "ran": 1, "skipped": 1, "cancelled": 1, "failed": 1, "rows": 0}
    assert taking.woken == 0, "nothing waits to be fired"


async def test_N2_what_is_left_open_by_a_batch_waits(pool: Pool, taking: Taking) -> None:
    lead = Lead()
    over, open_ = lead.arm("letter"), lead.arm("call")
    lead.close(over, robot="letter")
    await taking.take(new(lead))
    assert set(await rows(pool)) == {open_}
    assert (await counts(pool), taking.woken) == (
        {"armed": 2, "ran": 1, "skipped": 0, "cancelled": 0, "failed": 0, "rows": 1},
        1,
    )
    lead.close(open_, "cancelled", robot="call")
    await taking.take(new(lead))
    assert await counts(pool) == {"armed": 2, "ran": 1, "skipped": 0, "cancelled": 1, "failed": 0, "rows": 0}


async def test_N2_a_timer_that_has_a_row_is_not_armed_twice(pool: Pool, taking: Taking) -> None:
    lead = Lead()
    timer = lead.arm()
    await taking.take(new(lead))
    lead.arm(timer=timer)
    await taking.take(new(lead))
    assert await counts(pool) == {"armed": 1, "ran": 0, "skipped": 0, "cancelled": 0, "failed": 0, "rows": 1}
    lead.arm(timer=timer)
    lead.close(timer)
    lead.close(timer, "failed")
    await taking.take(new(lead))
    assert await counts(pool) == {"armed": 1, "ran": 1, "skipped": 0, "cancelled": 0, "failed": 0, "rows": 0}


async def test_N2_an_end_without_a_timer_is_passed_over(pool: Pool, taking: Taking) -> None:
    lead, other = Lead(), Lead()
    lead.close(other.arm())
    await taking.take(new(lead))
    assert await counts(pool) == {"armed": 0, "ran": 0, "skipped": 0, "cancelled": 0, "failed": 0, "rows": 0}

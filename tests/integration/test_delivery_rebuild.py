"""`leadline rebuild effects`: the ledger against the events of the store, the delivery service at work (M8, M2, N1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaProducer

from contracts.events import EffectFailed
from services.clock import SystemClock
from services.database import Pool
from services.delivery.adapters import Way
from services.delivery.rebuilding.run import EffectsDifferError, Found, rebuild
from services.ops.rebuild import DONE, REFUSED
from services.ops.verify.run import verify
from services.settings import Settings
from tests.integration.delivery_case import OUTSIDE, House, Outside, delivering, until

pytestmark = pytest.mark.kafka


@pytest.fixture
async def house(settings: Settings, pool: Pool) -> AsyncIterator[House]:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, enable_idempotence=True)
    await producer.start()
    await pool.execute(OUTSIDE)
    yield House(settings, pool, producer)
    await producer.stop()


def way(settings: Settings, provider: str = "email", **script: str) -> Way:
    """A way on which each of these addressees is answered so, the others with «done»."""
    url = settings.database_url.get_secret_value()

    def said(order: Any, _: int) -> str:
        return script.get(getattr(order, "to", "").partition("@")[0], "done")

    return Way(provider, Outside(url, provider, script=said))


async def again(house: House, *, accept: bool = False) -> Found:
    """A rebuild, in small ranges."""
    return await rebuild(house.pool, SystemClock(), (), accept=accept, range_events=7)


async def ledger(house: House) -> list[dict[str, Any]]:
    """The whole of it."""
    return [dict(row) for row in await house.pool.fetch("SELECT * FROM leadline.effects ORDER BY effect")]


async def differences(settings: Settings) -> set[tuple[str, str]]:
    """What `verify` says of effects."""
    report = await verify(settings, range_events=7)
    return {(each.kind, each.about) for each in report.differences if each.place == "effects"}


async def asked(house: House) -> dict[str, UUID]:
    """Effects in every state, and the service that brought them there ended: two done, a dead letter and one that was repeated,
    one in doubt that is tried again, one whose outcome is on its way, three that wait for a way."""
    async with delivering(
        house.settings, way(house.settings, dead="refused", doubt="doubt", late="later"), report_again=3600.0
    ):
        made = {
            "done": await house.ask(),
            "done too": await house.ask(),
            "dead": await house.ask(email="dead@example.org"),
            "repeated": await house.ask(email="dead@example.org"),
            "doubt": await house.ask(email="doubt@example.org"),
            **{f"waits {n}": await house.ask("sms") for n in range(3)},
        }
        await house.settled(*(made[name] for name in ("done", "done too", "dead", "repeated")))
        await house.repeat(made["repeated"], email="anna@example.org")
        await house.settled(made["repeated"], states=["done"])
        made["answered"] = await house.ask()

        async def all_known() -> bool:
            doubt = await house.row(made["doubt"])
            waits = [await house.state(made[f"waits {n}"]) for n in range(3)]
            answered = await house.state(made["answered"])
            return bool(doubt["in_doubt"]) and waits == ["waiting"] * 3 and answered == "answered"

        await until(all_known, "each is in its state")
    return made


async def test_M8_a_rebuild_finds_the_same_ledger_and_changes_nothing(settings: Settings, house: House) -> None:
    made = await asked(house)
    before, reports = await ledger(house), len(await house.pool.fetch("SELECT FROM leadline.outbox"))
    found = await again(house, accept=True)
    assert found.equal
    assert (found.rows, found.effects) == (len(made), len(made))
    # what the service has not read yet is no difference
    await house.ask("sms")
    await house.add(made["waits 0"], EffectFailed(effect=made["waits 0"], effect_kind="sms", attempts=0, reason="x"))
    assert (await again(house)).equal
    assert await ledger(house) == before
    assert len(await house.pool.fetch("SELECT FROM leadline.outbox")) == reports


async def damage(house: House, made: dict[str, UUID]) -> None:
    """Rows lost, closed, opened, given to another stream and another round; one that nobody asked for."""
    done, dead = "outcome = 'done', provider_id = 'id-1', closed_at = now()", "outcome = NULL, closed_at = NULL"
    for name, sql in {
        "done": f"UPDATE leadline.effects SET state = 'waiting', {dead} WHERE effect = $1",
        "done too": "DELETE FROM leadline.effects WHERE effect = $1",
        "dead": f"UPDATE leadline.effects SET state = 'waiting', in_doubt = true, {dead} WHERE effect = $1",
        "repeated": f"UPDATE leadline.effects SET state = 'waiting', round = 0, {dead} WHERE effect = $1",
        "doubt": "UPDATE leadline.effects SET provider = 'sms', correlation = 'x' WHERE effect = $1",
        "waits 0": "DELETE FROM leadline.effects WHERE effect = $1",
        "waits 1": f"UPDATE leadline.effects SET state = 'done', {done} WHERE effect = $1",
        "waits 2": "UPDATE leadline.effects SET stream = gen_random_uuid() WHERE effect = $1",
        "answered": "UPDATE leadline.effects SET reported_at = NULL WHERE effect = $1",
    }.items():
        await house.pool.execute(sql, made[name])
    await house.pool.execute(
        """INSERT INTO leadline.effects (effect, stream, kind, version, effect_kind, provider, correlation, requested_at,
                                         opened_at, next_at, report, state)
           VALUES ($1, gen_random_uuid(), 'lead', 1, 'email', 'email', 'c', now(), now(), now(), gen_random_uuid(), 'waiting')""",
        made["stranger"],
    )


async def test_N1_a_rebuild_puts_right_what_differs_only_when_told_so_and_nothing_goes_out_twice(
    settings: Settings, house: House
) -> None:
    made = await asked(house) | {"stranger": uuid4()}
    sent, right = await house.carried_out(*made.values()), {row["effect"]: row for row in await ledger(house)}
    await house.take_reports()  # of what is answered: lost on the way
    await damage(house, made)
    damaged = await ledger(house)
    with pytest.raises(EffectsDifferError) as refused:
        await again(house)
    assert {*made.values()} == set(refused.value.found.differing)
    assert refused.value.found.lost == 2
    assert str(made["waits 0"]) in " ".join(refused.value.found.named)
    assert await ledger(house) == damaged
    assert not (await again(house, accept=True)).equal
    assert (await again(house)).equal
    assert await differences(settings) == set()
    rows = {row["effect"]: row for row in await ledger(house)}
    for name in ("done", "done too", "repeated"):
        was, row = right[made[name]], rows[made[name]]
        kept = ("state", "round", "repeated_version", "attempts", "provider_id", "closed_at", "report")
        assert [row[each] for each in kept] == [was[each] for each in kept], name
    assert (rows[made["dead"]]["state"], rows[made["dead"]]["in_doubt"]) == ("failed", True)
    assert rows[made["doubt"]] == right[made["doubt"]], "tries, doubt, the next try and the patience stay"
    assert (rows[made["stranger"]]["state"], rows[made["stranger"]]["last_reason"]) == ("closed", "not_requested")
    # what becomes of it with every way open: what waited goes out once, what was lost is asked of a person
    async with delivering(settings, way(settings), way(settings, "sms")):
        await house.settled(*(effect for name, effect in made.items() if name != "stranger"))
        assert [(await house.row(made[name]))["last_reason"] for name in ("waits 0", "waits 2")] == ["ledger_lost"] * 2
        told = {command.body.effect: command.body.doubtful for command in house.reports}  # type: ignore[union-attr]
        assert told[made["waits 0"]] is told[made["waits 2"]] is True
        assert (await house.row(made["waits 1"]))["provider_id"] == "id-1", "its answer was kept, and reported"
        after = await house.carried_out(*made.values())
        assert after == sent | {made["doubt"]: after[made["doubt"]]}
        assert after[made["doubt"]] == sent[made["doubt"]] + 1, "it was tried again, as it would have been"
        await house.repeat(made["waits 0"])
        await house.settled(made["waits 0"], states=["done"])
    assert await house.carried_out(made["waits 0"]) == {made["waits 0"]: 1}


async def test_N1_a_ledger_is_made_from_nothing_while_the_service_goes_on(settings: Settings, house: House) -> None:
    held, url = asyncio.Event(), settings.database_url.get_secret_value()

    class Slow(Outside):
        """The other side takes the letter at once, and answers when it is let."""

        async def carry_out(self, effects: Any) -> Any:
            outcomes = await super().carry_out(effects)
            if any(order.to == "slow@example.org" for order in effects):
                await held.wait()
            return outcomes

    async with delivering(settings, Way("email", Slow(url, "email")), way(settings, "sms")):
        done = [await house.ask("sms") for _ in range(10)]
        await house.settled(*done)
        slow = await house.ask(email="slow@example.org")
        await until(lambda: _went_out(house, slow), "the slow one is on its way")
        before = await ledger(house)
        await house.pool.execute("TRUNCATE leadline.effects")
        found = await again(house, accept=True)
        assert (found.rows, found.lost) == (0, 1)
        held.set()
        more = await house.ask()
        await house.settled(slow, more, *done)
        assert (await again(house)).equal
    row = await house.row(slow)
    assert (row["state"], row["last_reason"], row["in_doubt"]) == ("failed", "ledger_lost", True)
    assert set((await house.carried_out(slow, more, *done)).values()) == {1}
    kept = (
        "effect",
        "stream",
        "version",
        "provider",
        "state",
        "outcome",
        "attempts",
        "provider_id",
        "closed_at",
        "report",
    )
    rows = {row["effect"]: row for row in await ledger(house)}
    for was in before:
        if was["effect"] != slow:
            assert [rows[was["effect"]][name] for name in kept] == [was[name] for name in kept]
    assert await differences(settings) == set()


async def _went_out(house: House, effect: UUID) -> bool:
    return (await house.carried_out(effect))[effect] > 0


async def test_N1_a_ledger_whose_consumer_has_begun_anew_is_left_alone(settings: Settings, house: House) -> None:
    made = await asked(house)
    before = await ledger(house)
    await house.pool.execute("DELETE FROM leadline.seen WHERE consumer = 'delivery'")
    assert (await again(house, accept=True)).equal
    await house.pool.execute(
        """INSERT INTO leadline.seen (consumer, build, stream, version, digest)
           SELECT 'delivery', 1, originator_id, 1, digest FROM leadline.events WHERE originator_version = 1"""
    )
    found = await rebuild(house.pool, SystemClock(), (), accept=True)
    assert found.lost == 0
    assert (await house.row(made["repeated"]))["round"] == 1
    assert {row["effect"] for row in before} == {row["effect"] for row in await ledger(house)}


async def test_M8_the_command_names_what_differs_and_its_exit_status_says_so(
    settings: Settings, house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from services.ops import rebuild as command
    from services.ops.place import OpsError, Place

    made = await asked(house) | {"stranger": uuid4()}
    monkeypatch.setattr(Place, "settings", lambda self: settings)
    place, options = Place.__new__(Place), {"rollback": False, "drop_kept": False, "as_json": False}
    assert await command.rebuild(place, "effects", accept=False, **options) == DONE
    assert "every row is the same" in capsys.readouterr().out
    with pytest.raises(OpsError, match="effects have one build"):
        await command.rebuild(place, "effects", accept=False, **options | {"rollback": True})
    await damage(house, made)
    assert await command.rebuild(place, "effects", accept=False, **options) == REFUSED
    said = capsys.readouterr().out
    for words in (
        f"email {made['done']}: waiting in the ledger; the events say done",
        f"sms {made['waits 0']}: the ledger does not have it; the events say open",
        f"email {made['doubt']}: differs in provider, correlation",
        f"email {made['answered']}: its report was never sent",
        f"email {made['stranger']}: the ledger has it, and no event of the stream requested it",
        "none will be sent",
        "leadline rebuild effects --accept",
    ):
        assert words in " ".join(said.split()), words
    assert await command.rebuild(place, "effects", accept=True, **options | {"as_json": True}) == DONE
    assert '"put_right": true' in capsys.readouterr().out
    assert await command.rebuild(place, "effects", accept=False, **options) == DONE

"""The `leadline` command against real servers: tokens, history, why, parked, prepare, serve (spec I, K6, M5)."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from contracts.meta import Actor
from services.clock import SystemClock
from services.database import Pool
from services.ops.main import main
from services.pipelines import bundled
from services.pipelines.registry import publish
from services.settings import Settings
from tests.eventlog_builders import until
from tests.integration.leads_case import Leads, running

pytestmark = pytest.mark.kafka

LIMIT = 60.0


@pytest.fixture
async def leads(settings: Settings, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Leads]:
    """The aggregate service, and an environment in which commands find this system."""
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    async with running(settings, pool) as made:
        yield made


def environment(settings: Settings) -> dict[str, str]:
    """What an operator of a cluster sets."""
    return {
        "KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "KAFKA_TOPIC_PREFIX": settings.kafka_topic_prefix,
        "KAFKA_PARTITIONS": str(settings.kafka_partitions),
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "LEADLINE_MASTER_KEY": settings.master_key.get_secret_value(),
        "LEADLINE_PEPPER": settings.pepper.get_secret_value(),
        "LEADLINE_INTERNAL_TOKEN": settings.internal_token.get_secret_value(),
    }


async def command(capsys: pytest.CaptureFixture[str], *typed: str) -> tuple[int, str, str]:
    """Status, stdout and stderr of a command."""
    capsys.readouterr()
    status = await asyncio.to_thread(main, list(typed))
    return status, *capsys.readouterr()


async def test_I_a_token_is_printed_once_and_stored_as_a_digest_only(
    leads: Leads, pool: Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = await command(capsys, "token", "--as", "anna", "--role", "seller")
    token = out.strip()
    assert (status, token[:3]) == (0, "ll_")
    row = await pool.fetchrow("SELECT hash, name, role, revoked_at FROM leadline.tokens")
    assert tuple(row) == (hashlib.sha256(token.encode()).digest(), "anna", "seller", None)


async def test_K6_history_tells_all_that_happened_and_as_of_a_past_moment(
    leads: Leads, pool: Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    lead = await leads.lead_of(name="Анна", phone="+79001112233")
    await leads.send(lead, "see")
    status, out, _ = await command(capsys, "history", str(lead))
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == ["1", "2", "3", "4"]
    assert "name=Анна" in out
    assert "anna (person)" in out
    assert "classic@1" in out
    moment = await pool.fetchval("SELECT max(recorded_at) FROM leadline.events WHERE originator_version = 3")
    _, out, _ = await command(capsys, "history", str(lead), "--as-of", moment.isoformat(), "--json")
    told = json.loads(out)
    assert [event["version"] for event in told] == [1, 2, 3]
    before = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    assert (await command(capsys, "history", str(lead), "--as-of", before))[:2] == (0, "")
    await leads.erase((await leads.history(lead))[0].data.contact)
    _, out, _ = await command(capsys, "history", str(lead))
    assert "name=[erased]" in out
    assert "Анна" not in out
    status, _, err = await command(capsys, "history", str(uuid4()))
    assert status == 2
    assert "no lead" in err


async def test_M5_why_tells_who_tried_what_and_what_was_missing(
    leads: Leads, pool: Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    lead = await leads.lead_of(name="Анна", phone="+79001112233")
    await leads.send(lead, "move", to="processing")
    refused = await leads.send(lead, "move", to="nowhere")
    status, out, _ = await command(capsys, "why", str(lead), "--json")
    told = json.loads(out)
    assert (status, told["incomplete"]) == (0, None)
    assert [(r["type"], r["actor"]["id"], r["outcome"]) for r in told["refusals"]] == [("move", "anna", "refused")] * 2
    first, second = told["refusals"]
    assert {missing["id"] for missing in first["refusal"]["missing"]} == {"seen", "accepted"}
    assert second["command"] == str(refused.command)
    assert first["refusal"]["rules"] != second["refusal"]["rules"]
    _, out, _ = await command(capsys, "why", str(lead))
    assert "move: отказано  anna (человек)" in out
    assert "S2.exit_criteria" in out
    calm = await leads.lead_of(name="Мария", phone="+79001112244")
    assert (await command(capsys, "why", str(calm)))[1].splitlines() == [
        "Ответственный",
        "  boris  по очереди; было по очереди: anna 1, boris 0; команда sales@1",
        "Отказов не было.",
    ]


async def test_K4_parked_records_are_listed_and_released(
    leads: Leads, pool: Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    number = await pool.fetchval(
        """INSERT INTO leadline.parked (consumer, build, topic, partition, "offset", headers, timestamp_ms, reason, detail, at)
           VALUES ('projections', 1, 'leads.events', 0, 7, '[]', 0, 'gap', 'version 3 came', now()) RETURNING id"""
    )
    _, out, _ = await command(capsys, "parked")
    assert "leads.events[0]@7" in out
    assert "gap" in out
    status, _, err = await command(capsys, "parked", "--release", str(number), "--release", "999")
    assert status == 2
    assert "999" in err
    assert await pool.fetchval("SELECT released_at FROM leadline.parked") is None
    assert (await command(capsys, "parked", "--release", str(number)))[0] == 0
    assert await pool.fetchval("SELECT released_at FROM leadline.parked") is not None
    _, out, _ = await command(capsys, "parked", "--json")
    assert json.loads(out)["items"][0]["reason"] == "gap"


async def test_I_prepare_makes_everything_and_may_be_repeated(
    leads: Leads, pool: Pool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADLINE_CLOCK", "2026-11-22T09:00:00+03:00")
    tokens = []
    for _ in range(2):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.ops.main", "prepare", "--demo"),
            stdout=asyncio.subprocess.PIPE,
            env=dict(os.environ),
        )
        out, _ = await asyncio.wait_for(process.communicate(), LIMIT)
        assert process.returncode == 0
        tokens.append(hashlib.sha256(out.strip()).digest())
    rows = await pool.fetch("SELECT hash, revoked_at IS NULL FROM leadline.tokens ORDER BY made_at")
    assert [tuple(row) for row in rows] == [(tokens[0], False), (tokens[1], True)]
    assert await pool.fetchval("SELECT practice_now FROM leadline.clock") == datetime(2026, 11, 22, 6, tzinfo=UTC)
    assert await pool.fetchval("SELECT to_regclass('proj_board_1.cards') IS NOT NULL")
    calendars = await pool.fetch("SELECT team, number, origin FROM leadline.calendars")
    assert [tuple(row) for row in calendars] == [("sales", 1, "default")]


async def test_I_prepare_that_waits_to_be_told_does_nothing_if_nobody_tells_it(leads: Leads, pool: Pool) -> None:
    """As `leadline up` starts it, while its servers are not there yet."""
    command = (sys.executable, "-m", "services.ops.main", "prepare", "--told", "--demo")
    for told, tokens in ((b"", 0), (b"go\n", 1)):
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
        )
        out, _ = await asyncio.wait_for(process.communicate(told), LIMIT)
        assert (process.returncode, out[:3]) == (0, b"ll_" if tokens else b"")
        assert await pool.fetchval("SELECT count(*) FROM leadline.tokens") == tokens


async def test_I_serve_runs_one_service_until_it_is_told_to_stop(leads: Leads, pool: Pool) -> None:
    await leads.lead_of(name="Анна", phone="+79001112233")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.ops.main", "serve", "relay"),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "LEADLINE_METRICS_PORT": "0"},
    )
    try:

        async def published() -> bool:
            return bool(await pool.fetchval("SELECT count(*) FROM leadline.relay_positions"))

        await until(published, "the relay has published", LIMIT)
        process.send_signal(signal.SIGTERM)
        _, err = await asyncio.wait_for(process.communicate(), LIMIT)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    lines = [json.loads(line) for line in err.decode().splitlines()]
    assert {line["service"] for line in lines} == {"relay"}
    assert "Анна" not in err.decode()


async def test_P2_the_playbook_printed_is_of_the_version_in_force(
    leads: Leads, pool: Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    file = bundled.pipeline_file("classic")
    assert file is not None
    ours = file.read_text(encoding="utf-8").replace('Увидеть заявку", en', 'Прочитать заявку", en')
    await publish(pool, SystemClock(), ours, Actor(id="helen", kind="person", role="head"))
    status, out, err = await command(capsys, "playbook", "classic")
    assert (status, err) == (0, "")
    assert "1. Прочитать заявку<br>2. Принять её в работу" in out
    status, out, err = await command(capsys, "playbook", "none")
    assert (status, out) == (2, "")
    assert "no pipeline none; there are: classic, countertops" in err

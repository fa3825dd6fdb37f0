"""Teams on real Postgres: versions are facts, the default follows the settings, `leadline team` (C4)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from contracts.events import TeamPublished
from contracts.meta import Actor
from services.database import Pool
from services.eventlog.mapper import decode, peek
from services.eventlog.recording import store as recording
from services.ops.main import main
from services.settings import Colleague, Settings
from services.teams import store
from services.teams.publishing import publish, renew, stream_of
from services.teams.registry import NoSuchTeamError, current, version
from services.teams.team_file import TeamFileError
from tests.integration.import_case import environment

FILE = 'team: sales\ntitles: {ru: "Продажи", en: "Sales"}\nhead: olga\nmembers: [{name: anna}, {name: vera}]\n'
HEAD = Actor(id="olga", kind="person", role="head")


@dataclass
class At:
    """A clock that stands."""

    async def now(self) -> datetime:
        return datetime(2026, 11, 26, 9, tzinfo=UTC)


async def versions(pool: Pool, team: str = "sales") -> list[tuple[int, str, str]]:
    """All versions: number, origin, by whom."""
    rows = await pool.fetch(
        "SELECT number, origin, published_by FROM leadline.teams WHERE team = $1 ORDER BY number", team
    )
    return [tuple(row) for row in rows]


async def test_C4_the_default_team_follows_the_settings_until_a_file_is_published(
    settings: Settings, pool: Pool
) -> None:
    await renew(pool, At(), settings)
    assert await versions(pool) == [(1, "default", "leadline")], "the template has it; the same settings change nothing"
    more = settings.model_copy(update={"responsibles": ["anna"], "staff": [Colleague(name="olga", role="head")]})
    await renew(pool, At(), more)
    async with pool.acquire() as database:
        team, number = await current(database)
    assert (number, team.head, list(team.by_name)) == (2, "olga", ["anna", "olga"])
    made = await publish(pool, At(), FILE, HEAD)
    assert (made.number, made.new) == (3, True)
    await renew(pool, At(), settings)
    assert (await versions(pool))[-1] == (3, "file", "olga"), "a file is not overruled by the settings"
    again = await publish(pool, At(), FILE, HEAD)
    assert (again.number, again.new) == (3, False)
    async with pool.acquire() as database:
        assert list((await current(database))[0].by_name) == ["anna", "vera"]
        assert list((await version(database, "sales", 1)).by_name) == ["anna", "boris"], "versions are kept"
        assert (await current(database))[0] is (await current(database))[0], "read once"
        with pytest.raises(NoSuchTeamError, match="no team north; there are: sales"):
            await current(database, "north")
        with pytest.raises(NoSuchTeamError, match="no version 9 of the team sales"):
            await version(database, "sales", 9)


async def test_C4_each_version_is_an_event_of_the_teams_stream(settings: Settings, pool: Pool) -> None:
    await asyncio.gather(*(publish(pool, At(), f"{FILE}# {n}\n", HEAD) for n in range(5)))
    async with pool.acquire() as database:
        stored = await recording.load(database, [(stream_of("sales"), 0)])
        rows = await store.newest(database, "sales")
    facts = [decode(peek(event.state), None).data for event in stored]  # type: ignore[arg-type]
    assert [fact.number for fact in facts if isinstance(fact, TeamPublished)] == [2, 3, 4, 5, 6], "numbers without gaps"
    assert rows is not None
    last = facts[-1]
    assert isinstance(last, TeamPublished)
    assert (last.source, last.sha256) == (rows.source, rows.sha256)
    topics = await pool.fetch("SELECT DISTINCT topic FROM leadline.outbox WHERE key = $1", str(stream_of("sales")))
    assert [row[0] for row in topics] == ["teams.events"]


async def test_C4_a_team_without_its_calendar_is_refused(settings: Settings, pool: Pool) -> None:
    with pytest.raises(
        TeamFileError, match="no calendar of a team north; there are: sales; publish one first"
    ) as refused:
        await publish(pool, At(), FILE.replace("head: olga", "calendar: north"), HEAD)
    assert "календаря команды north нет" in refused.value.ru
    assert await versions(pool) == [(1, "default", "leadline")]


async def test_C4_at_a_terminal(
    settings: Settings,
    pool: Pool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "sales.yaml"
    file.write_text(FILE, encoding="utf-8")

    async def said(*arguments: str) -> tuple[int, str, str]:
        status = await asyncio.to_thread(main, ["team", *arguments])
        out, err = capsysbinary.readouterr()
        return status, out.decode(), err.decode()

    status, out, _ = await said("check", str(file), "--language", "en")
    assert (status, out.splitlines()[0]) == (0, f"{file}: the team sales is right")
    status, out, _ = await said("publish", str(file), "--language", "en")
    assert status == 0
    assert out.splitlines()[:6] == [
        "sales: version 2 is in force",
        "Changes against version 1:",
        "  - head: was none, now olga",
        "  - vera: joins",
        "  - boris: no longer listed; whoever left stays listed with the day (left), so that their leads are handed over",
        "  head: olga",
    ]
    status, out, _ = await said("show", "--json")
    shown = orjson.loads(out)
    assert (status, shown["number"], [m["name"] for m in shown["members"]]) == (0, 2, ["anna", "vera"])
    status, out, _ = await said("list", "--language", "ru")
    assert (status, out.strip()) == (0, "sales@2 Продажи: сотрудников 2, руководитель olga")
    file.write_text(FILE.replace("vera", "anna"), encoding="utf-8")
    status, _, err = await said("check", str(file), "--language", "ru")
    assert status == 2
    assert "members[1].name: anna есть дважды" in err
    status, _, err = await said("show", "north")
    assert (status, err.strip()) == (2, "leadline: no team north; there are: sales")

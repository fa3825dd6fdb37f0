"""`leadline unmerge`: many wrong merges are undone by one command (N16)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from contracts.meta import Actor
from services.database import Pool
from services.leads.door import door
from services.ops import unmerge as unmerging
from services.ops.place import OpsError
from services.settings import Settings
from tests.integration.leads_case import HEAD, Leads, running

SCRIPT = Actor(id="script", kind="person", role="head")


class Here:
    """A place whose settings are given."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def settings(self) -> Settings:
        return self._settings


@pytest.fixture
async def leads(settings: Settings, pool: Pool) -> AsyncIterator[Leads]:
    async with running(settings, pool) as it:
        yield it


@asynccontextmanager
async def behind(leads: Leads, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Here]:
    """The command's requests go to this aggregate service."""
    inside = httpx.ASGITransport(app=door(leads.settings, leads.batcher, leads.reader))
    made = httpx.AsyncClient
    monkeypatch.setattr(httpx, "AsyncClient", lambda **more: made(**{**more, "transport": inside}))
    yield Here(leads.settings)
    monkeypatch.setattr(httpx, "AsyncClient", made)


async def wrong(leads: Leads, count: int) -> list[tuple[UUID, UUID]]:
    pairs = []
    for n in range(count):
        one = await leads.lead_of(name="Иван", email=f"ivan{n}@example.org")
        other = await leads.lead_of(name="Пётр", phone=f"+7900{n:07d}")
        assert (await leads.send(other, "merge", by=SCRIPT, into=one)).outcome == "done"
        pairs.append((one, other))
    return pairs


async def test_N16_merges_of_an_actor_are_undone_by_one_command_with_a_preview(
    leads: Leads, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pairs = await wrong(leads, 30)
    mine = await leads.lead_of(name="Анна", email="anna@example.org")
    right = await leads.lead_of(name="Анна", phone="+79995550000")
    await leads.send(right, "merge", by=HEAD, into=mine)
    # a chain: the survivor was merged on
    await leads.send(pairs[0][0], "merge", by=SCRIPT, into=pairs[1][0])
    async with behind(leads, monkeypatch) as here:
        assert await unmerging.unmerge(here, "script", None, None, False) == 0  # type: ignore[arg-type]
        told = capsys.readouterr().out
        assert "31 merges" in told
        assert "N16.last_first: 1" in told
        assert await leads.pool.fetchval("SELECT count(*) FROM leadline.merged_contacts") == 32
        assert await unmerging.unmerge(here, "script", None, None, True) == 0  # type: ignore[arg-type]
        assert "undone: 31; refused: 0" in capsys.readouterr().out
        assert await unmerging.unmerge(here, "script", None, None, True) == 0  # type: ignore[arg-type]
        assert "0 merges" in capsys.readouterr().out
        file = tmp_path / "leads.txt"
        file.write_text(f"{right}\n\n{mine}\n", "utf-8")
        assert await unmerging.unmerge(here, None, None, file, True) == 0  # type: ignore[arg-type]
        said = capsys.readouterr()
        assert f"not merged, or unknown: {mine}" in said.err
        assert "undone: 1; refused: 0" in said.out
        file.write_text("no id", "utf-8")
        with pytest.raises(OpsError, match="line 1"):
            await unmerging.unmerge(here, None, None, file, True)  # type: ignore[arg-type]
    assert await leads.pool.fetchval("SELECT count(*) FROM leadline.merged_contacts") == 0
    assert await leads.pool.fetchval("SELECT count(*) FROM leadline.open_leads") == 62


async def test_N16_what_cannot_be_undone_is_listed_with_its_rule(
    leads: Leads, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [(one, other)] = await wrong(leads, 1)
    await leads.send(one, "reject", by=HEAD, status="price")
    assert await leads.lead_of(name="Пётр", phone="+79000000000") not in (one, other)
    async with behind(leads, monkeypatch) as here:
        assert await unmerging.unmerge(here, "script", None, None, True) == 1  # type: ignore[arg-type]
    assert "C3.one_open_lead: 1" in capsys.readouterr().out

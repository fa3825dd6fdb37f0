"""Team calendars on real Postgres: versions, the default of the settings, years go by, `leadline calendar` (C2, decision 12)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from contracts.pipeline import Period
from services.calendars import store, stored
from services.calendars.publishing import default_text, hold, publish, renew
from services.calendars.registry import NoSuchCalendarError, current, version
from services.calendars.team_file import TeamFileError, calendar_of, read_team_file
from services.calendars.terms import due
from services.database import Pool
from services.ops.main import main
from services.settings import Settings
from tests.eventlog_builders import until
from tests.integration.import_case import environment

FILE = """\
team: sales
time_zone: Europe/Moscow
hours: {weekdays: ["09:00-18:00"], sat: []}
holidays: {country: RU}
absences: [{who: olga, from: 2026-12-01, to: 2026-12-14}]
"""
NOVEMBER = datetime(2026, 11, 26, 9, tzinfo=UTC)
HOUR = Period(hours=1, working=True)


@dataclass
class At:
    """A clock that stands where it is put."""

    moment: datetime = NOVEMBER

    async def now(self) -> datetime:
        return self.moment


@pytest.fixture(autouse=True)
async def no_calendar(pool: Pool) -> None:
    """A company that never started: the test's database has the default calendar, as after `leadline prepare`."""
    await pool.execute("DELETE FROM leadline.calendars")


async def numbers(pool: Pool, team: str = "sales") -> list[tuple[int, str, str]]:
    """All versions: number, origin, by whom."""
    rows = await pool.fetch(
        "SELECT number, origin, published_by FROM leadline.calendars WHERE team = $1 ORDER BY number", team
    )
    return [tuple(row) for row in rows]


async def test_C2_without_a_file_there_is_a_default_of_the_settings_and_it_follows_them(
    settings: Settings, pool: Pool
) -> None:
    async with pool.acquire() as database:
        with pytest.raises(NoSuchCalendarError, match="no calendar of a team sales; there are: none yet"):
            await current(database)
    for _ in range(2):
        await renew(pool, At(), settings)
    assert await numbers(pool) == [(1, "default", "leadline")]
    async with pool.acquire() as database:
        calendar = await current(database)
        assert (calendar.version, calendar.zone.key) == ("sales@1", "Europe/Moscow")
        assert [len(day) for day in calendar.week] == [1, 1, 1, 1, 1, 0, 0]
        assert (calendar.week[0][0].start, calendar.week[0][0].end) == (time(9), time(18))
        assert calendar.hours(date(2026, 11, 4)) == ()  # Unity Day
        assert due(datetime(2026, 12, 30, 14, 30, tzinfo=UTC), HOUR, calendar) == datetime(
            2027, 1, 11, 6, 30, tzinfo=UTC
        )
        assert await current(database) is calendar, "read once"
    abroad = settings.model_copy(update={"time_zone": "Europe/Berlin", "default_region": "DE"})
    await renew(pool, At(), abroad)
    async with pool.acquire() as database:
        assert (await current(database)).number == 2
        assert (await current(database)).zone.key == "Europe/Berlin"
        assert (await current(database)).hours(date(2026, 11, 4)) != ()
        assert await version(database, "sales", 1) == calendar, "a version stays what it was"


async def test_C2_a_default_for_a_country_without_known_holidays_or_a_zone_that_is_none(
    settings: Settings, pool: Pool
) -> None:
    nowhere = settings.model_copy(update={"default_region": "ZZ"})
    assert "holidays" not in default_text(nowhere)
    await renew(pool, At(), nowhere)
    async with pool.acquire() as database:
        assert not (await current(database)).days
    with pytest.raises(TeamFileError, match="there is no time zone"):
        await renew(pool, At(), settings.model_copy(update={"time_zone": "Moscow/Europe"}))
    assert await numbers(pool) == [(1, "default", "leadline")]


async def test_C2_a_new_number_whenever_the_calendar_changes_and_only_then(settings: Settings, pool: Pool) -> None:
    await renew(pool, At(), settings)
    first = await publish(pool, At(), FILE, "helen")
    assert (first.calendar.number, first.new) == (2, True)
    assert first.before is not None
    assert first.before.number == 1
    again = await publish(pool, At(), "# the same\n" + FILE, "boris")
    assert (again.calendar, again.before, again.new) == (first.calendar, first.calendar, False)
    other = await publish(pool, At(), FILE.replace("2026-12-14", "2026-12-15"), "helen")
    assert (other.calendar.number, other.new) == (3, True)
    assert await numbers(pool) == [(1, "default", "leadline"), (2, "file", "boris"), (3, "file", "helen")]
    with pytest.raises(TeamFileError, match="ends before it begins"):
        await publish(pool, At(), FILE.replace("sat: []", "sat: [18:00-09:00]"), "helen")
    async with pool.acquire() as database:
        assert await current(database) == other.calendar
        assert await version(database, "sales", 2) == first.calendar
        for team, number in (("sales", 4), ("support", 1)):
            with pytest.raises(NoSuchCalendarError, match=f"no version {number} of the calendar of {team}"):
                await version(database, team, number)
        with pytest.raises(NoSuchCalendarError, match="no calendar of a team support; there are: sales"):
            await current(database, "support")


async def test_C2_a_published_file_is_not_overwritten_by_the_default_and_gets_the_holidays_of_new_years(
    settings: Settings, pool: Pool
) -> None:
    await publish(pool, At(), FILE, "helen")
    await publish(pool, At(), FILE.replace("sales", "support"), "helen")
    await renew(pool, At(), settings)
    assert await numbers(pool) == [(1, "file", "helen")]
    later = At(NOVEMBER.replace(year=2027))
    await renew(pool, later, settings)
    await renew(pool, later, settings)
    for team in ("sales", "support"):
        assert await numbers(pool, team) == [(1, "file", "helen"), (2, "file", "leadline")]
    async with pool.acquire() as database:
        old, new = await version(database, "sales", 1), await current(database)
    beyond = date(2038, 1, 1)
    assert old.hours(beyond) != () == new.hours(beyond)
    assert old.absences == new.absences


async def test_C2_a_default_text_published_as_a_file_is_a_persons_from_then_on(settings: Settings, pool: Pool) -> None:
    await renew(pool, At(), settings)
    assert not (await publish(pool, At(), default_text(settings), "helen")).new
    await renew(pool, At(), settings.model_copy(update={"time_zone": "Asia/Omsk"}))
    assert await numbers(pool) == [(1, "file", "helen")]


async def test_C2_a_file_that_cannot_be_read_any_more_stays_in_force(
    settings: Settings, pool: Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    made = await publish(pool, At(), FILE, "helen")
    await pool.execute("UPDATE leadline.calendars SET source = replace(source, 'RU', 'SU')")
    await renew(pool, At(NOVEMBER.replace(year=2028)), settings)
    assert "calendar_not_renewed" in capsys.readouterr().out
    async with pool.acquire() as database:
        assert await current(database) == made.calendar


async def test_N4_many_who_publish_at_once_get_numbers_without_a_gap(settings: Settings, pool: Pool) -> None:
    texts = [FILE.replace("2026-12-14", f"2026-12-{day}") for day in range(14, 22)]
    made = await asyncio.gather(*(publish(pool, At(), text, "helen") for text in texts for _ in range(2)))
    assert sorted({done.calendar.number for done in made if done.new}) == list(range(1, sum(d.new for d in made) + 1))
    assert len(await numbers(pool)) == sum(done.new for done in made) >= len(texts)
    async with pool.acquire() as database:
        row = await store.newest(database, "sales")
    assert row is not None
    assert row.number == len(await numbers(pool))


@pytest.mark.parametrize("there", [None, "file"])
async def test_N4_what_a_person_publishes_meanwhile_is_not_overwritten_by_a_renewal(
    settings: Settings, pool: Pool, there: str | None
) -> None:
    if there:
        await publish(pool, At(), FILE, "helen")
    newer = store.Row(2 if there else 1, "0" * 64, "newer", "file")
    async with pool.acquire() as database:
        async with database.transaction():
            await hold(database, "sales")
            renewing = asyncio.create_task(renew(pool, At(NOVEMBER.replace(year=2028)), settings))

            async def waits() -> bool:
                return bool(
                    await pool.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
                )

            await until(waits, "the renewal waits for the lock")
            text = stored.written(calendar_of(read_team_file(FILE), 1, NOVEMBER))
            await store.add(database, "sales", newer, text, "boris", NOVEMBER)
        await renewing
        assert await store.newest(database, "sales") == newer


# --- at a terminal -------------------------------------------------------------------------------------------------

Command = Callable[..., Coroutine[None, None, tuple[int, str, str]]]


def write(text: str) -> None:
    """The file in the folder one stands in."""
    Path("sales.yaml").write_text(text, "utf-8")


@pytest.fixture
async def command(
    settings: Settings, pool: Pool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """`leadline` in the environment of a practice system that stands in November 2026, in a folder with the file."""
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("LEADLINE_LANGUAGE", raising=False)
    monkeypatch.chdir(tmp_path)
    write(FILE)
    await pool.execute("INSERT INTO leadline.clock (practice_now) VALUES ($1)", NOVEMBER)

    async def typed(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = await asyncio.to_thread(main, ["calendar", *words])
        return status, *capsys.readouterr()

    return typed


async def test_C2_publish_puts_it_in_force_and_says_what_changed(
    command: Command, settings: Settings, pool: Pool
) -> None:
    await renew(pool, At(), settings)
    status, out, err = await command("sales.yaml", "--publish")
    assert (status, err) == (0, "")
    assert out.startswith(
        "sales: действует календарь 2\n"
        "Изменения против календаря 1:\n"
        "  - olga: отсутствует 01.12.2026–14.12.2026\n"
        "Сроки, которые уже идут, остаются как есть; по нему считаются новые.\n"
        "  часовой пояс: Europe/Moscow\n"
        "  часы: пн–пт 09:00–18:00; сб, вс выходной\n"
        "  ближайшие 90 дней: рабочих 56, выходных 34\n"
        "  из них не как обычно:\n"
        "    чт 31.12.2026 выходной: Выходной (перенесено с 04.01.2026)\n"
    )
    assert out.endswith("  отсутствуют:\n    olga: 01.12.2026–14.12.2026\n")
    status, out, _ = await command("sales.yaml", "--publish", "--language", "en")
    assert (status, out.splitlines()[0]) == (0, "sales: calendar 2 is in force already")
    write(FILE.replace("sat: []", "sat: [10:00-14:00]"))
    status, out, _ = await command("sales.yaml", "--publish", "--json")
    told = json.loads(out)
    assert (status, told["new"], told["number"]) == (0, True, 3)
    assert told["changes"][0] == {
        "what": "hours",
        "at": "sat",
        "ru": "сб: было выходной, стало 10:00–14:00",
        "en": "Sat: was off, now 10:00–14:00",
    }
    assert [row[0] for row in await numbers(pool)] == [1, 2, 3]


async def test_C2_show_prints_the_next_fourteen_days_with_hours_and_who_is_away(command: Command, pool: Pool) -> None:
    status, out, err = await command("--show")
    assert (status, out) == (2, "")
    assert "no calendar of a team sales; there are: none yet; run: leadline prepare" in err
    await publish(pool, At(), FILE.replace("sales", "support"), "helen")
    await pool.execute("UPDATE leadline.clock SET practice_now = $1", NOVEMBER + timedelta(days=27))
    status, out, err = await command("--show", "--team", "support")
    lines = out.splitlines()
    assert (status, err, len(lines)) == (0, "", 15)
    assert lines[0] == "support@1, Europe/Moscow"
    assert lines[1] == "ср 23.12.2026 09:00–18:00"
    assert lines[4] == "сб 26.12.2026 выходной"
    assert lines[10] == "пт 01.01.2027 выходной: Новогодние каникулы"
    await pool.execute("UPDATE leadline.clock SET practice_now = $1", NOVEMBER + timedelta(days=17))
    _, out, _ = await command("--show", "--team", "support", "--language", "en")
    assert out.splitlines()[1:4] == [
        "Sun 2026-12-13 off [away: olga]",
        "Mon 2026-12-14 09:00–18:00 [away: olga]",
        "Tue 2026-12-15 09:00–18:00",
    ]
    _, out, _ = await command("--show", "--team", "support", "--json")
    told = json.loads(out)
    assert (told["team"], told["number"], len(told["days"])) == ("support", 1, 14)
    assert told["days"][1] == {"day": "2026-12-14", "hours": ["09:00-18:00"], "title": None, "absent": ["olga"]}


async def test_C2_a_wrong_file_is_refused_in_the_language_of_the_reader_and_nothing_is_written(
    command: Command, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(FILE.replace("Europe/Moscow", "Europe/Moskow"))
    status, out, err = await command("sales.yaml", "--publish")
    assert (status, out) == (2, "")
    assert err.startswith(
        "leadline: sales.yaml:2: time_zone: часового пояса «Europe/Moskow» нет; может быть, Europe/Moscow?"
    )
    monkeypatch.setenv("LEADLINE_LANGUAGE", "en")
    _, _, err = await command("sales.yaml", "--publish")
    assert 'there is no time zone "Europe/Moskow"' in err
    status, out, err = await command("sales.yaml", "--json")
    assert (status, err, json.loads(out)["ok"]) == (2, "", False)
    assert await numbers(pool) == []

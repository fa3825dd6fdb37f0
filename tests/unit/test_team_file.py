"""A team's calendar from its file: what it means, what is refused in which words, what a new one changes (C2, decision 12)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.calendars import stored
from services.calendars.calendar import Calendar, Hours
from services.calendars.day_hours import written
from services.calendars.differences import differences, week_in_words
from services.calendars.public_holidays import countries, public_days
from services.calendars.team_file import YEARS_AHEAD, YEARS_BACK, TeamFileError, calendar_of, read_team_file
from tests.unit.given_calendar import calendars, hours

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
TODAY = date(2026, 11, 26)
FILE = """\
team: sales
time_zone: Europe/Moscow
hours: {weekdays: ["09:00-13:00", "14:00-18:00"], fri: [9:00-17:00], sat: [], sun: []}
holidays: {country: RU, subdivision: null}
days: {2026-12-31: ["09:00-15:00"], 2026-12-07: [], 2026-12-05: ["10:00–14:00"]}
absences:
  - {who: olga, from: 2026-12-01, to: 2026-12-14}
  - {who: olga, from: 2026-06-01, to: 2026-06-14}
"""
DAY, FRIDAY = hours("09:00-13:00", "14:00-18:00"), hours("09:00-17:00")


def read(text: str) -> Calendar:
    """The calendar of a text, as of November 2026."""
    return calendar_of(read_team_file(text, "sales.yaml"), 1, NOW)


def refused(text: str) -> tuple[list[str], list[str]]:
    """What is said of a text, line by line, in English and in Russian."""
    with pytest.raises(TeamFileError) as told:
        read(text)
    return str(told.value).splitlines(), told.value.ru.splitlines()


def test_C2_a_file_means_its_hours_days_and_absences() -> None:
    calendar = read(FILE)
    assert (calendar.version, calendar.zone.key) == ("sales@1", "Europe/Moscow")
    assert calendar.week == (DAY, DAY, DAY, DAY, FRIDAY, (), ())
    assert calendar.hours(date(2026, 12, 31)) == hours("09:00-15:00"), "its own day goes before the public holiday"
    assert calendar.hours(date(2026, 12, 7)) == ()
    assert calendar.hours(date(2026, 12, 5)) == hours("10:00-14:00"), "a Saturday that is worked"
    assert calendar.absences == {
        "olga": ((date(2026, 6, 1), date(2026, 6, 14)), (date(2026, 12, 1), date(2026, 12, 14)))
    }
    assert calendar.hours(date(2026, 12, 1), "olga") == () != calendar.hours(date(2026, 12, 1))


def test_C2_public_holidays_are_written_out_for_the_years_about_now() -> None:
    calendar = read(FILE)
    for year in (2026 - YEARS_BACK, 2026 + YEARS_AHEAD):
        assert calendar.hours(date(year, 1, 1)) == ()
    assert {day.year for day in calendar.days} == set(range(2026 - YEARS_BACK, 2026 + YEARS_AHEAD + 1))
    assert calendar.hours(date(2026, 11, 4)) == ()  # Unity Day, a Wednesday
    assert calendar.hours(date(2026, 11, 5)) == DAY
    without = read(FILE.replace("holidays: {country: RU, subdivision: null}\n", ""))
    assert without.hours(date(2026, 11, 4)) == DAY


def test_C2_a_saturday_that_the_country_works_has_the_hours_of_the_friday_before() -> None:
    assert read(FILE).hours(date(2027, 2, 20)) == FRIDAY
    assert read(FILE).hours(date(2027, 2, 22)) == (), "for which it is worked"
    worked = read(FILE.replace("sat: []", 'sat: ["10:00-12:00"]'))
    assert worked.hours(date(2027, 2, 20)) == hours("10:00-12:00"), "the team works on Saturdays anyway"
    own = read(FILE.replace("\ndays: {", "\ndays: {2027-02-20: [], "))
    assert own.hours(date(2027, 2, 20)) == ()


def test_C2_a_part_of_a_country_has_holidays_of_its_own() -> None:
    berlin, bavaria = (read(FILE.replace("RU, subdivision: null", f"DE, subdivision: {part}")) for part in ("BE", "BY"))
    epiphany = date(2027, 1, 6)
    assert (berlin.hours(epiphany), bavaria.hours(epiphany)) == (DAY, ())


def test_C2_intervals_that_touch_are_one_and_the_day_ends_at_midnight() -> None:
    calendar = read(FILE.replace("sat: []", 'sat: ["18:00-24:00", "09:00-12:00", "12:00-15:00"]'))
    assert calendar.week[5] == (Hours(time(9), time(15)), Hours(time(18), time(0)))
    assert [written(one) for one in calendar.week[5]] == ["09:00-15:00", "18:00-24:00"]
    assert read(FILE.replace("sat: []", 'sat: ["18:00-00:00"]')).week[5] == (Hours(time(18), time(0)),)


@pytest.mark.parametrize(
    ("old", "new", "en", "ru"),
    [
        (
            '"14:00-18:00"',
            '"12:30-18:00"',
            'sales.yaml:3: hours.weekdays: "09:00-13:00" and "12:30-18:00" overlap; write them as one, or move one of them',
            "sales.yaml:3: hours.weekdays: «09:00-13:00» и «12:30-18:00» пересекаются; запишите одним промежутком или сдвиньте "
            "один",
        ),
        (
            "sat: []",
            'sat: ["22:00-06:00"]',
            'sales.yaml:3: hours.sat[0]: "22:00-06:00" ends before it begins; what goes on past midnight is written in two '
            'parts: "22:00-24:00" here and "00:00-06:00" on the day after',
            "sales.yaml:3: hours.sat[0]: «22:00-06:00» кончается раньше, чем начинается; то, что идёт за полночь, пишут двумя "
            "частями: «22:00-24:00» здесь и «00:00-06:00» в следующем дне",
        ),
        (
            "sat: []",
            "sat: [9-18]",
            'sales.yaml:3: hours.sat[0]: "9-18" is no interval of a day; write "09:00-13:00", the day ends at 24:00',
            "sales.yaml:3: hours.sat[0]: «9-18» — не промежуток дня; пишите «09:00-13:00», день кончается в 24:00",
        ),
        (
            "sat: []",
            "satt: []",
            "sales.yaml:3: hours.satt: unknown here; did you mean sat?; known: fri, mon, sat, sun, thu, tue, wed, weekdays",
            "sales.yaml:3: hours.satt: здесь такого нет; может быть, sat?; бывают: fri, mon, sat, sun, thu, tue, wed, weekdays",
        ),
        (
            "Europe/Moscow",
            "moskow",
            'sales.yaml:2: time_zone: there is no time zone "moskow"; did you mean Europe/Moscow?; write it as continent and '
            "city (IANA), for example Europe/Moscow",
            "sales.yaml:2: time_zone: часового пояса «moskow» нет; может быть, Europe/Moscow?; пишите материк и город (IANA), "
            "например Europe/Moscow",
        ),
        (
            "country: RU,",
            "country: Russia,",
            'sales.yaml:4: holidays.country: no holidays of a country "Russia" are known; did you mean RU (Russia)?; write its '
            "two letters (ISO 3166), for example RU, or leave holidays out and write days",
            "sales.yaml:4: holidays.country: праздники страны «Russia» неизвестны; может быть, RU (Russia)?; пишите две буквы "
            "(ISO 3166), например RU, или уберите holidays и перечислите дни в days",
        ),
        (
            "subdivision: null",
            "subdivision: MOW",
            'sales.yaml:4: holidays.subdivision: RU has no part "MOW" with holidays of its own; leave subdivision out',
            "sales.yaml:4: holidays.subdivision: у RU нет части «MOW» со своими праздниками; уберите subdivision",
        ),
        (
            "2026-12-07: []",
            "2026-02-30: []",
            'sales.yaml:5: days.2026-02-30: "2026-02-30" is no date; write year-month-day, for example 2026-12-31: '
            '["09:00-15:00"]',
            "sales.yaml:5: days.2026-02-30: «2026-02-30» — не дата; пишите год-месяц-день, например 2026-12-31: "
            '["09:00-15:00"]',
        ),
        (
            "to: 2026-12-14",
            "to: 2026-11-14",
            "sales.yaml:7: absences[0].to: the last day away, 2026-11-14, is before the first, 2026-12-01; put the later day "
            "here",
            "sales.yaml:7: absences[0].to: последний день отсутствия 2026-11-14 раньше первого 2026-12-01; поставьте сюда день "
            "позже",
        ),
        (
            "who: olga, from: 2026-12-01",
            'who: "Ольга", from: 2026-12-01',
            'sales.yaml:7: absences[0].who: "Ольга" is no name of a person here; write it as in LEADLINE_RESPONSIBLES, for '
            "example olga",
            "sales.yaml:7: absences[0].who: «Ольга» — не имя сотрудника; пишите как в LEADLINE_RESPONSIBLES, например olga",
        ),
    ],
)
def test_C2_what_is_wrong_is_told_with_its_place_and_the_way_out(old: str, new: str, en: str, ru: str) -> None:
    text = FILE.replace(old, new, 1)
    assert text != FILE
    assert refused(text) == ([en], [ru])


def test_C2_a_team_may_work_on_days_of_its_own_alone_but_not_only_on_past_ones() -> None:
    text = "team: fair\ntime_zone: UTC\nhours: {fri: []}\ndays: {2026-12-05: [10:00-14:00]}\n"
    assert read(text).hours(date(2026, 12, 5)) == hours("10:00-14:00")
    assert refused(text.replace("2026", "2020")) == (
        ["nobody works in the two years after 2026-11-26; write hours, or days to come"],
        ["после 2026-11-26 два года никто не работает; напишите часы или дни, которые ещё впереди"],
    )


def test_C2_nobody_ever_works_and_all_faults_are_told_together() -> None:
    en, ru = refused("team: sales\ntime_zone: UTC\nhours: {}\ndays: {2026-12-31: []}\n")
    assert en == ['sales.yaml:3: hours: nobody ever works; write hours, for example {weekdays: ["09:00-18:00"]}']
    assert ru == ['sales.yaml:3: hours: никто никогда не работает; напишите часы, например {weekdays: ["09:00-18:00"]}']
    wrong = FILE.replace("Europe/Moscow", "Mars").replace("RU,", "ZZ,").replace("sat: []", "sat: [x]")
    en, ru = refused(wrong.replace("2026-12-07", "tomorrow").replace("to: 2026-12-14", "to: 1.12.2026"))
    assert [line.split(": ")[1] for line in en] == [
        *("time_zone", "hours.sat[0]", "holidays.country", "days.tomorrow", "absences[0].to"),
    ]
    assert len(ru) == len(en)


def test_C2_every_country_has_holidays_that_can_be_written_out() -> None:
    assert len(countries()) > 200
    for country in ("RU", "BY", "KZ", "DE", "US", "UA", "LK"):
        public_days(country, None, range(2025, 2038))
    with pytest.raises(ValueError, match="no country XX"):
        public_days("XX", None, [2026])
    assert public_days("RU", None, [2026], "ru").off[date(2026, 11, 4)] == "День народного единства"
    assert public_days("RU", None, [2026], "en").off[date(2026, 11, 4)] == "Unity Day"


@given(calendars(), st.integers(1, 1_000))
def test_C2_a_stored_calendar_is_the_one_that_was_written(calendar: Calendar, number: int) -> None:
    text = stored.written(calendar)
    back = stored.read(text, number)
    assert back == Calendar(calendar.team, number, calendar.zone, calendar.week, calendar.days, calendar.absences)
    assert stored.written(back) == text
    assert not differences(calendar, back, date(2026, 1, 1))


def test_C2_the_same_file_is_the_same_calendar_at_any_moment_of_a_year() -> None:
    file = read_team_file(FILE)
    first, last = (datetime(2026, *day, tzinfo=UTC) for day in ((1, 1), (12, 31)))
    texts = {stored.written(calendar_of(file, number, now)) for number, now in ((1, first), (2, last), (3, NOW))}
    assert len(texts) == 1
    assert stored.written(calendar_of(file, 1, datetime(2027, 1, 1, tzinfo=UTC))) not in texts


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "Europe/Moscow",
            "Asia/Omsk",
            [
                (
                    *("zone", "Asia/Omsk", "часовой пояс: был Europe/Moscow, стал Asia/Omsk"),
                    "time zone: was Europe/Moscow, now Asia/Omsk",
                )
            ],
        ),
        (
            '["09:00-13:00", "14:00-18:00"]',
            '["10:00-19:00"]',
            [
                (
                    *("hours", "mon–thu", "пн–чт: было 09:00–13:00, 14:00–18:00, стало 10:00–19:00"),
                    "Mon–Thu: was 09:00–13:00, 14:00–18:00, now 10:00–19:00",
                )
            ],
        ),
        (
            "sat: []",
            'sat: ["10:00-14:00"]',
            [
                ("hours", "sat", "сб: было выходной, стало 10:00–14:00", "Sat: was off, now 10:00–14:00"),
                (
                    *("day", "2027-02-20", "сб 20.02.2027: было 09:00–17:00, стало 10:00–14:00"),
                    "Sat 2027-02-20: was 09:00–17:00, now 10:00–14:00",
                ),
            ],
        ),
        (
            "2026-12-07: []",
            "2026-11-09: []",
            [
                (
                    *("day", "2026-12-07", "пн 07.12.2026: было выходной, стало 09:00–13:00, 14:00–18:00"),
                    "Mon 2026-12-07: was off, now 09:00–13:00, 14:00–18:00",
                )
            ],
        ),
        (
            "2026-12-01, to: 2026-12-14",
            "2026-12-01, to: 2026-12-20",
            [
                (
                    *("absence", "olga", "olga: больше не отсутствует 01.12.2026–14.12.2026"),
                    "olga: no longer away 2026-12-01 to 2026-12-14",
                ),
                (
                    *("absence", "olga", "olga: отсутствует 01.12.2026–20.12.2026"),
                    "olga: away 2026-12-01 to 2026-12-20",
                ),
            ],
        ),
        ("2026-06-14", "2026-06-20", []),
    ],
)
def test_C2_what_a_new_calendar_changes_is_told_in_words(old: str, new: str, told: list[Any]) -> None:
    changed = FILE.replace(old, new, 1)
    assert changed != FILE
    changes = differences(read(FILE), read(changed), TODAY)
    assert [(change.what, change.at, change.ru, change.en) for change in changes] == told


def test_C2_the_hours_of_a_week_in_words() -> None:
    assert [run.en for run in week_in_words(read(FILE))] == [
        *("Mon–Thu 09:00–13:00, 14:00–18:00", "Fri 09:00–17:00", "Sat, Sun off"),
    ]
    assert [run.ru for run in week_in_words(read(FILE))][1:] == ["пт 09:00–17:00", "сб, вс выходной"]

"""What a template does with values: dates, times, money, counted words, phones, names (R3)."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.pipelines.templates import Language, TemplateError, render
from services.pipelines.templates.filters import russian_form
from services.pipelines.templates.reading import (
    day_in,
    money_in,
    number_in,
    read_day,
    read_money,
    read_number,
)

LANGUAGES: tuple[Language, ...] = ("ru", "en")


def told(expression: str, value: object, language: Language) -> str:
    """The value through the filters of an expression."""
    return render(f"{{{{ x | {expression} }}}}", {"x": value}, html=False, language=language).replace("\u00a0", " ")


@pytest.mark.parametrize(
    "value", ["2026-11-24", "24.11.2026", "24 November 2026", "24.11.2026, 18:30", date(2026, 11, 24)]
)
@pytest.mark.parametrize(
    ("expression", "ru", "en"),
    [
        ("date", "24.11.2026", "24 November 2026"),
        ("date('long')", "24 ноября 2026 года", "24 November 2026"),
        ("date('day')", "24 ноября", "24 November"),
        ("date('weekday')", "вторник", "Tuesday"),
        ("date('on_weekday')", "во вторник", "on Tuesday"),
    ],
)
def test_R3_a_date_however_it_comes(value: object, expression: str, ru: str, en: str) -> None:
    assert (told(expression, value, "ru"), told(expression, value, "en")) == (ru, en)


def test_R3_every_month_and_weekday_has_its_name() -> None:
    months = [told("date('day')", f"2026-{month:02}-01", "ru").partition(" ")[2] for month in range(1, 13)]
    assert months == [
        *("января", "февраля", "марта", "апреля", "мая", "июня"),
        *("июля", "августа", "сентября", "октября", "ноября", "декабря"),
    ]
    days = [told("date('on_weekday')", date(2026, 11, 23) + timedelta(n), "ru") for n in range(7)]
    assert days == ["в понедельник", "во вторник", "в среду", "в четверг", "в пятницу", "в субботу", "в воскресенье"]
    assert [told("date('weekday')", date(2026, 11, 23) + timedelta(n), "en")[:3] for n in range(7)] == (
        ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    )


@pytest.mark.parametrize(
    ("value", "time"), [("18:30", "18:30"), ("24.11.2026, 08:05", "08:05"), ("2026-11-24T18:30:00Z", "18:30")]
)
def test_R3_a_time(value: str, time: str) -> None:
    assert [told("time", value, language) for language in LANGUAGES] == [time, time]


@pytest.mark.parametrize(
    ("value", "expression", "ru", "en"),
    [
        ("120000.00 RUB", "money", "120\u202f000\u202f₽", "120\u202f000\u202f₽"),
        ("99.50 EUR", "money", "99,50\u202f€", "99.50\u202f€"),
        ("1234567.05 CHF", "money", "1\u202f234\u202f567,05\u202fCHF", "1\u202f234\u202f567.05\u202fCHF"),
        ("120 000 ₽", "money", "120\u202f000\u202f₽", "120\u202f000\u202f₽"),
        (1500, "money('USD')", "1\u202f500\u202f$", "1\u202f500\u202f$"),
        ("2,5", "money('KZT')", "2,50\u202f₸", "2.50\u202f₸"),
    ],
)
def test_R3_money_has_narrow_spaces_and_its_currency(value: object, expression: str, ru: str, en: str) -> None:
    assert (told(expression, value, "ru"), told(expression, value, "en")) == (ru, en)


@pytest.mark.parametrize(
    ("number", "ru"),
    [
        (0, "0 уроков"),
        (1, "1 урок"),
        (2, "2 урока"),
        (4, "4 урока"),
        (5, "5 уроков"),
        (11, "11 уроков"),
        (12, "12 уроков"),
        (14, "14 уроков"),
        (21, "21 урок"),
        (22, "22 урока"),
        (100, "100 уроков"),
        (101, "101 урок"),
        (111, "111 уроков"),
        (1122, "1122 урока"),
        ("2,4", "2,4 урока"),
        ("1.5", "1,5 урока"),
        ("12 000", "12\u202f000 уроков"),
    ],
)
def test_R3_a_counted_word_has_its_form(number: object, ru: str) -> None:
    assert told("plural('урок', 'урока', 'уроков')", number, "ru") == ru


@pytest.mark.parametrize(
    ("number", "en"), [(0, "0 lessons"), (1, "1 lesson"), (2, "2 lessons"), ("1.5", "1.5 lessons"), (21, "21 lessons")]
)
def test_R3_english_has_two_forms(number: object, en: str) -> None:
    assert told("plural('lesson', 'lessons')", number, "en") == en


@given(st.integers(0, 10**6))
def test_R3_the_form_depends_on_the_last_two_digits_alone(number: int) -> None:
    assert russian_form(Decimal(number)) == russian_form(Decimal(number % 100)) == russian_form(Decimal(-number))


@pytest.mark.parametrize(
    ("value", "phone"),
    [
        ("+79001234567", "+7 900 123-45-67"),
        ("+7 900 123-45-67", "+7 900 123-45-67"),
        ("8 800 1", "8 800 1"),
        ("+442071838750", "+44 20 7183 8750"),
    ],
)
def test_R3_a_phone_is_international(value: str, phone: str) -> None:
    assert told("phone", value, "ru") == phone


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("ИВАН ПЕТРОВ", "Иван Петров"),
        ("иван петров-водкин", "Иван Петров-Водкин"),
        ("Ronald McDonald", "Ronald McDonald"),
    ],
)
def test_R3_a_name_shouted_or_whispered_is_written_as_names_are(value: str, name: str) -> None:
    assert told("capitalize_name", value, "ru") == name


@pytest.mark.parametrize(
    ("value", "length", "cut"),
    [
        ("раз два три", 11, "раз два три"),
        ("раз два три", 10, "раз два…"),
        ("раз два три", 8, "раз два…"),
        ("раз два три", 7, "раз…"),
        ("нераздельно", 5, "нера…"),
        ("ab", 1, "…"),
    ],
)
def test_R3_a_long_text_is_cut_between_words(value: str, length: int, cut: str) -> None:
    assert told(f"truncate({length})", value, "ru") == cut


@given(st.text(), st.integers(1, 20))
def test_R3_a_cut_text_is_never_longer(value: str, length: int) -> None:
    assert len(told(f"truncate({length})", value, "ru")) <= length


@pytest.mark.parametrize(
    ("expression", "value", "words"),
    [
        ("date", "завтра", "date goes with a date"),
        ("date", "31.02.2026", "date goes with a date"),
        ("date('short')", "2026-11-24", "there is no such form of a date"),
        ("time", "24:00", "time goes with a time"),
        ("money", "120000", "a number and a currency"),
        ("money('рубли')", "120000", "a number and a currency"),
        ("money('RUB')", "1" * 40, "a number and a currency"),
        ("plural('урок', 'урока', 'уроков')", "5 м", "plural goes with a number"),
        ("plural('урок', 'уроков')", 5, "takes three forms"),
        ("truncate(0)", "a", "truncate takes a number of characters"),
        ("date", True, "date goes with a text or a number"),
    ],
)
def test_R3_what_a_filter_cannot_take_is_refused_with_the_way_out(expression: str, value: object, words: str) -> None:
    with pytest.raises(TemplateError, match=words) as caught:
        told(expression, value, "ru")
    assert caught.value.line == 1


@given(st.dates(date(1900, 1, 1), date(2200, 12, 31)), st.sampled_from(LANGUAGES))
def test_R3_a_day_as_people_read_it_is_the_same_day(day: date, language: Language) -> None:
    assert read_day(day_in(language, day)) == day == read_day(day.isoformat())


@given(
    st.decimals(0, 10**13, places=2), st.sampled_from(["RUB", "EUR", "USD", "KZT", "CHF"]), st.sampled_from(LANGUAGES)
)
def test_R3_money_as_people_read_it_is_the_same_money(amount: Decimal, currency: str, language: Language) -> None:
    assert (
        read_money(money_in(language, amount, currency)) == (amount, currency) == read_money(f"{amount:.2f} {currency}")
    )


@given(st.decimals(-(10**12), 10**12, places=3), st.sampled_from(LANGUAGES))
def test_R3_a_number_as_people_read_it_is_the_same_number(number: Decimal, language: Language) -> None:
    assert read_number(number_in(language, number)) == number


EVERY = ["date", "date('long')", "time", "money", "money('RUB')", "plural('а', 'б', 'в')", "phone", "capitalize_name"]
EVERY += ["truncate(5)", "upper", "lower", "trim", "default('a')"]
NUMERALS = st.text(alphabet="0123456789٣-+.,: TZ\u202f\u00a0₽$RUBEUR", max_size=40)


@given(st.one_of(st.text(), NUMERALS, st.integers(), st.floats(), st.booleans()), st.sampled_from(EVERY))
def test_R3_a_filter_answers_or_refuses_whatever_it_is_given(value: object, expression: str) -> None:
    try:
        result = told(expression, value, "ru")
    except TemplateError:
        return
    assert len(result) <= len(str(value)) * 3 + 450  # a float may have 309 digits, set apart

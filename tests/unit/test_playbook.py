"""The seller's table: four columns, one row per status, in each of its forms whole and harmless (P2)."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from contracts.pipeline import Pipeline
from services.leads.playbook import BYTE_ORDER_MARK, HEADINGS, Format, Language, file_name, rows, written
from services.pipelines import bundled
from services.pipelines.language import read_pipeline

LANGUAGES: tuple[Language, ...] = ("ru", "en")
FORMS: tuple[Format, ...] = ("md", "html", "csv")


def pipeline(name: str) -> Pipeline:
    """A bundled pipeline."""
    file = bundled.pipeline_file(name)
    assert file is not None
    return read_pipeline(file.read_text(encoding="utf-8"), file.name)


SERVICES = pipeline("services")
HOSTILE = read_pipeline("""
pipeline: hostile
titles: {ru: "<script>alert(1)</script> | *a*", en: "=1+1"}
conversion_point: won
facts: [{id: paid, titles: {ru: "клиент | внёс <b>оплату</b>", en: "paid & done"}}]
stages:
  - id: new
    titles: {ru: "=HYPERLINK(\\"http://x\\")", en: "@new"}
    kind: open
    exit: [{fact: paid}, {contact: phone}]
    next_step: {ru: "-1; позвонить", en: "+1, call"}
    actions:
      - {ru: "a \\"b\\", в|г", en: "one"}
      - {ru: "<img src=x onerror=alert(1)>", en: "two"}
  - {id: won, titles: {ru: "Сделка", en: "Deal"}, kind: won}
""")


def table_of(html: str) -> list[list[str]]:
    """The cells of the only table, as a browser shows them; the page must be well-formed."""
    root = ElementTree.fromstring(html.removeprefix("<!DOCTYPE html>"))  # noqa: S314 - our own page
    return [["\n".join(cell.itertext()) for cell in row] for row in root.iter("tr")]


def csv_of(text: str) -> list[list[str]]:
    """The cells of the CSV."""
    return list(csv.reader(io.StringIO(text.removeprefix(BYTE_ORDER_MARK), newline="")))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("file", bundled.pipeline_files(), ids=lambda file: file.name)
def test_P2_four_columns_and_one_row_per_status_under_a_heading_row_in_each_form(file, language: Language) -> None:  # type: ignore[no-untyped-def]
    known = read_pipeline(file.read_text(encoding="utf-8"), file.name)
    titles = [stage.titles.ru if language == "ru" else stage.titles.en for stage in known.stages]
    for table in (table_of(written(known, "html", language)), csv_of(written(known, "csv", language))):
        assert [len(row) for row in table] == [4] * (len(known.stages) + 1)
        assert tuple(table[0]) == HEADINGS[language]
        assert [row[0] for row in table[1:]] == titles
    lines = [line for line in written(known, "md", language).splitlines() if line.startswith("|")]
    assert len(lines) == len(known.stages) + 2
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {5}


def test_P2_what_happens_by_itself_stands_behind_the_sellers_actions() -> None:
    won = {row.status: row for row in rows(SERVICES, "ru")}["Успешно реализовано"]
    assert won.actions[-3:] == (
        "Само собой: через 1 месяц после входа в стадию, в рабочие часы, и снова через каждые 3 месяца — "
        "запланировать звонок: Узнать, как дела у клиента; срок — 5 рабочих дней",
        "Само собой: через 14 дней после входа в стадию, в рабочие часы, если «отношение клиента к реализации» не отмечено — "
        "запланировать задачу: Узнать и записать, как клиент относится к реализации; срок — 5 рабочих дней",
        "Само собой: через 7 дней после входа в стадию, в рабочие часы, и снова через каждые 7 дней, если "
        "«решение реализовано» отмечено и «рекомендации запрошены» не отмечено — запланировать задачу: Попросить рекомендации о "
        "новых клиентах; срок — 5 рабочих дней",
    )
    assert won.actions[0] == "Регулярно звонить и записывать мнение клиента"
    english = {row.status: row for row in rows(SERVICES, "en")}["Closed, not realised"]
    assert english.actions[-1] == (
        "By itself: 12 months after the stage is entered, if what remains of the lead = 'contact': plan a call: A year has "
        "passed: try to come back to the client; due within 5 working days"
    )


def test_P2_the_nine_statuses_are_a_table_of_ten_rows_as_the_text_has_it() -> None:
    table = table_of(written(SERVICES, "html", "ru"))
    assert len(table) == 10
    by_status = {row.status: row for row in rows(SERVICES, "ru")}
    assert "Узнать имя директора и найти его прямой телефон" in by_status["Разработка лида"].steps
    assert by_status["Дожатие сделки"].criteria == (
        "Клиент подписал договор и внёс оплату",
        "Проект передан аккаунт-менеджеру",
    )
    assert all(row.steps and row.actions and row.criteria for row in by_status.values())


@pytest.mark.parametrize("name", ["classic", "countertops", "english", "qualification", "services", "trial_lesson"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_P2_every_status_of_the_texts_says_steps_actions_and_criteria(name: str, language: Language) -> None:
    for row in rows(pipeline(name), language):
        assert all(row.cells), row.status


def test_P2_where_a_stage_says_nothing_its_next_step_and_exit_criteria_stand_in() -> None:
    row, won = rows(HOSTILE, "en")
    assert row.steps == ("+1, call",)
    assert row.criteria == ("paid & done", "the client's phone")
    assert won.cells == ((), (), ())


class Tags(HTMLParser):
    """The tags a browser sees."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)


def test_P2_html_is_whole_in_itself_and_no_text_of_a_pipeline_becomes_a_tag() -> None:
    page = written(HOSTILE, "html", "ru")
    tags = Tags()
    tags.feed(page)
    assert tags.seen.isdisjoint({"script", "img", "b", "link"})
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert '<html lang="ru">' in page
    assert "@media print" in page
    assert "http" not in re.sub(r"&quot;.*?&quot;", "", page)


def test_P2_no_cell_of_the_csv_is_computed_by_a_spreadsheet() -> None:
    table = csv_of(written(HOSTILE, "csv", "ru"))
    assert table[1][0] == '\'=HYPERLINK("http://x")'
    assert table[1][1] == "'-1; позвонить"
    assert csv_of(written(HOSTILE, "csv", "en"))[1][:2] == ["'@new", "'+1, call"]
    for name in ("services", "classic"):
        assert not any(
            cell[:1] in ("=", "+", "-", "@", "\t")
            for row in csv_of(written(pipeline(name), "csv", "ru"))
            for cell in row
        )


def test_P2_csv_keeps_commas_quotes_and_lines_within_a_cell_and_is_read_as_utf8_by_spreadsheets() -> None:
    text = written(HOSTILE, "csv", "ru")
    assert text.encode().startswith(b"\xef\xbb\xbf")
    assert csv_of(text)[1][2] == 'a "b", в|г\n<img src=x onerror=alert(1)>'
    assert text.encode().decode("utf-8-sig").startswith('"Статус",')


def test_P2_markdown_escapes_what_would_break_the_table_or_become_html() -> None:
    line = written(HOSTILE, "md", "ru").splitlines()[4]
    assert r"в\|г" in line
    assert r"\<img src=x onerror=alert(1)\>" in line
    assert "<br>" in line


def test_P2_files_are_named_by_pipeline_and_form() -> None:
    assert [file_name(SERVICES, form) for form in FORMS] == [
        "playbook-services.md",
        "playbook-services.html",
        "playbook-services.csv",
    ]

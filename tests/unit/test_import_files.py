"""Files of an import: any form of CSV, mappings, and every wrong cell named by column, reason and way out (spec I, N26)."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pydantic import SecretStr

import contracts
from services.leads.domain.history import row_id, streams_of
from services.ops.imports.command import _stem
from services.ops.imports.mapping import Columns, Mapping, MappingError, read_mapping
from services.ops.imports.rejected import Rejected
from services.ops.imports.rows import Bad, Given, Passed, RowReader
from services.ops.imports.table import Record, Table, TableError
from services.pipelines.language import read_pipeline
from services.settings import Settings
from tests.unit.given_lead import CLASSIC

LOANS = read_pipeline((Path(contracts.__file__).parent / "pipelines" / "loans.yaml").read_text("utf-8"))
SETTINGS = Settings(pepper=SecretStr(base64.b64encode(b"p" * 32).decode()))
HISTORY = ("case", "activity", "at")


def read(row: list[str], header: tuple[str, ...] = HISTORY, **mapping: object) -> Given | Bad | Passed:
    """What one row is read as."""
    made = Mapping.model_validate(mapping)
    pipeline = CLASSIC if "needs" in made.fields else LOANS
    reader = RowReader(Columns(header, made, pipeline), made, pipeline, SETTINGS, "bank", UUID(int=1))
    return reader.read(Record(2, row), 1)


def records(file: Path, **how: str) -> tuple[list[str], list[Record]]:
    """Header and records of a file."""
    with Table(file, **how).records() as (header, found):
        return header, list(found)


@pytest.mark.parametrize(
    ("encoding", "delimiter", "raw"),
    [
        ("utf-8", ",", "case,имя\n1,Анна\n".encode()),
        ("utf-8", ",", "case,имя\r\n1,Анна\r\n".encode("utf-8-sig")),
        ("windows-1251", ";", "case;имя\n1;Анна\n".encode("windows-1251")),
        ("koi8-r", "\t", "case\tимя\n1\tАнна".encode("koi8-r")),
        ("utf-16", ",", "case,имя\n1,Анна\n".encode("utf-16")),
        ("utf-8", ",", gzip.compress("case,имя\n\n1,Анна\n".encode(), mtime=0)),
    ],
)
def test_I_any_encoding_mark_delimiter_line_end_and_gzip(
    tmp_path: Path, encoding: str, delimiter: str, raw: bytes
) -> None:
    file = tmp_path / "f"
    file.write_bytes(raw)
    header, found = records(file, encoding=encoding, delimiter=delimiter)
    assert header == ["case", "имя"]
    assert [record.cells for record in found] == [["1", "Анна"]]


def test_I_a_record_says_the_line_it_begins_in_also_after_breaks_within_cells(tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_text('a,b\n1,"two\nlines"\n\n2,x\n3,"y"z\n4,"open\n', "utf-8")
    _, found = records(file)
    assert [(record.line, bool(record.problem)) for record in found] == [(2, False), (5, False), (6, True), (7, True)]
    assert found[2].raw == '3,"y"z'


@given(raw=st.one_of(st.binary(max_size=400), st.binary(max_size=400).map(lambda rows: b"case,activity,at\n" + rows)))
@examples(max_examples=200, deadline=None)
def test_I_whatever_bytes_a_file_holds_it_is_read_or_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    file = tmp_path_factory.mktemp("any") / "f.csv"
    file.write_bytes(raw)
    try:
        Table(file).measure()
        header, found = records(file)
        columns = Columns(header, Mapping(), LOANS)
    except (TableError, MappingError):
        return
    reader = RowReader(columns, Mapping(), LOANS, SETTINGS, "bank", UUID(int=1))
    for record in found:
        assert isinstance(reader.read(record, 1), Given | Bad | Passed)


ODD = ["SUBMITTED", "2011-10-01T08:00:00Z", "0001-01-01T00:00:00+14:00", "\ud800", "9" * 5000]
cells = st.one_of(st.text(max_size=30), st.sampled_from(ODD))


@given(row=st.lists(cells, min_size=2, max_size=9))
@examples(max_examples=300, deadline=None)
def test_I_any_cells_are_a_row_or_a_bad_row_with_the_way_out(row: list[str]) -> None:
    header = ("case", "activity", "at", "name", "phone", "until", "actor", "further")
    found = read(row, header, zone="Europe/Moscow")
    assert isinstance(found, Given | Bad)
    if isinstance(found, Bad):
        assert found.why
        assert found.way_out


@pytest.mark.parametrize(
    ("row", "mapping", "column", "why"),
    [
        (["", "SUBMITTED", "2011-10-01T08:00:00Z"], {}, "case", "empty"),
        (["1", "CALL", "2011-10-01T08:00:00Z"], {}, "activity", "is no stage of loans"),
        (["1", "SUBMITTED", ""], {}, "at", "empty"),
        (["1", "SUBMITTED", "01.10.2011"], {}, "at", "no time of the format iso"),
        (["1", "SUBMITTED", "2011-10-01T08:00:00"], {}, "at", "without a zone"),
        (["1", "SUBMITTED", "0900-10-01T08:00:00Z"], {}, "at", "before 1900"),
        (["1", "SUBMITTED", "2011-10-01"], {"time_format": "%d.%m.%Y", "zone": "UTC"}, "at", "no time of the format"),
        (["1", "SUBMITTED"], {}, "", "2 cells, but the header has 3"),
        (["1", "SUBMITTED\0", "2011-10-01T08:00:00Z"], {}, "activity", "NUL"),
        (["1\udcff", "SUBMITTED", "2011-10-01T08:00:00Z"], {}, "case", "not written in utf-8"),
        (["1" * 501, "SUBMITTED", "2011-10-01T08:00:00Z"], {}, "case", "longer than 500"),
    ],
)
def test_I_a_wrong_cell_is_named_with_reason_and_way_out(
    row: list[str], mapping: dict[str, object], column: str, why: str
) -> None:
    found = read(row, **mapping)
    assert isinstance(found, Bad)
    assert found.column == column
    assert why in found.why
    assert found.way_out


def test_I_words_of_the_file_stages_people_times_zones_and_ignored_activities() -> None:
    header = ("Номер", "Событие", "Когда", "Кто")
    mapping = {
        "kind": "history",
        "columns": {"case": "Номер", "activity": "Событие", "at": "Когда", "actor": "Кто"},
        "time_format": "%d.%m.%Y %H:%M",
        "zone": "Europe/Moscow",
        "stages": {"Пришла": "submitted"},
        "ignore": ["звонок"],
        "people": {"Анна": "anna"},
    }
    found = read(["7", "пришла", "01.03.2026 10:30", "Анна"], header, **mapping)
    assert isinstance(found, Given)
    row = found.work.row
    assert (row.stage, str(row.at), row.actor.on_behalf_of) == ("submitted", "2026-03-01 07:30:00+00:00", "anna")
    assert row.id == row_id("bank", "7", "пришла", row.at)
    assert (row.lead, row.contact) == streams_of("bank", "7")
    assert isinstance(read(["7", "Звонок", "", ""], header, **mapping), Passed)
    by_title = read(["7", "Одобрена", "01.03.2026 10:30", ""], header, **mapping)
    assert isinstance(by_title, Given)
    assert by_title.work.row.stage == "approved"
    nobody = read(["7", "пришла", "01.03.2026 10:30", "Борис"], header, **mapping)
    assert isinstance(nobody, Bad)
    assert nobody.column == "Кто"
    assert "Борис" not in nobody.why


def test_I_ids_of_rows_and_cases_never_run_together() -> None:
    assert streams_of("a", "b c") != streams_of("a b", "c")
    assert row_id("a", 'b","c', "d", None) != row_id("a", "b", 'c","d', None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "m.yaml: empty"),
        ("kind: histery", "m.yaml:1: kind"),
        ("kind: history\ncolours: {}", "m.yaml:2: colours"),
        ("encoding: latin-99", "no encoding latin-99"),
        ("delimiter: ab", "m.yaml:1: delimiter"),
        ('delimiter: "\\""', "a delimiter is one sign other"),
        ("zone: Mars/Base", "no time zone Mars/Base"),
        ("source: Старая CRM", "m.yaml:1: source"),
        ("people: {Анна: Анна}", "m.yaml:1: people"),
        ("stages: {a: new}\nstages: {a: new}", "stands twice"),
    ],
)
def test_I_a_wrong_mapping_is_refused_by_file_line_and_words(text: str, said: str) -> None:
    with pytest.raises(MappingError) as caught:
        read_mapping(text, "m.yaml")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("header", "mapping", "said"),
    [
        (("case", "at"), {"kind": "history"}, "no column 'activity' for activity; it has: case, at"),
        (("id", "name"), {}, "no column 'stage'"),
        (("case", "case", "activity", "at"), {}, "columns of the same name: case"),
        (HISTORY, {"columns": {"colour": "case"}}, "has no colour"),
        (HISTORY, {"stages": {"x": "nowhere"}}, "no stage nowhere; it has: submitted"),
        (HISTORY, {"fields": {"budget": "case"}}, "has no field budget; it has: none"),
    ],
)
def test_I_a_mapping_that_does_not_fit_file_or_pipeline_is_refused(
    header: tuple[str, ...], mapping: dict[str, object], said: str
) -> None:
    with pytest.raises(MappingError, match=said):
        Columns(header, Mapping.model_validate(mapping), LOANS)


def test_I_card_fields_are_mapped_and_further_columns_kept() -> None:
    found = read(["1", "new", "дуб", "90 000"], ("id", "stage", "Нужно", "Бюджет"), fields={"needs": "Нужно"})
    assert isinstance(found, Given)
    assert found.work.row.card == {"needs": "дуб"}
    assert found.work.row.person.fields == {"Бюджет": "90 000"}
    assert found.work.row.as_it_is


def test_I_rejected_rows_keep_bytes_that_could_not_be_read_and_their_own_columns(tmp_path: Path) -> None:
    raw = b"case,activity,at,rejected_why\n\xff1,SUBMITTED,2011-10-01T08:00:00Z,old reason\n"
    file = tmp_path / "f.csv"
    file.write_bytes(raw)
    header, found = records(file)
    out = Rejected(tmp_path / "out.csv", tuple(header), "utf-8", ",")
    assert not (tmp_path / "out.csv").exists()
    out.add(Bad(found[0], "case", "", "не так", "так"))
    out.close()
    kept = (tmp_path / "out.csv").read_bytes()
    assert b"\xff1,SUBMITTED,2011-10-01T08:00:00Z,2,case,," in kept
    assert b"old reason" not in kept


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("loans.csv", "loans"),
        ("loans.csv.gz", "loans"),
        ("loans.csv.gz.rejected.csv", "loans"),
        ("loans.csv.rejected.csv.rejected.csv", "loans"),
        (".csv", ".csv"),
    ],
)
def test_I_a_file_of_rejected_rows_is_of_the_source_of_its_first_file(name: str, source: str) -> None:
    assert _stem(Path(name)) == source

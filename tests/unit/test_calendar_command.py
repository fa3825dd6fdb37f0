"""`leadline calendar FILE`, which needs no running system: what it prints and its exit status (C2)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.ops.main import main

FILE = """\
team: sales
time_zone: Europe/Moscow
hours: {weekdays: ["09:00-18:00"], fri: ["09:00-17:00"]}
absences: [{who: olga, from: 2026-12-01, to: 2099-12-14}]
"""


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No system is configured, none runs here."""
    for name in ("DATABASE_URL", "LEADLINE_DATA", "KAFKA_BOOTSTRAP", "LEADLINE_LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def written(text: str) -> str:
    """A file of this text."""
    Path("sales.yaml").write_text(text, "utf-8")
    return "sales.yaml"


def test_C2_a_right_file_is_summed_up_in_both_languages(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["calendar", written(FILE)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "sales.yaml: календарь команды sales годится",
        "  часовой пояс: Europe/Moscow",
        "  часы: пн–чт 09:00–18:00; пт 09:00–17:00; сб, вс выходной",
    ]
    assert lines[-1] == "    olga: 01.12.2026–14.12.2099"
    monkeypatch.setenv("LEADLINE_LANGUAGE", "en")
    assert main(["calendar", "sales.yaml"]) == 0
    assert capsys.readouterr().out.splitlines()[2] == "  hours: Mon–Thu 09:00–18:00; Fri 09:00–17:00; Sat, Sun off"


def test_C2_the_coming_days_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calendar", written(FILE), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["team"], told["number"], len(told["days"])) == (True, "sales", None, 90)
    assert sum(not day["hours"] for day in told["days"]) in (25, 26)


def test_C2_faults_are_printed_line_by_line_and_end_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = FILE.replace("Europe/Moscow", "Mars").replace("18:00", "08:00")
    assert main(["calendar", written(wrong), "--language", "en"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.partition(": ")[0] for line in err.removeprefix("leadline: ").splitlines()] == [
        *("sales.yaml:2", "sales.yaml:3"),
    ]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ([], "name a calendar's file, or show the one in force: leadline calendar --show"),
        (["sales.yaml", "--show"], "--show shows what is in force: leave the file and --publish out"),
        (["--show", "--publish"], "--show shows what is in force: leave the file and --publish out"),
        (["sales.yaml", "--team", "sales"], "the file says whose calendar it is; --team goes with --show"),
        (["none.yaml"], "none.yaml: cannot be read"),
        (["--show"], "no running system in data"),
    ],
)
def test_C2_what_cannot_be_done_is_one_clear_line(
    typed: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    written(FILE)
    assert main(["calendar", *typed]) == 2
    assert said in capsys.readouterr().err

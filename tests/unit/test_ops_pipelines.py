"""`leadline test` and `leadline playbook` at the terminal: what is printed, where, and the exit status (M3, P2)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.ops.main import main
from services.pipelines import bundled


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No system is configured, none runs here."""
    for name in ("DATABASE_URL", "LEADLINE_DATA", "KAFKA_BOOTSTRAP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def classic(tmp_path: Path) -> Path:
    """A company's own copy of the classic pipeline, with no scenarios beside it."""
    file = bundled.pipeline_file("classic")
    assert file is not None
    path = tmp_path / "ours.yaml"
    path.write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    return path


def beside(pipeline: Path, text: str) -> Path:
    """Scenarios where they are looked for."""
    path = pipeline.parent / "scenarios" / f"{pipeline.stem}.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


GOOD = "Воронка: classic\nСценарий: первый\nДано лид в стадии «Новый»\nТогда лид в работе\n"
BAD = "Воронка: classic\nСценарий: второй\nДано лид в стадии «Новый»\nТогда лид закрыт\n"
UNKNOWN = "Воронка: classic\nСценарий: третий\nДано лид в стадии «Старый»\nТогда лид закрыт\n"


def test_M3_scenarios_beside_the_file_are_played(classic: Path, capsys: pytest.CaptureFixture[str]) -> None:
    beside(classic, GOOD)
    assert main(["test", str(classic)]) == 0
    out = capsys.readouterr().out
    assert "первый" in out
    assert "сценариев 1: верно 1, неверно 0" in out
    assert "\x1b[" not in out


def test_M3_a_failing_scenario_ends_with_1_and_names_file_line_and_both_sides(
    classic: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    beside(classic, BAD)
    assert main(["test", str(classic)]) == 1
    out = capsys.readouterr().out
    for part in (
        "ours.txt:4: Тогда лид закрыт",
        "ожидалось: лид закрыт",
        "вышло: лид в стадии «Новый»",
        "История лида:",
    ):
        assert part in out


def test_M3_scenarios_can_be_named(classic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = tmp_path / "elsewhere.txt"
    elsewhere.write_text(BAD, encoding="utf-8")
    beside(classic, GOOD)
    assert main(["test", str(classic), "--scenarios", str(elsewhere)]) == 1
    assert "второй" in capsys.readouterr().out


def test_M3_without_its_own_scenarios_a_pipeline_of_a_bundled_id_is_held_against_those(
    classic: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["test", str(classic)]) == 0
    assert "classic.txt" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("scenarios", "said"),
    [
        ("Воронка: classic\nСценарий: а\nТогда лид ещё\n", "ours.txt:3: не понимаю «лид ещё»"),
        ("Воронка: loans\nСценарий: а\nТогда отказ\n", "ours.txt:1: сценарии написаны для воронки loans"),
    ],
)
def test_M3_scenarios_that_cannot_be_read_end_with_2(
    classic: Path, capsys: pytest.CaptureFixture[str], scenarios: str, said: str
) -> None:
    beside(classic, scenarios)
    assert main(["test", str(classic)]) == 2
    assert said in capsys.readouterr().err


def test_M3_a_scenario_that_names_what_is_not_there_ends_with_2(
    classic: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    beside(classic, BAD.replace("Воронка", "Воронка", 1) + UNKNOWN.partition("\n")[2])
    assert main(["test", str(classic)]) == 2
    assert "в воронке нет стадии «Старый»" in capsys.readouterr().out


def test_M3_results_for_programs(classic: Path, capsys: pytest.CaptureFixture[str]) -> None:
    beside(classic, GOOD + BAD.partition("\n")[2])
    assert main(["test", str(classic), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [(one["name"], one["outcome"], one["at"]) for one in found["scenarios"]] == [
        ("первый", "ok", None),
        ("второй", "failed", 7),
    ]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["test", "nothing.yaml"], "nothing.yaml: cannot be read"),
        (["test", "nothing"], "nothing: no such file, and no bundled pipeline of this id"),
        (["playbook", "nothing.yaml"], "nothing.yaml: cannot be read"),
        (["playbook", "nothing"], "no running system"),
    ],
)
def test_M3_P2_what_is_not_there_is_one_line_and_2(
    capsys: pytest.CaptureFixture[str], typed: list[str], said: str
) -> None:
    assert main(typed) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert len(err.splitlines()) == 1


def test_M3_a_pipeline_without_scenarios_is_told_where_they_belong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "own.yaml"
    titles = "{ru: Свой, en: Own}"
    path.write_text(
        f"pipeline: own\ntitles: {titles}\nconversion_point: b\n"
        f"stages: [{{id: a, titles: {titles}, kind: open}}, {{id: b, titles: {titles}, kind: won}}]\n",
        encoding="utf-8",
    )
    assert main(["test", str(path)]) == 2
    assert f"write them to {tmp_path / 'scenarios' / 'own.txt'}" in capsys.readouterr().err


def test_P2_a_file_is_printed_in_each_form(classic: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    for form, begins in (("md", "# Таблица продавца"), ("html", "<!DOCTYPE html>"), ("csv", '\ufeff"Статус"')):
        assert main(["playbook", str(classic), "--format", form]) == 0
        assert capfdbinary.readouterr().out.decode().startswith(begins)
    assert main(["playbook", str(classic), "--language", "en"]) == 0
    assert "| **Processing** |" in capfdbinary.readouterr().out.decode()


def test_P2_without_a_system_a_bundled_pipeline_is_printed_and_that_is_said(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    assert main(["playbook", "services"]) == 0
    out, err = capfdbinary.readouterr()
    assert out.decode().startswith("# Таблица продавца: Услуги")
    assert b"this is services as it comes with Leadline" in err

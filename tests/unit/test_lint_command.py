"""`leadline lint FILE`: what it prints and its exit status (S5, M3)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.ops.main import main

FILE = """\
pipeline: small
titles: {ru: "Малая", en: "Small"}
conversion_point: won
stages:
  - id: new
    titles: {ru: "Новый", en: "New"}
    kind: open
    limit: {after: {days: 1}}
    exit: [{fact: seen}]
  - id: call
    titles: {ru: "Перезвонить", en: "Call back"}
    kind: open
    limit: {after: {days: 1}}
    exit: [{contact: reachable}]
  - {id: won, titles: {ru: "Сделка", en: "Deal"}, kind: won}
  - {id: lost, titles: {ru: "Отказ", en: "Lost"}, kind: lost}
"""
EXPECTED = """\
expected_findings:
  - {rule: S4.action_title, stage: call, why: {ru: "так её зовут все", en: "everyone calls it so"}}
"""


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No system is configured, none runs here."""
    for name in ("DATABASE_URL", "LEADLINE_DATA", "KAFKA_BOOTSTRAP", "LEADLINE_LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def written(text: str) -> str:
    """A file of this text."""
    Path("small.yaml").write_text(text, "utf-8")
    return "small.yaml"


def test_S5_findings_are_printed_with_place_harm_and_mending_and_end_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", written(FILE)]) == 1
    assert capsys.readouterr().out == (
        "small.yaml:11: stages[1].titles.ru: замечание S4.action_title: «Перезвонить» (Call back) — действие, а не стадия\n"
        "    чем вредит: Действий в одной стадии бывает сколько угодно, и их число не говорит о продвижении.\n"
        "    как исправить: Сделайте действие делом лида, а стадию назовите этапом работы: «В обработке», «Предложение».\n"
        "small.yaml: замечание: 1\n"
    )


def test_S5_it_speaks_english_too(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["lint", written(FILE), "--language", "en"]) == 1
    out = capsys.readouterr().out
    assert "small.yaml:11: stages[1].titles.ru: warning S4.action_title: “Call back” (Перезвонить) is an action" in out
    monkeypatch.setenv("LEADLINE_LANGUAGE", "en")
    assert main(["lint", "small.yaml"]) == 1
    assert capsys.readouterr().out == out


def test_S5_an_expected_finding_is_shown_with_its_reason_and_fails_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", written(FILE + EXPECTED)]) == 0
    out = capsys.readouterr().out
    assert "    ожидается: так её зовут все\n" in out
    assert "чем вредит" not in out
    assert out.endswith("small.yaml: исправлять нечего (ожидается: 1)\n")


def test_S5_an_expected_finding_that_is_not_there_is_a_finding(capsys: pytest.CaptureFixture[str]) -> None:
    text = FILE.replace('"Перезвонить", en: "Call back"', '"В обработке", en: "Processing"')
    assert main(["lint", written(text + EXPECTED)]) == 1
    out = capsys.readouterr().out
    assert (
        "small.yaml:18: expected_findings[0]: замечание S5.expected_is_gone: замечания S4.action_title (call) здесь нет"
        in out
    )


def test_S5_info_alone_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    text = FILE.replace('"Перезвонить", en: "Call back"', '"В обработке", en: "Processing"').replace(
        "    limit: {after: {days: 1}}\n", ""
    )
    assert main(["lint", written(text)]) == 0
    assert capsys.readouterr().out.endswith("small.yaml: исправлять нечего (к сведению: 2)\n")


def test_S5_json_has_everything_in_both_languages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", written(FILE), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["pipeline"], found["ok"], found["visits"]) == ("small", False, None)
    (finding,) = found["findings"]
    assert (finding["rule"], finding["severity"], finding["line"]) == ("S4.action_title", "warning", 11)
    assert finding["path"] == ["stages", 1, "titles", "ru"]
    assert finding["stages"] == ["call"]
    for words in ("said", "why", "mend"):
        assert set(finding[words]) == {"ru", "en"}
    assert main(["lint", written(FILE.replace("kind: won", "kind: win")), "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert found["invalid"] == [
        'small.yaml:15: stages[2].kind: "win" is not possible; expected one of: open, won, lost, postponed'
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "small.yaml does not exist"), ("Новый".encode("cp1251"), "small.yaml is no UTF-8"), (b"", "empty")],
)
def test_S5_what_cannot_be_read_ends_with_2_and_one_line(
    content: bytes | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        Path("small.yaml").write_bytes(content)
    assert main(["lint", "small.yaml"]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_S5_a_byte_order_mark_does_no_harm() -> None:
    Path("small.yaml").write_bytes(b"\xef\xbb\xbf" + (FILE + EXPECTED).encode())
    assert main(["lint", "small.yaml"]) == 0


def test_S5_history_needs_a_system(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", written(FILE), "--history"]) == 2
    assert "leadline up" in capsys.readouterr().err

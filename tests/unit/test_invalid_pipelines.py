"""Pipeline files that are wrong, each with exactly what the person who wrote it is told (M3)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from services.ops.main import main
from services.pipelines.language import PipelineError, read_pipeline, read_written_pipeline
from services.strict_yaml import LOADERS, SOURCE_CHARACTERS

FOLDER = Path(__file__).parent / "invalid_pipelines"
FILES = sorted(FOLDER.glob("*.yaml"))
GOOD = (Path(__file__).parents[2] / "contracts" / "pipelines" / "classic.yaml").read_text("utf-8")


def said(file: Path) -> dict[str, str]:
    """What is said of a file, by language."""
    with pytest.raises(PipelineError) as caught:
        read_pipeline(file.read_text("utf-8"), file.name)
    return {"en": str(caught.value), "ru": caught.value.ru}


def test_M3_there_are_at_least_25_invalid_files_and_each_has_its_message_beside_it() -> None:
    assert len(FILES) >= 25
    messages = {f"{file.stem}.{language}.txt" for file in FILES for language in ("en", "ru")}
    assert messages == {file.name for file in FOLDER.glob("*.txt")}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_M3_an_invalid_file_is_told_in_exactly_these_words(file: Path) -> None:
    for language, text in said(file).items():
        assert text + "\n" == file.with_suffix(f".{language}.txt").read_text("utf-8")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_M3_every_message_names_the_line_and_nothing_of_the_machinery(file: Path) -> None:
    lines = len(file.read_text("utf-8").splitlines())
    told = said(file)
    assert len(told["en"].splitlines()) == len(told["ru"].splitlines())
    assert told["en"] != told["ru"]
    for message in (*told["en"].splitlines(), *told["ru"].splitlines()):
        found = re.match(rf"{re.escape(file.name)}(?::(\d+))?: ", message)
        assert found is not None
        assert file.stem == "empty" or 1 <= int(found[1]) <= lines + 1
        for word in ("Input should", "tuple", "dict", "NoneType", "pydantic", "None", "regex", "^["):
            assert word not in message


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("titles", "en"), 3),
        (("stages", 1), 18),
        (("stages", 1, "exit", 2, "field"), 24),
        (("stages", 1, "limit"), 18),
        (("nowhere",), 2),
    ],
)
def test_M3_a_path_is_found_in_the_file_or_else_the_part_it_is_missing_from(
    path: tuple[str | int, ...], line: int
) -> None:
    written = read_written_pipeline(SMALL, "small.yaml")
    assert written.line(path) == line


SMALL = """# a small one
pipeline: small
titles: {ru: "Малая", en: "Small"}
conversion_point: won
fields:
  - {id: needs, titles: {ru: "Потребности", en: "Needs"}}
stages:
  - id: new
    titles: {ru: "Новый", en: "New"}
    kind: open
    exit:
      - {fact: seen}



  # what follows is counted from its dash

  - id: work
    titles: {ru: "В обработке", en: "Processing"}
    kind: open
    exit:
      - {fact: accepted}
      - {contact: reachable}
      - {field: needs}
  - {id: won, titles: {ru: "Сделка", en: "Deal"}, kind: won}
  - {id: lost, titles: {ru: "Отказ", en: "Lost"}, kind: lost}
"""


WORDS_OF_1_1 = """pipeline: small
titles: {ru: "Малая", en: Off}
conversion_point: won
fields:
  - id: needs
    titles: {ru: нет, en: no}
    type: choice
    options: [{id: yes, titles: {ru: y, en: Yes}}, {id: no, titles: {ru: n, en: NO}}]
stages:
  - id: on
    titles: {ru: "Новый", en: ON}
    kind: open
  - id: off
    titles: {ru: 1:30, en: 2026-01-01}
    kind: open
    triggers:
      - {id: answered, titles: {ru: on, en: 0o17}, on: letter, when: "card.needs == 'no'"}
      - id: missed
        titles: {ru: 1_000, en: "off"}
        on: call_missed
        from_stages: [on]
  - {id: won, titles: {ru: "Сделка", en: "Deal"}, kind: won}
"""


@pytest.mark.parametrize("loader", LOADERS, ids=lambda loader: loader.__name__)
def test_M3_on_yes_no_and_off_are_texts_as_keys_and_as_values(
    loader: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.strict_yaml.LOADERS", (loader,))
    read = read_pipeline(WORDS_OF_1_1)
    assert [stage.id for stage in read.stages] == ["on", "off", "won"]
    assert read.titles.en == "Off"
    assert [(option.id, option.titles.ru, option.titles.en) for option in read.fields[0].options] == [
        ("yes", "y", "Yes"),
        ("no", "n", "NO"),
    ]
    assert [(t.on, t.titles.ru, t.titles.en) for t in read.stages[1].triggers] == [
        ("letter", "on", "0o17"),
        ("call_missed", "1_000", "off"),
    ]
    assert (read.stages[1].titles.ru, read.stages[1].titles.en) == ("1:30", "2026-01-01")


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("on: yes", 'small.yaml:20: stages[1].triggers[1].on: "yes" is not possible; expected one of: letter, '),
        ("'on': true", 'small.yaml:20: stages[1].triggers[1].on: "true" is not possible; expected one of: letter, '),
        ("on:", "small.yaml:20: stages[1].triggers[1].on: is empty; expected one of: letter, "),
        (
            "true: call_missed",
            "small.yaml:20: stages[1].triggers[1]: the key true is no text; where a program wrote the",
        ),
        (
            "yes: call_missed",
            "small.yaml:18: stages[1].triggers[1].on: is missing here; write on: …\nsmall.yaml:20: stages[1]",
        ),
        ("12: call_missed", 'small.yaml:20: stages[1].triggers[1]: the key 12 is no text; put it in quotes: "12"'),
        (
            "[on]: call_missed",
            "small.yaml:20: stages[1].triggers[1]: a key is a text, not a list and no keys of its own",
        ),
        (
            "on: call_missed\n        on: visit",
            "small.yaml:21: stages[1].triggers[1].on: stands twice, first in line 20",
        ),
    ],
)
@pytest.mark.parametrize("loader", LOADERS, ids=lambda loader: loader.__name__)
def test_M3_what_is_wrong_with_on_is_told_with_file_line_and_path(
    written: str, told: str, loader: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.strict_yaml.LOADERS", (loader,))
    with pytest.raises(PipelineError) as caught:
        read_pipeline(WORDS_OF_1_1.replace("on: call_missed", written), "small.yaml")
    assert str(caught.value).startswith(told)


def test_M3_one_node_under_many_names_is_looked_at_once() -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(24)
    )
    with pytest.raises(PipelineError, match="unknown here"):
        read_pipeline(bomb)


def test_M3_a_text_that_is_too_long_or_too_deep_is_refused() -> None:
    with pytest.raises(PipelineError, match="longer than"):
        read_pipeline("#" * (SOURCE_CHARACTERS + 1))
    with pytest.raises(PipelineError, match="nested too deep"):
        read_pipeline("[" * 5_000)


def test_M3_lint_tells_an_invalid_file_and_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    file = FOLDER / "several_at_once.yaml"
    assert main(["lint", str(file), "--language", "en"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"leadline: {file}: to mend: 3\n")
    assert told.err.count(f"{file}:") == 4
    assert main(["lint", str(file), "--language", "ru"]) == 2
    assert capsys.readouterr().err.startswith(f"leadline: {file}: исправить: 3\n{file}:4: conversion_point: ")


def test_M3_what_is_good_is_read() -> None:
    assert read_pipeline(GOOD).pipeline == "classic"

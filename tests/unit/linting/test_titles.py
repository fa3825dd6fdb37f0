"""How well stage titles are read: precision and recall on two hundred labelled ones, and on those of well-known CRMs (S5).

`pytest tests/unit/linting/test_titles.py -s` prints the figures.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from services.pipelines.lexicons import bundled
from services.pipelines.linting.lexicon import Lexicon
from services.pipelines.linting.scale import same_meaning
from services.pipelines.linting.titles import Reading, read_title

LABELLED: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "titles.yaml").read_text("utf-8"))
FORMS = ("action", "done", "expected", "outcome", "fine")
FLOORS = {"developed": 0.95, "held_out": 0.9, "elsewhere": 0.85}
"""The share of titles read as labelled that each part must reach."""


def read(title: str) -> Reading:
    """A title in its own language."""
    return read_title(title, bundled().ru if re.search("[а-яё]", title.lower()) else bundled().en)


def pairs(part: str) -> Iterator[tuple[str, str]]:
    """(label, form as read) of every title of a part."""
    for label, its_titles in LABELLED[part].items():
        for title in its_titles:
            yield label, read(title).form


def test_S5_there_are_two_hundred_labelled_titles_half_of_them_held_out() -> None:
    counts = {part: sum(len(found) for found in LABELLED[part].values()) for part in ("developed", "held_out")}
    assert counts == {"developed": 100, "held_out": 100}
    every = [title for part in FLOORS for found in LABELLED[part].values() for title in found]
    assert len(set(every)) == len(every)
    for form in FORMS:
        assert len(LABELLED["developed"][form]) >= 10
        assert len(LABELLED["held_out"][form]) >= 10


@pytest.mark.parametrize("part", FLOORS)
def test_S5_precision_and_recall_of_the_forms(part: str) -> None:
    found = list(pairs(part))
    right = sum(label == form for label, form in found)
    print(f"\n{part}: {right} of {len(found)} titles read as labelled")
    for form in FORMS:
        hits = sum(label == read_as == form for label, read_as in found)
        read_so, meant_so = sum(r == form for _, r in found), sum(label == form for label, _ in found)
        precision, recall = hits / read_so if read_so else 1.0, hits / meant_so if meant_so else 1.0
        print(
            f"  {form:<9} precision {precision:.2f} ({hits} of {read_so})  recall {recall:.2f} ({hits} of {meant_so})"
        )
        if form == "action":
            assert precision >= 0.9
            assert recall >= 0.9
    assert right / len(found) >= FLOORS[part]


@pytest.mark.parametrize("part", ["developed", "held_out"])
def test_S5_precision_and_recall_of_overlaps(part: str) -> None:
    same = [same_meaning(read(one), read(other)) for one, other in LABELLED["overlapping"][part]]
    wrong = [same_meaning(read(one), read(other)) for one, other in LABELLED["apart"][part]]
    hits, told = sum(same), sum(same) + sum(wrong)
    print(
        f"\n{part}: overlaps: precision {hits / max(told, 1):.2f}, recall {hits / len(same):.2f} of {len(same)} pairs"
    )
    assert hits / len(same) >= 0.8
    assert hits / max(told, 1) >= 0.8


@pytest.mark.parametrize("title", ["", "   ", "—", "123", "???", "A" * 200, "з" * 200, "🙂", "\u0000", "Звонок" * 30])
def test_S5_any_title_is_read(title: str) -> None:
    for lexicon in (bundled().ru, bundled().en):
        assert read_title(title, lexicon).form in FORMS


def test_S5_the_letter_yo_and_capitals_make_no_difference() -> None:
    assert read("СЧЁТ ВЫСТАВЛЕН") == read("счет выставлен")


def test_S5_a_lexicon_is_read_strictly() -> None:
    good = bundled().ru.model_dump()
    for wrong in (
        {**good, "colour": 1},
        {**good, "deeds": {}},
        {**good, "absorbs": {"nothing": ["offer"]}},
        {**good, "things": {"empty": {"stems": [], "words": []}}},
        {**good, "pending": ["Ожида"]},
    ):
        with pytest.raises(ValidationError):
            Lexicon.model_validate(wrong)

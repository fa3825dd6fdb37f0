"""Every example of seed 000, to flag and not to flag (S4, S5)."""

from __future__ import annotations

from pathlib import Path

import pytest

import contracts
from services.pipelines.linted import lint_text
from tests.unit.linting.pipelines import findings, named, stages_of

CLASSIC = Path(contracts.__file__).parent / "pipelines" / "classic.yaml"


@pytest.mark.parametrize(
    "title",
    [
        "Перезвонить",
        "Отправить письмо",
        "Отправлено письмо",
        "Уточнить адрес электронной почты",
        "Уточнить адрес",
        "Отправить КП",
    ],
)
def test_S4_what_the_seed_calls_an_action_is_one(title: str) -> None:
    found = findings(named("Новый", "В обработке", title), "S4.action_title")
    assert stages_of(found) == {"s2"}
    assert title in found[0].said.ru
    assert found[0].path == ("stages", 2, "titles", "ru")


@pytest.mark.parametrize(
    "title", ["Новый", "В обработке", "Предложение", "Дожатие", "Обработан", "Отправлено предложение"]
)
def test_S4_what_the_seed_calls_a_stage_is_no_action(title: str) -> None:
    assert not findings(named("Новый", title), "S4.action_title")


def test_S5_clarifying_information_and_finding_out_details_overlap() -> None:
    found = findings(named("Новый", "Уточнение информации", "Выяснение деталей"), "S5.overlap_titles")
    assert stages_of(found) == {"s1", "s2"}


def test_S5_prepared_and_sent_are_a_pair() -> None:
    found = findings(named("Обработан", "Подготовлено КП", "Отправлено КП"), "S5.prepared_and_sent")
    assert stages_of(found) == {"s1", "s2"}
    assert not findings(named("Обработан", "Подготовлено КП", "Отправлено КП"), "S5.mixed_style")


@pytest.mark.parametrize(
    "scale",
    [
        ("Новый", "В обработке", "Предложение", "Дожатие"),
        ("Новый", "Обработан", "Отправлено предложение"),
    ],
)
def test_S5_either_style_alone_is_right(scale: tuple[str, ...]) -> None:
    assert not findings(named(*scale), "S5.mixed_style")
    assert not [f for f in findings(named(*scale)) if f.rule.startswith(("S4", "S5.over", "S5.prep", "S5.order"))]


def test_S5_two_styles_in_one_scale_are_a_finding_on_the_fewer() -> None:
    found = findings(named("Новый", "В обработке", "Отправлено предложение", "Дожатие"), "S5.mixed_style")
    assert stages_of(found) == {"s2"}
    found = findings(named("Новый", "Обработан", "Отправлено предложение", "Дожатие"), "S5.mixed_style")
    assert stages_of(found) == {"s3"}


def test_S5_preparing_an_offer_and_having_sent_it_are_no_pair_of_minutes() -> None:
    assert not findings(named("Новый", "Подготовка КП", "Отправлено КП"), "S5.prepared_and_sent")


def test_S5_the_seeds_own_scale_has_nothing_to_mend() -> None:
    linted = lint_text(CLASSIC.read_text("utf-8"), CLASSIC.name)
    assert linted.ok
    assert {finding.severity for finding in linted.findings} <= {"info"}


def test_S5_reject_statuses_count_as_one() -> None:
    scale = lint_text(CLASSIC.read_text("utf-8")).pipeline
    assert sum(stage.kind == "lost" for stage in scale.stages) == 4
    assert not findings(scale, "S5.stage_count")

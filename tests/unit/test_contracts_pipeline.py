"""The pipeline language: what is understood, and in which words the incoherent is refused (M3, S1, S2)."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from pydantic import ValidationError

import contracts
from contracts.pipeline import ContactCriterion, FactCriterion, FieldCriterion, Pipeline


class Yaml12(yaml.SafeLoader):
    """YAML 1.2 as we read it: on, off, yes and no are texts."""


Yaml12.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:bool" or first in "tTfF"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
BUNDLED = sorted((Path(contracts.__file__).parent / "pipelines").glob("*.yaml"))


def titles(text: str) -> dict[str, str]:
    """The same title in both languages."""
    return {"ru": text, "en": text}


GOOD: dict[str, Any] = {
    "pipeline": "small",
    "titles": titles("Small"),
    "conversion_point": "won",
    "fields": [{"id": "needs", "titles": titles("Needs")}],
    "stages": [
        {
            "id": "new",
            "titles": titles("New"),
            "kind": "open",
            "exit": [
                {"fact": "seen", "titles": titles("seen")},
                {"field": "needs", "titles": titles("needs")},
                {"contact": "reachable", "titles": titles("reachable")},
            ],
        },
        {"id": "work", "titles": titles("Work"), "kind": "open"},
        {"id": "won", "titles": titles("Won"), "kind": "won"},
        {"id": "lost", "titles": titles("Lost"), "kind": "lost"},
        {"id": "paused", "titles": titles("Paused"), "kind": "postponed"},
    ],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """GOOD with one place changed; `path` is dotted."""
    tree = deepcopy(GOOD)
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    node: Any = tree
    for part in way:
        node = node[part]
    node[last] = value
    return tree


def test_S1_stages_are_in_order_of_progress_and_each_of_a_kind() -> None:
    pipeline = Pipeline.model_validate(GOOD)
    assert pipeline.first.id == "new"
    assert pipeline.scale == ("new", "work", "won")
    assert [pipeline.place(stage) for stage in ("new", "work", "won", "lost", "paused", "other")] == [
        1,
        2,
        3,
        None,
        None,
        None,
    ]
    assert list(pipeline.by_id) == ["new", "work", "won", "lost", "paused"]
    assert pipeline.field_ids == {"needs"}


def test_S2_exit_criteria_are_of_three_kinds() -> None:
    criteria = Pipeline.model_validate(GOOD).first.exit
    kinds = [type(criterion).__name__ for criterion in criteria]
    assert kinds == [FactCriterion.__name__, FieldCriterion.__name__, ContactCriterion.__name__]


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("stages.1.id", "new", "stage ids must be unique; twice: new"),
        (
            "stages.0",
            {"id": "new", "titles": titles("New"), "kind": "won"},
            "the first stage, new, must be of kind open",
        ),
        ("stages.0.kind", "won", "stage new: exit goes with open stages; this one is won"),
        ("conversion_point", "deal", "conversion_point names no stage: deal"),
        ("stages.0.exit.1.field", "budget", "stage new: exit criterion names no field of the card: budget"),
        ("stages.0.id", "Новый", "stages.0.id"),
        ("stages.0.kind", "closed", "stages.0.kind"),
        ("stages.0.titles", {"ru": "Новый"}, "stages.0.titles.en"),
        ("stages.0.titles.en", "", "stages.0.titles.en"),
        (
            "stages.0.exit.0.fact",
            "called",
            "stage new: exit criterion names no fact: called; did you mean call_held?; there are: accepted, answer",
        ),
        ("stages.0.colour", "red", "stages.0.colour"),
        ("colour", "red", "colour"),
        ("stages", [GOOD["stages"][0]], "stages"),
    ],
)
def test_M3_an_incoherent_pipeline_is_refused_with_place_and_words(path: str, value: Any, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Pipeline.model_validate(changed(path, value))
    errors = [f"{'.'.join(map(str, found['loc']))} {found['msg']}" for found in caught.value.errors()]
    assert any(words in error for error in errors), errors


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.stem)
def test_M3_bundled_pipelines_are_valid_by_model_and_published_schema(path: Path) -> None:
    tree = yaml.load(path.read_text("utf-8"), Yaml12)  # noqa: S506 - a SafeLoader of 1.2
    assert Pipeline.model_validate(tree).pipeline == path.stem
    schema = yaml.safe_load((path.parents[1] / "schemas" / "leadline.pipeline_file.v1.json").read_text("utf-8"))
    jsonschema_rs.validator_for(schema).validate(tree)


def test_S1_there_is_a_bundled_pipeline() -> None:
    assert "classic" in [path.stem for path in BUNDLED]

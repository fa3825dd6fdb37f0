"""The pipelines that come with Leadline, and their scenarios: package data of `contracts`.

Beside a pipeline's file its scenarios stand in `scenarios/`, under the same name: `classic.yaml`, `scenarios/classic.txt`.
"""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

SCENARIOS: Final = "scenarios"
"""The folder of scenarios, beside the pipelines."""


def folder() -> Traversable:
    """Where the bundled pipelines are."""
    return resources.files("contracts").joinpath("pipelines")


def pipeline_files() -> list[Traversable]:
    """Their files, by name."""
    return sorted((file for file in folder().iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)


def pipeline_file(pipeline: str) -> Traversable | None:
    """The file of a bundled pipeline's id; each is named by its id."""
    return next((file for file in pipeline_files() if file.name == f"{pipeline}.yaml"), None)


def scenario_file(pipeline: str) -> Traversable | None:
    """The scenarios of a bundled pipeline."""
    file = folder().joinpath(SCENARIOS, f"{pipeline}.txt")
    return file if file.is_file() else None

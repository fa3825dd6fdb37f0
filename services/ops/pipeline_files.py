"""Pipelines that a person names at the terminal: a file, or an id (spec I).

Raises `OpsError` in one line (or one line per fault of the file) with the way out.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from services.ops.place import OpsError, Place

if TYPE_CHECKING:
    from contracts.pipeline import Pipeline

Read = TypeVar("Read")
FILE_BYTES = 2_000_000


def is_file_name(named: str) -> bool:
    """Whether a file is meant, not an id."""
    return named.endswith((".yaml", ".yml")) or "/" in named or "\\" in named or Path(named).is_file()


def read_text(path: Path) -> str:
    """A text file that a person named. Raises OpsError."""
    try:
        raw = path.read_bytes() if path.stat().st_size <= FILE_BYTES else None
    except OSError as error:
        raise OpsError(f"{path}: cannot be read ({error.strerror or error})") from None
    if raw is None:
        raise OpsError(f"{path}: larger than {FILE_BYTES // 1_000_000} MB; is it the right file?")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise OpsError(f"{path}: not UTF-8; save it in this encoding") from None


def read_as(read: Callable[[str, str], Read], text: str, name: str) -> Read:
    """A text read by its reader, whose complaint becomes ours."""
    try:
        return read(text, name)
    except ValueError as error:
        raise OpsError(str(error)) from None


def read_file(path: Path) -> Pipeline:
    """The pipeline in a file. Raises OpsError."""
    from services.pipelines.language import read_pipeline

    return read_as(read_pipeline, read_text(path), path.name)


def read_bundled(pipeline: str) -> Pipeline | None:
    """A bundled pipeline by its id; None where there is none."""
    from services.pipelines import bundled
    from services.pipelines.language import read_pipeline

    file = bundled.pipeline_file(pipeline)
    return None if file is None else read_as(read_pipeline, file.read_text(encoding="utf-8"), file.name)


async def in_force(place: Place, pipeline: str) -> Pipeline:
    """The version in force in a system. Raises OpsError."""
    from services.ops.connect import ops_connection
    from services.pipelines.registry import NoSuchPipelineError, current

    async with ops_connection(place.settings()) as connection:
        try:
            return (await current(connection, pipeline))[0]
        except NoSuchPipelineError as error:
            raise OpsError(str(error)) from None

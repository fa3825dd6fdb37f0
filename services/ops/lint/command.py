"""`leadline lint` at a terminal: the findings in words or as JSON, and the exit status.

Exit status 0: nothing to mend (info and expected findings are told); 1: warnings or errors; 2: the file cannot be read, is no
pipeline, or `--history` was asked for and no system answers. Nothing is changed anywhere.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from services.ops.place import BAD_INPUT, OpsError, Place
from services.ops.terminal import console, plain, print_json

if TYPE_CHECKING:
    from rich.text import Text

    from contracts.pipeline import Pipeline
    from services.pipelines.linted import Linted
    from services.pipelines.linting.finding import Finding, Said
    from services.pipelines.linting.history import History

CLEAN, FOUND = 0, 1
Language = Literal["ru", "en"]
COLOURS = {"error": "bold red", "warning": "yellow", "info": "cyan"}
WORDS: dict[str, dict[Language, str]] = {
    "error": {"ru": "ошибка", "en": "error"},
    "warning": {"ru": "замечание", "en": "warning"},
    "info": {"ru": "к сведению", "en": "info"},
    "expected": {"ru": "ожидается", "en": "expected"},
    "why": {"ru": "чем вредит", "en": "why it harms"},
    "mend": {"ru": "как исправить", "en": "how to mend"},
    "faults": {"ru": "исправить", "en": "to mend"},
    "clean": {"ru": "исправлять нечего", "en": "nothing to mend"},
}


async def lint(file: Path, place: Place | None, *, as_json: bool, language: Language) -> int:
    """Lint a file, print what was found, and return the exit status. `place`: the running system whose visits and teams are
    read too.

    Raises OpsError when the file is no pipeline, or the system does not answer.
    """
    from services.pipelines.language import PipelineError, read_written_pipeline
    from services.pipelines.linted import lint_written

    try:
        written = read_written_pipeline(_read(file), str(file))
    except PipelineError as error:
        faults = (error.ru if language == "ru" else str(error)).splitlines()
        if as_json:
            invalid = {"ru": error.ru.splitlines(), "en": str(error).splitlines()}
            print_json({"file": str(file), "ok": False, "invalid": invalid, "findings": []})
            return BAD_INPUT
        raise OpsError(
            "\n".join([f"{file}: {WORDS['faults'][language]}: {len(faults)}", *faults] if faults[1:] else faults)
        ) from None
    history, teams = await _of_system(place, written.model) if place is not None else (None, None)
    linted = lint_written(written, history, teams=teams)
    if as_json:
        print_json(as_object(linted, history))
    else:
        _print(linted, language)
    return CLEAN if linted.ok else FOUND


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise OpsError(f"{file} does not exist") from None
    except UnicodeDecodeError as error:
        raise OpsError(f"{file} is no UTF-8 (byte {error.start + 1}); save it as UTF-8") from None
    except OSError as error:
        raise OpsError(f"{file} cannot be read: {error.strerror or error}") from None


async def _of_system(place: Place, pipeline: Pipeline) -> tuple[History, frozenset[str]]:
    from projections.reading import NotBuiltError
    from services.ops.connect import ops_connection
    from services.ops.lint import store
    from services.teams import store as teams

    async with ops_connection(place.settings()) as connection:
        try:
            return await store.history_of(connection, pipeline), frozenset(await teams.teams(connection))
        except NotBuiltError as error:
            raise OpsError(f"{error}; start the system once: leadline up") from None


def as_object(linted: Linted, history: History | None) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "file": linted.written.file,
        "pipeline": linted.pipeline.pipeline,
        "ok": linted.ok,
        "visits": None if history is None else sum(stay.ended for stay in history.stays.values()),
        "findings": [_finding(linted, finding) for finding in linted.findings],
    }


def _finding(linted: Linted, finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "fails": finding.fails,
        "line": linted.written.line(finding.path),
        "place": linted.written.place(finding.path),
        "path": list(finding.path),
        "stages": list(finding.stages),
        "said": finding.said._asdict(),
        "why": finding.why._asdict(),
        "mend": finding.mend._asdict(),
        "expected": None if finding.expected is None else finding.expected._asdict(),
    }


def _print(linted: Linted, language: Language) -> None:
    from rich.text import Text

    out = console()
    for finding in linted.findings:
        out.print(_headline(linted, finding, language))
        if finding.expected is not None:
            out.print(Text(f"    {WORDS['expected'][language]}: {plain(_in(finding.expected, language))}", style="dim"))
            continue
        for name, words in (("why", finding.why), ("mend", finding.mend)):
            out.print(Text(f"    {WORDS[name][language]}: {plain(_in(words, language))}", style="dim"))
    counted = Counter("expected" if finding.expected is not None else finding.severity for finding in linted.findings)
    sums = ", ".join(f"{WORDS[kind][language]}: {counted[kind]}" for kind in WORDS if counted[kind])
    file = linted.written.file
    if linted.ok:
        out.print(Text(f"{file}: {WORDS['clean'][language]}{f' ({sums})' if sums else ''}", style="bold green"))
    else:
        out.print(Text(f"{file}: {sums}", style="bold red"))


def _headline(linted: Linted, finding: Finding, language: Language) -> Text:
    from rich.text import Text

    known = finding.expected is not None
    line = Text(f"{linted.written.place(finding.path)}: ", style="dim" if known else "")
    line.append(f"{WORDS[finding.severity][language]} ", style="dim" if known else COLOURS[finding.severity])
    line.append(f"{finding.rule}", style="dim" if known else "bold")
    line.append(f": {plain(_in(finding.said, language))}")
    return line


def _in(said: Said, language: Language) -> str:
    return said.ru if language == "ru" else said.en

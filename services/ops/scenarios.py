"""`leadline test FILE`: a pipeline's scenarios, played on the real rules (M3, docs/howto/pipelines.md).

Exit status: 0 every scenario came out as written; 1 some did not; 2 the pipeline or the scenarios cannot be read, or the
scenarios name what the pipeline does not have. Nothing but the two files is read, no system is needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.ops.pipeline_files import is_file_name, read_as, read_bundled, read_file, read_text
from services.ops.place import BAD_INPUT, OpsError
from services.ops.terminal import console, plain, print_json

if TYPE_CHECKING:
    from contracts.pipeline import Pipeline
    from services.leads.scenarios import Played, Script

FAILED = 1


def play(named: str, scenarios: Path | None, as_json: bool) -> int:
    """Play the scenarios of a file, or of a bundled pipeline's id, and print how each came out. Raises OpsError."""
    from services.leads.scenarios import run_script

    pipeline = _pipeline(named)
    script = _script(named, scenarios) or _bundled_script(named, pipeline.pipeline)
    try:
        played = run_script(script, pipeline)
    except ValueError as error:
        raise OpsError(str(error)) from None
    if as_json:
        print_json({"pipeline": pipeline.pipeline, "scenarios": [_as_object(one, script) for one in played]})
    else:
        _print(played, script, pipeline)
    if any(one.wrong for one in played):
        return BAD_INPUT
    return 0 if all(one.ok for one in played) else FAILED


def _pipeline(named: str) -> Pipeline:
    if is_file_name(named):
        return read_file(Path(named))
    bundled = read_bundled(named)
    if bundled is None:
        raise OpsError(f"{named}: no such file, and no bundled pipeline of this id")
    return bundled


def _script(named: str, scenarios: Path | None) -> Script | None:
    """The scenarios named, else those beside the file; None where there are neither."""
    from services.leads.scenarios import read_script
    from services.pipelines.bundled import SCENARIOS

    path = scenarios
    if path is None and is_file_name(named):
        beside = Path(named).parent / SCENARIOS / f"{Path(named).stem}.txt"
        path = beside if beside.is_file() else None
    return None if path is None else read_as(read_script, read_text(path), path.name)


def _bundled_script(named: str, pipeline: str) -> Script:
    """The scenarios that come with Leadline for a pipeline of this id."""
    from services.leads.scenarios import read_script
    from services.pipelines.bundled import SCENARIOS, scenario_file

    file = scenario_file(pipeline)
    if file is None:
        beside = Path(named).parent / SCENARIOS / f"{Path(named).stem}.txt"
        raise OpsError(f"{named}: there are no scenarios; write them to {beside}, or name a file: --scenarios FILE")
    return read_as(read_script, file.read_text(encoding="utf-8"), file.name)


def _as_object(played: Played, script: Script) -> dict[str, Any]:
    return {
        "name": played.scenario.name,
        "line": played.scenario.line,
        "outcome": "wrong" if played.wrong else "ok" if played.ok else "failed",
        "at": played.at.line if played.at else None,
        "why": list(played.why),
        "story": list(played.told),
        "file": script.file,
    }


def _print(played: tuple[Played, ...], script: Script, pipeline: Pipeline) -> None:
    from rich.text import Text

    from services.leads.scenarios.texts import say

    language = script.language
    out = console()
    title = pipeline.titles.ru if language == "ru" else pipeline.titles.en
    out.print(Text(plain(f"{title} ({pipeline.pipeline}), {script.file}"), style="bold"))
    words = {True: say(language, "ok"), False: say(language, "failed")}
    wide = max(map(len, words.values()))
    for one in played:
        line = Text(f"  {words[one.ok]:<{wide}}  ", style="green" if one.ok else "bold red")
        out.print(line.append(plain(one.scenario.name), style=""))
        for told in one.lines(script.file, language):
            out.print(Text(f"  {'':<{wide}}  {_indented(told)}", style="dim" if told.startswith(" ") else ""))
    good = sum(one.ok for one in played)
    summed = say(language, "summary", all=len(played), good=good, bad=len(played) - good)
    out.print(Text(summed, style="green" if good == len(played) else "bold red"))


def _indented(text: str) -> str:
    lead = len(text) - len(text.lstrip(" "))
    return " " * lead + plain(text)

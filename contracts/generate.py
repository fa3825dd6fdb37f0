"""Writes the published contract: `contracts/schemas/*.json` and `contracts/asyncapi.yaml` (`python -m contracts.generate`).

Invariants: the output depends on nothing but the models and topics, so two runs give the same bytes; files of event versions
no longer current stay as they are, because those events stay on Kafka. With `--check` nothing is written: what is stale is
named and the exit status is 1.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

from contracts.asyncapi import document
from contracts.wire import schemas

FOLDER: Final = Path(__file__).parent


def files() -> dict[Path, str]:
    """Every generated file and what it must hold."""
    wanted = {
        FOLDER / "schemas" / f"{name}.json": json.dumps(schema, ensure_ascii=False, indent=2) + "\n"
        for name, schema in schemas().items()
    }
    wanted[FOLDER / "asyncapi.yaml"] = document()
    return wanted


def stale(wanted: dict[Path, str]) -> list[Path]:
    """Those of the wanted files that are missing or hold something else."""
    return [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]


def main(arguments: list[str]) -> int:
    """Write what is stale, or with `--check` only name it. Returns the exit status."""
    if unknown := [argument for argument in arguments if argument != "--check"]:
        print(f"unknown argument: {unknown[0]}\nusage: python -m contracts.generate [--check]", file=sys.stderr)
        return 2
    wanted = files()
    paths = stale(wanted)
    for path in paths:
        print(f"{'stale' if arguments else 'written'}: {path.relative_to(FOLDER.parent)}")
    if arguments:
        if paths:
            print("run: python -m contracts.generate")
        return 1 if paths else 0
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_text(wanted[path], "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

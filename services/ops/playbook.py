"""`leadline playbook PIPELINE|FILE`: the seller's table, from a file or from the version in force (P2).

Invariant: what is printed is said to be of another version than the one in force where it is: without a system to ask, a
bundled pipeline is printed as it comes with Leadline, and stderr says so.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from services.ops.pipeline_files import in_force, is_file_name, read_bundled, read_file
from services.ops.place import OpsError, Place

if TYPE_CHECKING:
    from contracts.pipeline import Pipeline
    from services.leads.playbook import Format, Language


async def playbook(place: Place, named: str, form: Format, language: Language) -> int:
    """Print the table; the exit status. Raises OpsError."""
    from services.leads.playbook import written

    pipeline = read_file(Path(named)) if is_file_name(named) else await _of_id(place, named)
    sys.stdout.flush()
    sys.stdout.buffer.write(written(pipeline, form, language).encode())
    sys.stdout.buffer.flush()
    return 0


async def _of_id(place: Place, pipeline: str) -> Pipeline:
    try:
        return await in_force(place, pipeline)
    except OpsError as error:
        bundled = read_bundled(pipeline)
        if bundled is None:
            raise
        print(f"leadline: {error}; this is {pipeline} as it comes with Leadline", file=sys.stderr)
        return bundled

"""Every projection there is, in one tuple: runner, schema, verify and rebuild read it."""

from __future__ import annotations

from typing import Final

from projections.board.store import BOARD
from projections.funnel.store import FUNNEL
from projections.incidents.store import JOURNALS
from projections.people.store import PEOPLE
from projections.projection import Projection
from projections.response.store import RESPONSE
from projections.robots.store import ROBOTS
from projections.tasks.store import TASKS
from projections.timeline.store import TIMELINE

PROJECTIONS: Final[tuple[Projection, ...]] = (
    *(BOARD, TIMELINE, PEOPLE, FUNNEL, ROBOTS),
    *(JOURNALS, TASKS, RESPONSE),
)

TOPICS: Final = tuple(sorted({topic for projection in PROJECTIONS for topic in projection.topics}))
"""What has to be consumed for them."""

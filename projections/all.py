"""Every projection there is, in one tuple: runner, schema, verify and rebuild read it."""

from __future__ import annotations

from typing import Final

from projections.board.store import BOARD
from projections.funnel.store import FUNNEL
from projections.people.store import PEOPLE
from projections.projection import Projection
from projections.robots.store import ROBOTS
from projections.timeline.store import TIMELINE

PROJECTIONS: Final[tuple[Projection, ...]] = (BOARD, TIMELINE, PEOPLE, FUNNEL, ROBOTS)

TOPICS: Final = tuple(sorted({topic for projection in PROJECTIONS for topic in projection.topics}))
"""What has to be consumed for them."""

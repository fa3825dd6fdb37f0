"""Days and moments as people and programs write them in an address, in the team's time zone.

Pure. Invariant: what is no moment is refused with the place and an example (ProblemError 422), never guessed.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.web.problems import ProblemError


def moment(
    name: str, text: str | None, zone: ZoneInfo, *, end_of_day: bool = False, local: bool = False
) -> datetime | None:
    """A day of the team's (its beginning, or `end_of_day`: that of the next), or a time with a zone; None for no text.

    `local`: a time without a zone is one on the team's wall. `name`: of the query's parameter, for the error.
    """
    if not text:
        return None
    try:
        if len(text) == 10:
            day = date.fromisoformat(text) + timedelta(days=1 if end_of_day else 0)
            return datetime.combine(day, time(), zone)
        at = datetime.fromisoformat(text.replace(" ", "+"))  # an unescaped + comes as a space
    except (ValueError, OverflowError):
        at = None
    if at is not None and at.tzinfo is None and local:
        at = at.replace(tzinfo=zone)
    if at is None or at.tzinfo is None:
        raise ProblemError(
            422, "period", f"query.{name}: write a day like 2026-03-01, or a time with a zone like 2026-03-01T09:00:00Z"
        )
    return at

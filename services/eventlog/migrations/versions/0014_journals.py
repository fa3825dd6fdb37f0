"""Where the incident journals are found (`0014_journals.sql`).

Invariant: a revision that was released is never edited; a change is a new revision. There is no way down: a backup is.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0014"
down_revision: str | None = "0013"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Run the SQL beside this file, whole, in Alembic's transaction."""
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    # the driver's own connection: several statements at once, and a % in them stays a %
    op.get_bind().connection.driver_connection.execute(sql)  # type: ignore[union-attr]


def downgrade() -> None:
    """Not offered: going back would throw facts away."""
    raise NotImplementedError("there is no way back from 0014; restore a backup")

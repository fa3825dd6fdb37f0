"""Alembic's environment: runs the revisions on the connection that `services.eventlog.migrate` hands over.

Invariant: all pending revisions run in one transaction, so a failed start leaves the schema as it was.
"""

from __future__ import annotations

from alembic import context

VERSION_TABLE = "leadline_schema_version"  # in schema public: schema leadline is made by the first revision

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=None,
    version_table=VERSION_TABLE,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()

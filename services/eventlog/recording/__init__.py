"""Writing to and reading from the event store: an async recorder over asyncpg (decision 1)."""

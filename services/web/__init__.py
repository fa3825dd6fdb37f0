"""The door: HTTP API, intake's routes and the pages people work on, in one process (spec I, U)."""

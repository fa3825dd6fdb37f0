"""The running services (leads, channels, web, ops) and what they stand on (eventlog, pipelines, calendars, teams, privacy)."""

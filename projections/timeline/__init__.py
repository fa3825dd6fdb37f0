"""The timeline: every event of a lead as people read it (K4, K6)."""

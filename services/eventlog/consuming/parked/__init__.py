"""Records that could not be applied: kept with the reason, released or given up by a person (decision 4)."""

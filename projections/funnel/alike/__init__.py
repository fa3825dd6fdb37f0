"""Leads with the same history, counted once: what makes a funnel of 100,000 leads quick to read."""

"""Builds of projections: which one is live, which are being made, which are kept to go back to (M8, decision 11)."""

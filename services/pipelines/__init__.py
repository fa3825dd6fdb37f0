"""Pipelines as data: read from YAML, published as versions, found again by number (decision 6)."""

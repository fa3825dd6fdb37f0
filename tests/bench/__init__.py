"""Benchmarks: figures as ratios to a named baseline taken in the same run. Never timed tests, never part of `make test`."""

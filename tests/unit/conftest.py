"""Hypothesis for a busy machine: no limit per example (a loaded core is no defect), and what it takes to repeat a failure."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("leadline", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("leadline")

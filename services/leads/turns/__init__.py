"""Turns had, loads and quotas, as they are kept (C4)."""

"""The running demo, one for all tests that look at it."""

from __future__ import annotations

from tests.browser.demo_case import demo

__all__ = ["demo"]

"""The companies that leads name: found again or made, and joined by the people who speak for them (P10, C1)."""

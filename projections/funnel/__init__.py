"""The funnel: every stage visit and how it ended, and the numbers counted from these (M9, C5, K4)."""

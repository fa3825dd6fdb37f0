"""Deadlines of a lead: what must be done in time, whether it was, and whose miss it is when not (Q1-Q4, Q6, Q7, P9)."""

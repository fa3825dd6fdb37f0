"""The incident journal of one of our people: what went wrong, who was told, what counts, what escalates (Q6, Q9, N20)."""

"""Activities of a lead: planned, moved, done, reminded of, planned anew, closed when the lead closes (S4, N6, D6)."""

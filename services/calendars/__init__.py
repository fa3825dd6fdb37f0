"""A team's working time: when people work, and moments counted in it (C2, Q3, decision 12)."""

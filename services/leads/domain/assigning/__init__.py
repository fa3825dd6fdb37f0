"""Who becomes responsible for a lead by itself, and why: the team, the rules, whose turn it is (C4, N19)."""

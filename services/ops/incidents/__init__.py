"""`leadline incidents`: journals as they stand, and verdicts restated under a corrected calendar (Q6, N20)."""

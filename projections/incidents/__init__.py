"""The incident journals as rows: misses, strikes, escalations, notices, digests, reviews of cards (Q6, Q9, D6, Q11)."""

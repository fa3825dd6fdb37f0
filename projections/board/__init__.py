"""The board: a card per lead, counts and sums per stage (K4, S1)."""

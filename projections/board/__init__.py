"""The board: a card per lead, counts and sums per stage, and every stage visit (K4, S1, M9)."""

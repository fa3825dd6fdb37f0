"""Companies of the projection `people`: which firms are known, by what, and who speaks for them (P10, C1)."""

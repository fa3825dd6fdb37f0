"""`leadline team`: teams at a terminal."""

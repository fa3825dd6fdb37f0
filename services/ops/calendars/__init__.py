"""`leadline calendar`: team calendars at a terminal."""

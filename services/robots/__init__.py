"""The robots service: keeps what was armed as timers, and says when each is due (decision 8)."""

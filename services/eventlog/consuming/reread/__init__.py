"""A consumer's events read again from the store, to make anew what it keeps of them (`leadline rebuild timers`, `effects`)."""

"""Channel adapters: how messages from outside come in, are stored first and interpreted after (decision 10, K5)."""

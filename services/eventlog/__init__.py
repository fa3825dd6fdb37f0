"""The event log: store, mapper, outbox, relay, input positions, parked records, consumers (decisions 1-4)."""

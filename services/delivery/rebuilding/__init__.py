"""The ledger of effects made anew from the event store beside the live one (M8, N1)."""

"""What pages and commands are told of effects: one effect for its lead's card, lists for operations."""

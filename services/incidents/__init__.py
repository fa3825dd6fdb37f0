"""What goes wrong without any lead's stream telling of it, and what heads are told by the day (Q6, Q11, D6, N18)."""

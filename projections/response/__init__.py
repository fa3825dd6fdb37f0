"""How soon leads that came by a channel are answered: arrived, seen, accepted, first contact (S2)."""

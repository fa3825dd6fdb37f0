"""`leadline robots start`: robots for leads that came to stand where they are without them (N5)."""

"""How the card of a pipeline is used: what is filled, how soon, what clients refuse to say, what they think of it (Q11)."""

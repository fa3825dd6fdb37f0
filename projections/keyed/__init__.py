"""Tables whose rows begin once, are found by their key and change in a few columns: what several projections are made of."""

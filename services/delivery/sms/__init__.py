"""Short messages out: how they are cut into parts, and the two ways out, an HTTP gateway and SMPP (R3)."""

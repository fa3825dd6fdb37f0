"""Letters out: how they are written, and the way to the mail server (R3)."""

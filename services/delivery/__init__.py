"""The delivery service: carries out what was requested of the outside, once, and says what came of it (decision 9)."""

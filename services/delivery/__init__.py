"""The delivery service: carries out what the aggregate service requested of the outside, once, and says what came of it (decision 9)."""

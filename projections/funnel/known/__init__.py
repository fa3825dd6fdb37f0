"""The stage visits as they were known at a moment, and as far as they had happened by one (M1)."""

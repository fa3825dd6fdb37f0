"""The person behind leads: merging and its undoing, permissions, proofs, deletion of bad data (N16, C7, C9, C3, C1)."""

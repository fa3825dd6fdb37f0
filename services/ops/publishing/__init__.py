"""`leadline diff`, `publish`, `pipelines`, `archive`, `restore`: pipelines at a terminal (M3, N14)."""

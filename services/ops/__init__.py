"""Operations: the `leadline` command, and `verify`, which proves that all parts hold the same facts (M2, M6)."""

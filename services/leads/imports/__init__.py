"""Imports: rows of histories and of leads as they stand elsewhere, through the one batcher, each once."""

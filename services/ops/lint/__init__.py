"""`leadline lint`: a pipeline's file held against the linter's rules, and against the visits leads made."""

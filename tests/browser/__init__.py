"""A package, so that its running demo ends with the last test that looks at it."""

"""Starting the robots of a stage for leads that came to stand there without them: after an import, or a new version (N5)."""

"""Publishing: where leads stand, moving them over to a new version, archiving a pipeline that nobody stands in (M3, N14)."""

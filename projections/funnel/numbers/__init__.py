"""The numbers of the funnel, read from its visits."""

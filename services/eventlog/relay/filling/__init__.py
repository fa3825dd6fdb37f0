"""Filling a topic with all it lacks from the store: after a lost Kafka folder, on a new cluster, in a new topic."""

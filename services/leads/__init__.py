"""The aggregate service: every lead and contact lives behind its one batcher, which two doors feed (Kafka and HTTP)."""

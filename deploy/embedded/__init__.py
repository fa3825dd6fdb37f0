"""Real servers without Docker: one Kafka broker and one Postgres, started from what the Python wheels bring.

`supervisor` runs them with the services for `leadline up`, `sandbox` runs them for tests. No product logic lives here.
"""

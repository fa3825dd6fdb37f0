"""The relay: the one publisher of what the outbox holds (decision 2). `app.run` is the service, `republish` the hand tool."""

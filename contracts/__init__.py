"""What Leadline's parts and strangers agree on: events, commands, inbound messages, topics, the pipeline language.

Nothing here does I/O. A released event version never changes; `contracts/golden` holds a sample of each.
"""

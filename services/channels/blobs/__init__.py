"""What is too large for a message's row, original letters and attachments, sealed in pieces (decision 10)."""

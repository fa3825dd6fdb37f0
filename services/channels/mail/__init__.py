"""Mail in: a listener for SMTP, a poller for mailboxes, and the reading of letters (K5)."""

"""People: who is known, by which phones and e-mails, with which leads (K4). Wiped by `PersonErased` (M7)."""

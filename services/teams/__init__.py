"""Teams: who belongs to one, who heads it, what each can take; versions as facts (C4, N19)."""

"""Keys, sealing and identity HMACs: how personal data becomes unreadable while history stays whole (decision 13, M7)."""

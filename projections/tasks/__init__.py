"""What is to be done for leads and deals: planned activities and running deadlines (S4, Q7, D6)."""

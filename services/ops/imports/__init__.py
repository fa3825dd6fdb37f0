"""`leadline import`: a history from elsewhere with its own timestamps, or leads as they stand in another CRM."""

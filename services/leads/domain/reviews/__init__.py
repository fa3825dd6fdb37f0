"""Quality control: the head confirms that a lead is poor, or returns it to work (Q5)."""

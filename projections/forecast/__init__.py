"""Load and forecast (Q10): what comes to each stage and person in the days ahead, from the terms stated and the visits there
were."""

"""The timers made anew from the event store, compared with the live rows, put right where they differ (M8)."""

"""The leads behind each number of a funnel."""

"""Robots, triggers and effects as rows: how many ran, waited and failed, for the automation page and BI (R6, N4)."""

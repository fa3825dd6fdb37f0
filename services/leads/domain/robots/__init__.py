"""Robots and triggers of a lead: arming, firing, what is asked of the outside, what moves it by itself (R1-R6). Pure."""

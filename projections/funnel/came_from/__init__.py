"""Where leads stood before the stage they are in now."""

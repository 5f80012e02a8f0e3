"""Certified bounds of every account in arrays, to decide which must be valued exactly."""

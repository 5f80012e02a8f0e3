"""Certified bounds of every account in arrays: who must be valued exactly."""

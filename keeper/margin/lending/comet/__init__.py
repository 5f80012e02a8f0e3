"""Compound v3 (Comet): exact integers, truncated as the contract truncates."""

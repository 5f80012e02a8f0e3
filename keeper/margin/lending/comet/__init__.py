"""Compound v3 (Comet): exact integers, truncated as in the contract."""

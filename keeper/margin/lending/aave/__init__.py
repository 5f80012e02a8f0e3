"""Aave v3: exact integers, equal to the contract's own view to the last unit."""

"""Uniswap v3: its swaps in exact integers, on pool states read in one call."""

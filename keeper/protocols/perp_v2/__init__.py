"""Perp v2 (Curie): perpetuals on Uniswap pools, cross-margined in one vault."""

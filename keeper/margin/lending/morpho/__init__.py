"""Morpho Blue and its satellites (pre-liquidation, adaptive-curve rate, Midnight): exact integers."""

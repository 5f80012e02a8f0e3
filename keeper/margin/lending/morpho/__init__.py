"""Morpho Blue, pre-liquidation and the adaptive-curve rate in exact integers; Midnight in exact rationals."""

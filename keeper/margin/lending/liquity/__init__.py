"""Liquity v1: troves, stability pool, recovery mode. Exact integers, 18 decimals."""

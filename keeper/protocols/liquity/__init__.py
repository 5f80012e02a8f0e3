"""Trove systems of the Liquity family: Mezo's MUSD whole, Liquity v1 to look at."""

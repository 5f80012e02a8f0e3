"""Trove systems of the Liquity family: Mezo's MUSD fully, Liquity v1 for watching only."""

"""Compound v3 (Comet): one base asset lent against collaterals that the protocol absorbs and sells."""

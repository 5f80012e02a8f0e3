"""Synthetix v3 perps: cross-margined perpetuals of numbered accounts."""

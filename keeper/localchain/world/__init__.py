"""Nodes and chains as people really have them, emulated before a local Anvil, to be lived through."""

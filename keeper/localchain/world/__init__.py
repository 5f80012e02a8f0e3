"""Faults and peculiarities of real nodes and chains, emulated in front of a local Anvil for tests."""

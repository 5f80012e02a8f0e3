"""A local chain (Anvil) and real protocols deployed to it, for the demo, tests and benchmarks."""

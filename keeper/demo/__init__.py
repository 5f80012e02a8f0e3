"""The demonstration: a market day on a local chain, reported as it happens and checked from outside."""

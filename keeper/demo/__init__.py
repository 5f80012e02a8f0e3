"""The demonstration: a market day on a local chain, told as it happens and checked from outside."""

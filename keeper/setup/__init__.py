"""The first hour: what an address is, and the configuration that fits it."""

"""The keeper's copy of a market: a cache of the chain, refreshed block by block."""

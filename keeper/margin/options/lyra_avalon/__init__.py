"""Lyra Avalon: option prices and the least collateral of short positions in the contracts' own integers."""

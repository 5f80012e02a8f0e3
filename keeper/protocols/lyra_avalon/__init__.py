"""Lyra Avalon: options of one token, each position with a number and collateral of its own."""

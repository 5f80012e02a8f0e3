"""Prices that whoever needs them brings: asked for on chain (ERC-7412), signed and served off it."""

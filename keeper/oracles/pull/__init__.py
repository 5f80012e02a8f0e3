"""Prices brought by whoever needs them: requested on chain (ERC-7412), signed and served off chain."""

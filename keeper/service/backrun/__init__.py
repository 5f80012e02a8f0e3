"""Liquidations placed behind an oracle update that no block includes yet."""

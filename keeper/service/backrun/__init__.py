"""Liquidations behind an oracle's update that no block has yet."""

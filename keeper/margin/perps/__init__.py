"""Perpetual exchanges: margins, fills, funding, marks and liquidation, exact where the protocol is."""

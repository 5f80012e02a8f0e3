"""Token amounts for people."""

from __future__ import annotations


def units(amount: int, decimals: int) -> str:
    """Token units as a decimal number, exactly."""
    whole, rest = divmod(amount, 10**decimals)
    digits = str(rest).rjust(decimals, "0").rstrip("0") if decimals else ""
    return f"{whole}.{digits}" if digits else str(whole)

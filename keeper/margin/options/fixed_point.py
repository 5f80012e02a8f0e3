"""Signed fixed point with 27 decimals, truncating like GammaProtocol's libs/FixedPointInt256.sol."""

from __future__ import annotations

DECIMALS = 27
ONE = 10**DECIMALS


def mul(a: int, b: int) -> int:
    """a·b / 1e27, truncated towards zero."""
    return _truncated(a * b, ONE)


def div(a: int, b: int) -> int:
    """a·1e27 / b, truncated towards zero."""
    return _truncated(a * ONE, b)


def from_units(amount: int, decimals: int) -> int:
    """An amount ≥ 0 of a token with `decimals`, scaled to 1e27; digits beyond the 27th are cut off."""
    if decimals <= DECIMALS:
        return amount * _ten_to(DECIMALS - decimals)
    return amount // _ten_to(decimals - DECIMALS)


def to_units_down(value: int, decimals: int) -> int:
    """A value ≥ 0 scaled to 1e27 in units of a token with `decimals`, rounded down."""
    if decimals >= DECIMALS:
        return value * _ten_to(decimals - DECIMALS)
    return value // _ten_to(DECIMALS - decimals)


def to_units_up(value: int, decimals: int) -> int:
    """A value ≥ 0 scaled to 1e27 in units of a token with `decimals`, rounded up."""
    if decimals >= DECIMALS:
        return value * _ten_to(decimals - DECIMALS)
    return -(-value // _ten_to(DECIMALS - decimals))


def _ten_to(exponent: int) -> int:
    return int(10**exponent)


def _truncated(numerator: int, denominator: int) -> int:
    quotient = abs(numerator) // abs(denominator)
    return quotient if (numerator < 0) == (denominator < 0) else -quotient

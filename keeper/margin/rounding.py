"""Integer division with the rounding direction in the name, as the protocols' own libraries have it."""

from __future__ import annotations

from keeper.model.money import WAD as WAD


def mul_div_down(x: int, y: int, denominator: int) -> int:
    """⌊x·y / denominator⌋, towards minus infinity."""
    return x * y // denominator


def mul_div_up(x: int, y: int, denominator: int) -> int:
    """⌈x·y / denominator⌉, towards plus infinity."""
    return -(-x * y // denominator)


def div_trunc(numerator: int, denominator: int) -> int:
    """numerator / denominator, truncated towards zero as Solidity, Rust and Go divide signed integers."""
    quotient = abs(numerator) // abs(denominator)
    return quotient if (numerator < 0) == (denominator < 0) else -quotient


def wad_mul_down(x: int, y: int) -> int:
    """⌊x·y / 1e18⌋."""
    return x * y // WAD


def wad_mul_up(x: int, y: int) -> int:
    """⌈x·y / 1e18⌉."""
    return mul_div_up(x, y, WAD)


def wad_mul_trunc(x: int, y: int) -> int:
    """x·y / 1e18 towards zero."""
    return div_trunc(x * y, WAD)


def wad_div_down(x: int, y: int) -> int:
    """⌊x·1e18 / y⌋."""
    return x * WAD // y


def wad_div_up(x: int, y: int) -> int:
    """⌈x·1e18 / y⌉."""
    return mul_div_up(x, WAD, y)


def wad_div_trunc(x: int, y: int) -> int:
    """x·1e18 / y towards zero."""
    return div_trunc(x * WAD, y)

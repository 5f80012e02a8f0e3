"""Liquity's decimal power, rounded half up at each product.

Source: liquity/dev, packages/contracts/contracts/Dependencies/LiquityMath.sol.
"""

from __future__ import annotations

from keeper.margin.checks import natural
from keeper.margin.rounding import WAD

MAX_MINUTES = 525_600_000


def dec_mul_half_up(x: int, y: int) -> int:
    return (x * y + WAD // 2) // WAD


def dec_pow_half_up(base: int, exponent: int) -> int:
    """base^exponent by squaring, 18 decimals; the exponent is capped at a thousand years of minutes."""
    natural(base, "base")
    n = min(natural(exponent, "exponent"), MAX_MINUTES)
    if n == 0:
        return WAD
    result, square = WAD, base
    while n > 1:
        if n % 2:
            result = dec_mul_half_up(square, result)
        square = dec_mul_half_up(square, square)
        n //= 2
    return dec_mul_half_up(square, result)

"""x^y as 2^(y·log2 x) in 60.18 decimal fixed point, bit by bit: PRBMathUD60x18 2.4.3, to the unit.

A float power differs from it in the 17th digit, so impact figures are exact only this way.
Source: paulrberg/prb-math 2.4.3, contracts/PRBMathUD60x18.sol and PRBMath.sol (`exp2`, `log2`, `mul`).
"""

from __future__ import annotations

from functools import cache
from math import isqrt

from keeper.errors import MarginError
from keeper.margin.checks import natural

SCALE = 10**18
EXP2_LIMIT = 192 * SCALE
_BITS = 64
_GUARD = 128


@cache
def _roots() -> tuple[int, ...]:
    """2^(2^−i) with 64 binary places, rounded to the nearest, for i = 1 … 64: the library's constants."""
    roots, value = [], 2 << _GUARD * 2
    for _ in range(_BITS):
        value = isqrt(value << _GUARD * 2)
        roots.append((value + (1 << _GUARD * 2 - _BITS - 1)) >> _GUARD * 2 - _BITS)
    return tuple(roots)


def exp2_down(x: int) -> int:
    """2^x, x and result 60.18 fixed point, rounded down; MarginError from x = 192 on."""
    if natural(x, "x") >= EXP2_LIMIT:
        raise MarginError("2^x overflows from x = 192 on", field="x")
    exponent = (x << _BITS) // SCALE
    result = 1 << 191
    for place, root in enumerate(_roots(), start=1):
        if exponent >> _BITS - place & 1:
            result = result * root >> _BITS
    return result * SCALE >> 191 - (exponent >> _BITS)


def log2_down(x: int) -> int:
    """log2 x for x ≥ 1, 60.18 fixed point, rounded down; MarginError below 1."""
    if natural(x, "x") < SCALE:
        raise MarginError("log2 is defined from 1 on", field="x")
    whole = (x // SCALE).bit_length() - 1
    result, y = whole * SCALE, x >> whole
    if y == SCALE:
        return result
    delta = SCALE // 2
    while delta:
        y = y * y // SCALE
        if y >= 2 * SCALE:
            result += delta
            y >>= 1
        delta >>= 1
    return result


def mul_half_up(x: int, y: int) -> int:
    """x·y / 1e18, rounded half up."""
    return (x * y + SCALE // 2) // SCALE


def power(x: int, y: int) -> int:
    """x^y for x = 0 or x ≥ 1, 60.18 fixed point; MarginError for x between."""
    if x == 0:
        return SCALE if natural(y, "y") == 0 else 0
    return exp2_down(mul_half_up(log2_down(x), natural(y, "y")))

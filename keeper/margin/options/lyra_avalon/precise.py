"""Avalon's fixed-point arithmetic with 27 decimals: products and quotients rounded to the nearest, square
roots, and exponentials and logarithms to 18 decimals.

Source: @lyrafinance/protocol 0.1.3-alpha, contracts/synthetix (DecimalMath, SignedDecimalMath) and
contracts/libraries (FixedPointMathLib, which is Remco Bloemen's; BlackScholes).
"""

from __future__ import annotations

from math import isqrt

from keeper.errors import MarginError
from keeper.margin.rounding import div_trunc

ONE = 10**27
_WAD_FACTOR = 10**9
_EXP_ZERO = -42139678854452767551
_EXP_OVERFLOW = 135305999368893231589
_LN_2 = 54916777467707473351141471128
"""The logarithm of 2, scaled 2^96."""


def from_wad(value: int) -> int:
    """18 decimals to 27."""
    return value * _WAD_FACTOR


def to_wad(value: int) -> int:
    """27 decimals to 18, rounded half away from zero."""
    return _rounded(value, 1, _WAD_FACTOR)


def times(x: int, y: int) -> int:
    """x·y, rounded half away from zero."""
    return _rounded(x, y, ONE)


def over(x: int, y: int) -> int:
    """x / y, rounded half away from zero."""
    return _rounded(x, ONE, y)


def square_root(x: int) -> int:
    """√x of x ≥ 0, rounded down."""
    return isqrt(x * ONE)


def exponential(x: int) -> int:
    """e^x, with x and the result truncated to 18 decimals; zero below −42.14, MarginError from 135.3 on."""
    return _exp(div_trunc(x, _WAD_FACTOR)) * _WAD_FACTOR


def logarithm(x: int) -> int:
    """ln x, with x and the result rounded down to 18 decimals. MarginError where x is then below 1e-18."""
    return _ln(x // _WAD_FACTOR) * _WAD_FACTOR


def _rounded(x: int, y: int, denominator: int) -> int:
    # The libraries truncate to one digit more than is kept, and round by that digit.
    quotient = (abs(x * y) * 10 // abs(denominator) + 5) // 10
    return quotient if (x * y < 0) == (denominator < 0) else -quotient


def _exp(x: int) -> int:
    """e^x with 18 decimals, by a rational function of the remainder after powers of two."""
    if x <= _EXP_ZERO:
        return 0
    if x >= _EXP_OVERFLOW:
        raise MarginError("is too large for an exponential", field="exponent", remedy="Check rate and time")
    x = div_trunc(x << 78, 5**18)
    k = (div_trunc(x << 96, _LN_2) + 2**95) >> 96
    x -= k * _LN_2

    p = x + 2772001395605857295435445496992
    p = ((p * x) >> 96) + 44335888930127919016834873520032
    p = ((p * x) >> 96) + 398888492587501845352592340339721
    p = ((p * x) >> 96) + 1993839819670624470859228494792842
    p = p * x + (4385272521454847904632057985693276 << 96)
    z = x + 750530180792738023273180420736
    z = ((z * x) >> 96) + 32788456221302202726307501949080
    w = x - 2218138959503481824038194425854
    w = ((w * z) >> 96) + 892943633302991980437332862907700
    q = z + w - 78174809823045304726920794422040
    q = ((q * w) >> 96) + 4203224763890128580604056984195872
    return (div_trunc(p, q) * 3822833074963236453042738258902158003155416615667) >> (195 - k)


def _ln(x: int) -> int:
    """ln x with 18 decimals, by a rational function of the mantissa after powers of two."""
    if x < 1:
        raise MarginError("has no logarithm", field="price over strike", remedy="Check spot and strike")
    k = x.bit_length() - 97
    x = (x << (159 - k)) >> 159

    p = x + 3273285459638523848632254066296
    p = ((p * x) >> 96) + 24828157081833163892658089445524
    p = ((p * x) >> 96) + 43456485725739037958740375743393
    p = ((p * x) >> 96) - 11111509109440967052023855526967
    p = ((p * x) >> 96) - 45023709667254063763336534515857
    p = ((p * x) >> 96) - 14706773417378608786704636184526
    p = p * x - (795164235651350426258249787498 << 96)
    q = x + 5573035233440673466300451813936
    q = ((q * x) >> 96) + 71694874799317883764090561454958
    q = ((q * x) >> 96) + 283447036172924575727196451306956
    q = ((q * x) >> 96) + 401686690394027663651624208769553
    q = ((q * x) >> 96) + 204048457590392012362485061816622
    q = ((q * x) >> 96) + 31853899698501571402653359427138
    q = ((q * x) >> 96) + 909429971244387300277376558375
    r = div_trunc(p, q) * 1677202110996718588342820967067443963516166
    r += 16597577552685614221487285958193947469193820559219878177908093499208371 * k
    r += 600920179829731861736702779321621459595472258049074101567377883020018308
    return r >> 174

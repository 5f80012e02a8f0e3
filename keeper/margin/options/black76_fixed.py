"""Black-76 prices in the clearinghouse's integers, equal to its contract's to the unit, and how far the
float64 prices of `black76.undiscounted` may be from them.

The same as contracts/src/clearinghouse/Black76.sol, line by line; formulas and proof: docs/CLEARINGHOUSE.md.
Amounts, volatility and deviation are in WAD; numbers inside have 96 binary places. Nothing is discounted.
"""

from __future__ import annotations

from math import isqrt

import numpy as np

from keeper.errors import MarginError
from keeper.margin.checks import natural
from keeper.margin.interface import Array
from keeper.margin.rounding import WAD, div_trunc

YEAR = 365 * 24 * 3600
_PLACES = 96
_ONE = 1 << _PLACES
_ROOT_2 = 120307984584002255772516886238812528463
"""√2 with 126 binary places, rounded down."""
_LN_2 = 54916777467707473351141471128
_FAR = 27 << 95
_MOST_DEVIATION = 64 * WAD
_ARTANH = tuple(2 * _ONE // odd for odd in range(25, 0, -2))
_TAIL_NUMERATOR = (
    31607463825855318310955694681,
    1051495593214151639585077888272,
    16995770520404246326827421613582,
    174217134698986767372080845731288,
    1247758193202639869122582249554281,
    6507453305346931276322141739763645,
    25020270170583623125535628757045542,
    70181657881505849993925473847244087,
    138203347420009852986000972516453958,
    174396399523126909348970171246480335,
    109529239100226854094471703885898150,
)
_TAIL_DENOMINATOR = (
    _ONE,
    2635708584755266073921572225731,
    42681307086848020349260162408994,
    439333304859636175324498621311114,
    3170109573045932244325987413300213,
    16743193032050382835178730970133684,
    65759763045138690719538090482505811,
    191384175290749736993591865128231413,
    403304245213503005451521083248251497,
    584630803545176729508827510333706633,
    523576176715366881510947174668698078,
    219058478200453708185395066978836690,
)
_BELL_EVEN = (56 * _ONE, 25200 * _ONE, 1995840 * _ONE, 17297280 * _ONE)
_BELL_ODD = (_ONE, 1512 * _ONE, 277200 * _ONE, 8648640 * _ONE)


def prices(forward: int, strike: int, deviation: int) -> tuple[int, int]:
    """Call and put; `deviation` is σ√T and may be anything, 0 gives the intrinsic values.

    call − put = forward − strike to the unit, neither is below its intrinsic value, call ≤ forward and
    put ≤ strike. Within 2⁻⁶⁵·min(forward, strike) + 1 wei of the true price.
    MarginError where `forward` or `strike` is 2^128 or more, as the contract reverts.
    """
    _below(forward, 128, "forward")
    _below(strike, 128, "strike")
    natural(deviation, "deviation")
    if forward < strike:
        call = _out_of_the_money(forward, strike, deviation)
        return call, call + (strike - forward)
    put = _out_of_the_money(strike, forward, deviation)
    return put + (forward - strike), put


def deviation(volatility: int, seconds_left: int) -> int:
    """⌊σ·√(t / 365 days)⌋, exactly.

    MarginError where `volatility` is 2^96 or more, or `seconds_left` 2^64 or more, as the contract reverts.
    """
    _below(volatility, 96, "volatility")
    _below(seconds_left, 64, "seconds_left")
    return isqrt(volatility * volatility * seconds_left // YEAR)


_ULP = 2.0**-53
_ROUNDINGS = 16.0
_LOG_ROUNDINGS = 2.0
"""Of the float64 price, in units of 2⁻⁵³ of forward + strike; docs/CLEARINGHOUSE.md counts them."""
_FIXED_WEI = 2.0 / WAD


def error_bound(forward: Array, strike: Array) -> Array:
    """Largest difference between `prices` and `black76.undiscounted`, both in whole units (WAD / 1e18).

    Holds at every deviation, for calls and puts, where the float64 inputs are the integers over 1e18, each
    converted with two roundings at most. Broadcasts; below 10⁻¹⁴ of forward + strike at prices up to 10⁶.
    """
    with np.errstate(divide="ignore"):
        logs = np.abs(np.log(forward)) + np.abs(np.log(strike))
    roundings = _ROUNDINGS + _LOG_ROUNDINGS * np.where(np.isfinite(logs), logs, 0.0)
    return np.asarray(_ULP * roundings * (forward + strike) + _FIXED_WEI)


def _below(value: int, bits: int, field: str) -> None:
    if natural(value, field) >> bits:
        raise MarginError(
            f"is 2^{bits} or more, where the contract reverts", field=field, remedy="Give 18 decimals"
        )


def _out_of_the_money(smaller: int, larger: int, s: int) -> int:
    """m·e^(−a²/2)·(R(−a) − R(h + t)), a = t − h; R(−a) = e^(a²/2) − R(a) where a > 0. Rounded down."""
    if smaller == 0 or s == 0:
        return 0
    if s > _MOST_DEVIATION:
        return smaller
    h = _log_ratio(larger, smaller) * WAD // s
    t = s * (_ONE // 2) // WAD
    a = abs(t - h)
    if a > _FAR:
        return smaller if t > h else 0
    near, far = _tail(a), _tail(h + t)
    if t > h:
        share = max(_ONE - (_bell(a) * (near + far) >> _PLACES), 0)
    else:
        share = _bell(a) * max(near - far, 0) >> _PLACES
    return smaller * share >> _PLACES


def _log_ratio(larger: int, smaller: int) -> int:
    """ln(M/m) = k·ln 2 + 2·artanh u, u = (M − 2^k·m)/(M + 2^k·m), with 2^k·m within √2 of M."""
    ratio = larger * _ROOT_2 // smaller >> 126
    k = ratio.bit_length() - 1
    smaller <<= k
    u = div_trunc((larger - smaller) * _ONE, larger + smaller)
    return k * _LN_2 + (u * _polynomial(_ARTANH, u * u >> _PLACES) >> _PLACES)


def _tail(z: int) -> int:
    """R(z) = e^(z²/2)·N(−z) for 0 ≤ z ≤ 19, within 10⁻²⁰, as a quotient of polynomials."""
    return (_polynomial(_TAIL_NUMERATOR, z) << _PLACES) // _polynomial(_TAIL_DENOMINATOR, z)


def _bell(a: int) -> int:
    """e^(−a²/2) = 2^(−k)·e^(−r), |r| ≤ ½ ln 2, by Padé's quotient [7/7]: even and odd part."""
    v = a * a >> 97
    k = (v + _LN_2 // 2) // _LN_2
    r = v - k * _LN_2
    w = r * r >> _PLACES
    even = _polynomial(_BELL_EVEN, w)
    r_odd = r * _polynomial(_BELL_ODD, w) >> _PLACES
    return ((even - r_odd) << _PLACES) // (even + r_odd) >> k


def _polynomial(coefficients: tuple[int, ...], x: int) -> int:
    value = 0
    for each in coefficients:
        value = (value * x >> _PLACES) + each
    return value

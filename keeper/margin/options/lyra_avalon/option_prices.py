"""Black-Scholes prices of a call and a put in Avalon's integers, equal to the contract's to the last unit.

Source: @lyrafinance/protocol 0.1.3-alpha, contracts/libraries/BlackScholes.sol. Intermediate values have 27
decimals. The tail of the normal distribution is a quotient of polynomials, beyond 7.07 a continued fraction,
beyond 37 zero; the library declares a cutoff at −4.5 and does not use it.
"""

from __future__ import annotations

from keeper.margin.checks import natural, positive
from keeper.margin.options.lyra_avalon.precise import (
    ONE,
    exponential,
    from_wad,
    logarithm,
    over,
    square_root,
    times,
    to_wad,
)
from keeper.margin.rounding import div_trunc

SECONDS_PER_YEAR = 31_536_000
_LEAST_YEARS = ONE // SECONDS_PER_YEAR
_LEAST_VOLATILITY = ONE // 10_000
_ROOT_2_PI = 2506628274631000502415765285
_SPLIT = 7071067811865470000000000000
_FARTHEST = 37 * ONE
_NUMERATOR = (
    35262496599891100000000000, 700383064443688000000000000, 6373962203531650000000000000,
    33912866078383000000000000000, 112079291497871000000000000000, 221213596169931000000000000000,
    220206867912376000000000000000,
)  # fmt: skip
_DENOMINATOR = (
    88388347648318400000000000, 1755667163182640000000000000, 16064177579207000000000000000,
    86780732202946100000000000000, 296564248779674000000000000000, 637333633378831000000000000000,
    793826512519948000000000000000, 440413735824752000000000000000,
)  # fmt: skip


def option_prices(seconds: int, volatility: int, spot: int, strike: int, rate: int) -> tuple[int, int]:
    """(call, put) on one unit, 18 decimals as volatility, spot, strike and rate are; `seconds` to expiry.

    In d1 and d2, time is at least one second and volatility at least 0.0001. MarginError where the contract
    reverts.
    """
    positive(natural(spot, "spot"), "spot")
    positive(natural(strike, "strike"), "strike")
    years = over(natural(seconds, "seconds"), SECONDS_PER_YEAR)
    s, k, r = from_wad(spot), from_wad(strike), from_wad(rate)
    d1, d2 = _d1_d2(years, from_wad(natural(volatility, "volatility")), s, k, r)
    present = times(k, exponential(-times(r, years)))
    call = max(times(s, normal_cdf(d1)) - times(present, normal_cdf(d2)), 0)
    put = max(call + present - s, 0)
    return to_wad(call), to_wad(put)


def call_delta_and_vega(seconds: int, volatility: int, spot: int, strike: int, rate: int) -> tuple[int, int]:
    """(a call's delta, vega of call or put per 1.00 of volatility), 18 decimals; arguments as above."""
    years, s = over(natural(seconds, "seconds"), SECONDS_PER_YEAR), from_wad(spot)
    d1, _ = _d1_d2(years, from_wad(volatility), s, from_wad(strike), from_wad(rate))
    density = over(exponential(-times(d1, div_trunc(d1, 2))), _ROOT_2_PI)
    return to_wad(normal_cdf(d1)), to_wad(times(square_root(years), times(density, s)))


def normal_cdf(x: int) -> int:
    """The standard normal distribution function at x, both with 27 decimals."""
    z = abs(x)
    tail = 0
    if z <= _FARTHEST:
        density = exponential(-times(z, z // 2))
        if z < _SPLIT:
            ratio = over(_polynomial(_NUMERATOR, z), _polynomial(_DENOMINATOR, z))
            tail = times(ratio, density)
        else:
            fraction = z + 13 * ONE // 20
            for numerator in (4, 3, 2, 1):
                fraction = z + over(numerator * ONE, fraction)
            tail = over(density, times(fraction, _ROOT_2_PI))
    return tail if x <= 0 else ONE - tail


def _d1_d2(years: int, volatility: int, spot: int, strike: int, rate: int) -> tuple[int, int]:
    years = max(years, _LEAST_YEARS)
    volatility = max(volatility, _LEAST_VOLATILITY)
    deviation = times(volatility, square_root(years))
    drift = times(times(volatility, volatility) // 2 + rate, years)
    d1 = over(logarithm(over(spot, strike)) + drift, deviation)
    return d1, d1 - deviation


def _polynomial(coefficients: tuple[int, ...], z: int) -> int:
    value = 0
    for each in coefficients:
        value = value * z // ONE + each
    return value

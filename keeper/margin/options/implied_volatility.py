"""Implied volatility under Black-76, over arrays, to the accuracy a float64 price carries.

The price is reduced to its out-of-the-money twin and normalised as in P. Jäckel, Let's be rational (2015):
β = premium/√(FK), x = −|ln(F/K)|, b(x, s) = e^(x/2)·N(x/s + s/2) − e^(−x/2)·N(x/s − s/2), solved for the
total deviation s = σ√T by Newton steps kept inside a shrinking bracket. The objective is ln b below the
inflection point s² = 2|x|, where b itself is nearly flat, and ln of the distance to the bound near the top.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erfcx, erfinv, ndtr

from keeper.errors import MarginError
from keeper.margin.interface import Array
from keeper.margin.options.checks import Mask, finite_array, positive_array

_MAX_STEPS = 200
_ROOT_TWO = math.sqrt(2.0)
_EPS = float(np.finfo(np.float64).eps)


def implied_volatility(
    price: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    is_call: ArrayLike,
    discount: ArrayLike = 1.0,
) -> Array:
    """Volatility per year at which Black-76 gives `price`; arguments broadcast, 0-d result for scalars.

    A price equal to the discounted intrinsic value (to rounding) has volatility 0. Raises `MarginError` for
    field `price` where it lies below intrinsic value or at or above the discounted forward (call) or strike
    (put), and for any argument that is not finite, or not above 0 where it must be.
    """
    premium, forwards, strikes, duration, discounts, sign = np.broadcast_arrays(
        finite_array(price, "price"),
        positive_array(forward, "forward"),
        positive_array(strike, "strike"),
        positive_array(years, "years"),
        positive_array(discount, "discount"),
        np.where(np.asarray(is_call, dtype=bool), 1.0, -1.0),
    )
    premium = premium / discounts
    intrinsic = np.maximum(sign * (forwards - strikes), 0.0)
    bound = np.where(sign > 0, forwards, strikes)
    time_value = premium - intrinsic
    slack = 4.0 * _EPS * np.maximum(premium, intrinsic)
    _refuse(time_value < -slack, "is below the intrinsic value", premium)
    _refuse(premium >= bound, "is at or above what the option can ever pay", premium)
    scale = np.sqrt(forwards) * np.sqrt(strikes)
    beta = np.maximum(time_value, 0.0) / scale
    moneyness = -np.abs(np.log(forwards / strikes))
    deviation = np.zeros(beta.shape)
    at_money = (moneyness == 0.0) & (beta > 0.0)
    deviation[at_money] = 2.0 * _ROOT_TWO * erfinv(beta[at_money])
    rest = (moneyness < 0.0) & (beta > 0.0)
    deviation[rest] = _solve(moneyness[rest], beta[rest])
    return np.asarray(deviation / np.sqrt(duration))


def _solve(x: Array, beta: Array) -> Array:
    """Total deviations s > 0 with b(x, s) = beta, for 1-d x < 0 and 0 < beta < e^(x/2)."""
    top = np.exp(0.5 * x)
    inflection = np.sqrt(-2.0 * x)
    below = beta < _normalised(x, inflection)
    near_top = ~below & (beta > 0.5 * top)
    low = np.where(below, 0.0, inflection)
    high = np.where(below, inflection, np.inf)
    s = inflection.copy()
    active = np.arange(x.size)
    for _ in range(_MAX_STEPS):
        xa, sa, target = x[active], s[active], beta[active]
        value = _normalised(xa, sa)
        too_low = value < target
        low[active] = np.where(too_low, sa, low[active])
        high[active] = np.where(too_low, high[active], sa)
        step = _newton_step(xa, sa, value, target, top[active], below[active], near_top[active])
        lower, upper = low[active], high[active]
        middle = np.where(np.isinf(upper), 2.0 * lower, 0.5 * (lower + upper))
        candidate = sa + step
        inside = np.isfinite(candidate) & (candidate > lower) & (candidate < upper)
        # a step below the last digit lands on the bracket's own edge: that is arrival, not escape
        arrived = (value == target) | (np.abs(step) <= 2.0 * _EPS * sa)
        candidate = np.where(arrived, sa, np.where(inside, candidate, middle))
        s[active] = candidate
        moving = ~arrived & (np.abs(candidate - sa) > 2.0 * _EPS * candidate)
        active = active[moving]
        if not active.size:
            return s
    return s


def _newton_step(
    x: Array, s: Array, value: Array, target: Array, top: Array, below: Mask, near_top: Mask
) -> Array:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        slope = np.exp(-0.5 * ((x / s) ** 2 + 0.25 * s * s)) / math.sqrt(2.0 * math.pi)
        plain = (target - value) / slope
        logarithmic = value * np.log(target / value) / slope
        distance = top - value
        upper = distance * np.log(distance / (top - target)) / slope
    return np.where(below, logarithmic, np.where(near_top, upper, plain))


def _normalised(x: Array, s: Array) -> Array:
    """b(x, s) for x < 0, s > 0, without cancellation in the wing (scaled complementary error functions)."""
    h = x / s
    t = 0.5 * s
    wing = h + t < 0.0
    with np.errstate(under="ignore", over="ignore", invalid="ignore"):
        scaled = erfcx(-(h + t) / _ROOT_TWO) - erfcx(-(h - t) / _ROOT_TWO)
        tail = 0.5 * np.exp(-0.5 * (h * h + t * t)) * scaled
        body = np.exp(0.5 * x) * ndtr(h + t) - np.exp(-0.5 * x) * ndtr(h - t)
    return np.asarray(np.where(wing, tail, body))


def _refuse(bad: Mask, why: str, premium: Array) -> None:
    if not bad.any():
        return
    index = tuple(int(i) for i in np.argwhere(bad)[0])
    where = f"price[{', '.join(map(str, index))}]" if index else "price"
    raise MarginError(
        f"{float(premium[index])!r} (undiscounted) {why}; no volatility gives it",
        field=where,
        remedy="Check price, forward, strike and discount",
    )

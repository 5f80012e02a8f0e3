"""Black-76: prices of European options on a forward, over arrays of any broadcastable shapes.

Source: F. Black, The pricing of commodity contracts, Journal of Financial Economics 3 (1976).
call = D·(F·N(d₁) − K·N(d₂)), put = D·(K·N(−d₂) − F·N(−d₁)), d₁ = ln(F/K)/s + s/2, d₂ = d₁ − s, s = σ√T.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from keeper.margin.interface import Array
from keeper.margin.options.checks import non_negative_array, positive_array

# Elements evaluated at once: the handful of temporaries then stays in a core's own cache.
_BLOCK = 8192
# Stands for ln 0, and (inverted) for a total volatility of 0: quotients then saturate instead of being NaN.
_LOG_ZERO = -1e300
_NO_VOLATILITY = 1e-300


def price(
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    is_call: ArrayLike,
    discount: ArrayLike = 1.0,
) -> Array:
    """Present value of European options on a forward.

    All arguments broadcast against each other; the result has the common shape (0-d for scalars).
    `forward`, `strike` ≥ 0 in the settlement unit, `years` ≥ 0 to expiry (0 pays out now), `volatility` ≥ 0
    per year as a fraction, `is_call` booleans, `discount` > 0 the present value of one unit at expiry.
    Raises `MarginError` naming the argument that is negative or not finite.
    """
    forwards = non_negative_array(forward, "forward")
    strikes = non_negative_array(strike, "strike")
    deviation = total_deviation(years, volatility)
    discounts = positive_array(discount, "discount")
    signs = np.where(np.asarray(is_call, dtype=bool), 1.0, -1.0)
    values = undiscounted(forwards, strikes, deviation, signs)
    return np.asarray(values * discounts if discounts.ndim or discounts != 1.0 else values)


def total_deviation(years: ArrayLike, volatility: ArrayLike) -> Array:
    """σ√T, checked: both finite and ≥ 0."""
    roots = np.sqrt(non_negative_array(years, "years"))
    return np.asarray(non_negative_array(volatility, "volatility") * roots)


def undiscounted(forward: Array, strike: Array, deviation: Array, sign: Array) -> Array:
    """Forward values of options, all inputs already checked; `sign` is +1 for calls and −1 for puts.

    Evaluated block by block along the longest axis. Logarithms are taken before broadcasting: on a grid of
    accounts × options × scenarios they are then a small part of the work.
    """
    shape = np.broadcast_shapes(forward.shape, strike.shape, deviation.shape, sign.shape)
    inputs = (forward, strike, _log(forward), _log(strike), deviation, sign)
    result: Array = np.empty(shape)
    if result.size <= _BLOCK:
        _evaluate(*inputs, out=result)
        return result
    for part in _blocks(shape):
        _evaluate(*(_part_of(array, shape, part) for array in inputs), out=result[part])
    return result


def _evaluate(
    forward: Array, strike: Array, log_forward: Array, log_strike: Array, deviation: Array, sign: Array,
    *, out: Array,
) -> None:  # fmt: skip
    spread = np.maximum(deviation, _NO_VOLATILITY)
    with np.errstate(over="ignore"):
        upper = (log_forward - log_strike) / spread
    half = 0.5 * spread
    lower = (upper - half) * sign
    upper = (upper + half) * sign
    value = ndtr(upper) * forward
    value -= ndtr(lower) * strike
    np.multiply(value, sign, out=out)
    # two nearly equal products may leave a rounding error below zero
    np.maximum(out, 0.0, out=out)


def _log(values: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(values), _LOG_ZERO)


def _blocks(shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    axis = int(np.argmax(shape))
    others = int(np.prod(shape, dtype=np.int64)) // shape[axis]
    step = max(1, _BLOCK // others)
    for start in range(0, shape[axis], step):
        yield (slice(None),) * axis + (slice(start, start + step),)


def _part_of(array: Array, shape: tuple[int, ...], part: tuple[slice, ...]) -> Array:
    """The piece of `array` that broadcasts onto block `part` of `shape`."""
    axis = len(part) - 1 - (len(shape) - array.ndim)
    if axis < 0 or array.shape[axis] == 1:
        return array
    return array[(slice(None),) * axis + part[-1:]]

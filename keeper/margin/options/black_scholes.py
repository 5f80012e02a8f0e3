"""Black-Scholes-Merton: prices of European options on a spot asset, through Black-76 on its forward.

Source: R. C. Merton, Theory of rational option pricing, Bell Journal of Economics 4 (1973).
F = S·e^((r−q)T), discounted by e^(−rT).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from keeper.margin.interface import Array
from keeper.margin.options import black76
from keeper.margin.options.checks import finite_array, non_negative_array


def price(
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    is_call: ArrayLike,
    rate: ArrayLike = 0.0,
    dividend_yield: ArrayLike = 0.0,
) -> Array:
    """Present value of European options on a spot asset; all arguments broadcast (0-d result for scalars).

    `spot`, `strike` ≥ 0 in the settlement unit, `years` ≥ 0 to expiry, `volatility` ≥ 0 per year,
    `rate` and `dividend_yield` continuous, per year. Raises `MarginError` naming the argument.
    """
    spots = non_negative_array(spot, "spot")
    duration = non_negative_array(years, "years")
    rates = finite_array(rate, "rate")
    carry = rates - finite_array(dividend_yield, "dividend_yield")
    forwards = spots * np.exp(carry * duration)
    return black76.price(forwards, strike, duration, volatility, is_call, np.exp(-rates * duration))

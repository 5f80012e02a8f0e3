"""Prices and sensitivities of European options, Black-76 and Black-Scholes-Merton, over arrays.

Source: E. G. Haug, The Complete Guide to Option Pricing Formulas, 2nd ed., chapters 1–2. Greeks are not
rescaled: vega and rho are per 1.00 of volatility and rate, theta per year.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from keeper.margin.interface import Array
from keeper.margin.options.checks import finite_array, positive_array

DAYS_A_YEAR = 365.0


@dataclass(frozen=True, slots=True)
class Greeks:
    """Price and derivatives, arrays of one shape (0-d for scalars).

    `delta` by the underlying (forward or spot), `gamma` twice, `vega` by volatility, `theta` the change of
    value per year as time passes, `rho` by the interest rate, `dividend_rho` by the dividend yield (0 for
    Black-76), `vanna` of delta by volatility, `volga` of vega by volatility, `elasticity` the percentage
    change of price for one percent of the underlying (not finite where the price is 0).
    """

    price: Array
    delta: Array
    gamma: Array
    vega: Array
    theta: Array
    rho: Array
    dividend_rho: Array
    vanna: Array
    volga: Array
    elasticity: Array

    @property
    def theta_per_day(self) -> Array:
        """Theta per calendar day: per year / 365."""
        return self.theta / DAYS_A_YEAR


def black76(
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    is_call: ArrayLike,
    rate: ArrayLike = 0.0,
) -> Greeks:
    """Greeks of options on a forward, discounted at the continuous `rate`; arguments broadcast.

    Forward, strike, years and volatility must be above 0 (at expiry the derivatives do not exist). Rho holds
    the forward fixed, so it is −T · price. Raises `MarginError` naming the argument.
    """
    rates = finite_array(rate, "rate")
    # a forward is a stock that pays the interest rate as its dividend
    greeks = black_scholes(forward, strike, years, volatility, is_call, rates, rates)
    rho = -np.asarray(years, dtype=np.float64) * greeks.price
    return Greeks(
        price=greeks.price,
        delta=greeks.delta,
        gamma=greeks.gamma,
        vega=greeks.vega,
        theta=greeks.theta,
        rho=rho,
        dividend_rho=np.zeros_like(rho),
        vanna=greeks.vanna,
        volga=greeks.volga,
        elasticity=greeks.elasticity,
    )


def black_scholes(
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    is_call: ArrayLike,
    rate: ArrayLike = 0.0,
    dividend_yield: ArrayLike = 0.0,
) -> Greeks:
    """Greeks of options on a spot asset with continuous rate and dividend yield; arguments broadcast.

    Spot, strike, years and volatility must be above 0. Raises `MarginError` naming the argument.
    """
    s, k, t, sigma, r, q, sign = np.broadcast_arrays(
        positive_array(spot, "spot"),
        positive_array(strike, "strike"),
        positive_array(years, "years"),
        positive_array(volatility, "volatility"),
        finite_array(rate, "rate"),
        finite_array(dividend_yield, "dividend_yield"),
        np.where(np.asarray(is_call, dtype=bool), 1.0, -1.0),
    )
    root = np.sqrt(t)
    deviation = sigma * root
    d1 = (np.log(s / k) + (r - q) * t) / deviation + 0.5 * deviation
    d2 = d1 - deviation
    held = s * np.exp(-q * t)
    paid = k * np.exp(-r * t)
    density = np.exp(-0.5 * d1 * d1) / math.sqrt(2.0 * math.pi)
    upper, lower = ndtr(sign * d1), ndtr(sign * d2)
    price = np.maximum(sign * (held * upper - paid * lower), 0.0)
    delta = sign * np.exp(-q * t) * upper
    vega = held * density * root
    theta = -held * density * sigma / (2.0 * root) + sign * (q * held * upper - r * paid * lower)
    with np.errstate(divide="ignore", invalid="ignore"):
        elasticity = delta * s / price
    return Greeks(
        price=np.asarray(price),
        delta=np.asarray(delta),
        gamma=np.asarray(np.exp(-q * t) * density / (s * deviation)),
        vega=np.asarray(vega),
        theta=np.asarray(theta),
        rho=np.asarray(sign * t * paid * lower),
        dividend_rho=np.asarray(-sign * t * held * upper),
        vanna=np.asarray(-np.exp(-q * t) * density * d2 / sigma),
        volga=np.asarray(vega * d1 * d2 / sigma),
        elasticity=np.asarray(elasticity),
    )


def position_greeks(greeks: Greeks, size: float) -> dict[str, float]:
    """Greeks of a position of `size` options (below zero: sold), as traders quote them: delta and gamma in
    the underlying, vega and rho per percentage point, theta per day. `greeks` are those of one option."""
    return {
        "delta": size * float(greeks.delta),
        "gamma": size * float(greeks.gamma),
        "vega": size * float(greeks.vega) / 100,
        "theta": size * float(greeks.theta_per_day),
        "rho": size * float(greeks.rho) / 100,
    }

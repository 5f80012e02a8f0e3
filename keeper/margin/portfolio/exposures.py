"""Net dollar Greeks of accounts, by underlying."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keeper.margin.interface import Array
from keeper.margin.options import greeks
from keeper.margin.portfolio.accounts import Accounts, OptionLegs
from keeper.margin.portfolio.market import MarketData
from keeper.margin.portfolio.valuation import linear_exposure

PERCENT = 0.01


@dataclass(frozen=True, slots=True)
class OptionGreeks:
    """Dollar Greeks of option legs, shape (legs,): see `Exposures` for the units."""

    delta: Array
    gamma: Array
    vega: Array
    theta: Array


@dataclass(frozen=True, slots=True)
class Exposures:
    """Net dollar Greeks, shape (accounts, underlyings), in the settlement unit.

    `delta` times a relative move is a profit; `gamma` is S²Γ/100, what a move of 1 % adds to the delta at
    today's price; `vega` the profit for one percentage point of volatility; `theta` the profit of one day.
    Collateral is not included.
    """

    delta: Array
    gamma: Array
    vega: Array
    theta: Array


def option_greeks(options: OptionLegs, market: MarketData) -> OptionGreeks:
    """Dollar Greeks of each option leg, by moves of the spot at a fixed forward ratio."""
    spot = market.of(options.account, options.underlying)
    forward = spot * options.forward_ratio
    unit = greeks.black76(forward, options.strike, options.years, options.volatility, options.is_call)
    size = options.quantity * options.discount
    return OptionGreeks(
        delta=size * unit.delta * forward,
        gamma=size * unit.gamma * forward * forward * PERCENT,
        vega=size * unit.vega * PERCENT,
        theta=size * unit.theta_per_day,
    )


def exposures(accounts: Accounts, market: MarketData) -> Exposures:
    """Net dollar Greeks of perps, spot and options."""
    delta = linear_exposure(accounts, market)
    gamma, vega, theta = (np.zeros_like(delta) for _ in range(3))
    options = accounts.options
    if len(options):
        legs = option_greeks(options, market)
        where = (options.account, options.underlying)
        for total, values in (
            (delta, legs.delta),
            (gamma, legs.gamma),
            (vega, legs.vega),
            (theta, legs.theta),
        ):
            np.add.at(total, where, values)
    return Exposures(delta, gamma, vega, theta)

"""Values and scenario profits of legs, and their sums by account and underlying."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from keeper.margin.interface import Array
from keeper.margin.options import black76
from keeper.margin.portfolio.accounts import Accounts, Index, OptionLegs
from keeper.margin.portfolio.market import MarketData
from keeper.margin.portfolio.parameters import DprmParameters


def option_values(options: OptionLegs, market: MarketData) -> Array:
    """Value of each option leg in the settlement unit, signed, shape (legs,)."""
    forwards = market.of(options.account, options.underlying) * options.forward_ratio
    prices = black76.undiscounted(forwards, options.strike, _deviation(options), _signs(options))
    return np.asarray(options.quantity * options.discount * prices)


def option_profits(options: OptionLegs, market: MarketData, p: DprmParameters) -> Array:
    """Unweighted profit of each option leg under every scenario, settlement unit, (legs, grid + joint)."""
    forwards = market.of(options.account, options.underlying) * options.forward_ratio
    deviation = _deviation(options)
    signs = _signs(options)
    prices = black76.undiscounted(
        forwards[:, np.newaxis] * price_factors(p)[options.underlying],
        options.strike[:, np.newaxis],
        deviation[:, np.newaxis] * volatility_factors(options, p),
        signs[:, np.newaxis],
    )
    now = black76.undiscounted(forwards, options.strike, deviation, signs)
    return np.asarray((prices - now[:, np.newaxis]) * (options.quantity * options.discount)[:, np.newaxis])


def price_factors(p: DprmParameters) -> Array:
    """Price factor of every underlying under every scenario, shape (underlyings, grid + joint)."""
    grid = 1.0 + p.price_range[:, np.newaxis] * p.grid.price
    return np.concatenate([grid, p.joint_scenarios.price.T], axis=1)


def volatility_factors(options: OptionLegs, p: DprmParameters) -> Array:
    """Volatility factor of each option leg under every scenario, shape (legs, grid + joint)."""
    steps, position = np.unique(p.grid.volatility, return_inverse=True)
    grid = p.volatility_shock.factors(options.years, steps)[:, position]
    joint = p.joint_scenarios.volatility.T[options.underlying]
    return np.concatenate([grid, joint], axis=1)


def linear_exposure(accounts: Accounts, market: MarketData) -> Array:
    """Signed value of perps and spot, shape (accounts, underlyings), in the settlement unit."""
    shape = (len(accounts), len(market.names))
    exposure = np.zeros(shape)
    for legs in (accounts.perps, accounts.spot):
        value = legs.quantity * market.of(legs.account, legs.underlying)
        np.add.at(exposure, (legs.account, legs.underlying), value)
    return exposure


def by_group(group: Index, groups: int, values: Array) -> Array:
    """Sums of `values` (legs, …) by the group of each leg, shape (groups, …)."""
    legs = np.arange(len(group))
    chooser = csr_array((np.ones(len(group)), (group, legs)), shape=(groups, len(group)))
    return np.asarray(chooser @ values)


def _deviation(options: OptionLegs) -> Array:
    return np.asarray(options.volatility * np.sqrt(options.years))


def _signs(options: OptionLegs) -> Array:
    return np.where(options.is_call, 1.0, -1.0)

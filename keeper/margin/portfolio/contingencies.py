"""Charges besides the scenarios: naked short options, basis of expiries, concentration of Greeks.

Each is a non-negative, convex, piecewise smooth function of the positions, in the settlement unit. The first
two are subadditive: netting never makes them more than the sum of the parts. Concentration is superadditive
on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keeper.margin.interface import Array
from keeper.margin.portfolio.accounts import Accounts, CollateralLegs, Index, OptionLegs
from keeper.margin.portfolio.exposures import Exposures, option_greeks
from keeper.margin.portfolio.market import MarketData
from keeper.margin.portfolio.parameters import Concentration, DprmParameters
from keeper.margin.portfolio.valuation import by_group


@dataclass(frozen=True, slots=True)
class ConcentrationCharges:
    """Add-ons by Greek, shape (accounts, underlyings), in the settlement unit."""

    delta: Array
    gamma: Array
    vega: Array


def short_options(accounts: Accounts, market: MarketData, p: DprmParameters) -> Array:
    """Rate of spot on short options not covered by long ones of the same expiry and strike, (accounts,)."""
    options = accounts.options
    charges = np.zeros(len(accounts))
    if not len(options) or p.short_option_rate == 0:
        return charges
    first, group = _groups(options, options.strike)
    net_short = by_group(group, len(first), np.maximum(-options.quantity, 0.0))
    net_short -= by_group(group, len(first), np.maximum(options.quantity, 0.0))
    spot = market.of(options.account[first], options.underlying[first])
    np.add.at(charges, options.account[first], p.short_option_rate * spot * np.maximum(net_short, 0.0))
    return charges


def basis(accounts: Accounts, market: MarketData, p: DprmParameters) -> Array:
    """Charge on the absolute net dollar delta of each expiry; perps are an expiry of their own.

    Shape (accounts,). The rate is the larger of `basis_minimum` and `basis_rate` times the years.
    """
    charges = np.zeros(len(accounts))
    if p.basis_rate == 0 and p.basis_minimum == 0:
        return charges
    perps = accounts.perps
    held = np.zeros((len(accounts), len(market.names)))
    value = perps.quantity * market.of(perps.account, perps.underlying)
    np.add.at(held, (perps.account, perps.underlying), value)
    charges += p.basis_minimum * np.abs(held).sum(axis=1)
    options = accounts.options
    if len(options):
        first, group = _groups(options, np.zeros(len(options)))
        delta = by_group(group, len(first), option_greeks(options, market).delta)
        rate = np.maximum(p.basis_minimum, p.basis_rate * options.years[first])
        np.add.at(charges, options.account[first], rate * np.abs(delta))
    return charges


def concentration(exposures: Exposures, c: Concentration) -> ConcentrationCharges:
    """Add-ons for net Greeks beyond the free share of the market's depth."""
    return ConcentrationCharges(
        delta=_charge(exposures.delta, c.delta_depth, c),
        gamma=_charge(exposures.gamma, c.gamma_depth, c),
        vega=_charge(exposures.vega, c.vega_depth, c),
    )


def haircuts(collateral: CollateralLegs, exposures: Exposures | None, p: DprmParameters) -> Array:
    """Haircut of each collateral leg, 0 … 1, (legs,): the asset's own, more where the account is long it."""
    base = p.haircut[collateral.underlying]
    c = p.concentration
    if c is None or exposures is None:
        return base
    net = exposures.delta[collateral.account, collateral.underlying]
    depths = np.maximum(net, 0.0) / c.delta_depth[collateral.underlying]
    return np.minimum(base + np.minimum(c.haircut_slope * depths, c.haircut_maximum), 1.0)


def _charge(exposure: Array, depth: Array, c: Concentration) -> Array:
    """depth · integral of the marginal charge clamp(slope·(x − free), 0, maximum), x from 0 to
    |exposure|/depth."""
    over = np.maximum(np.abs(exposure) / depth - c.free, 0.0)
    knee = c.maximum / c.slope if c.slope > 0 else np.inf
    bent = np.minimum(over, knee)
    tail = np.where(over > bent, over - bent, 0.0)
    return np.asarray(depth * (0.5 * c.slope * bent * bent + c.maximum * tail))


def _groups(options: OptionLegs, strike: Array) -> tuple[Index, Index]:
    """First leg of each (account, underlying, expiry, strike), and the group of every leg."""
    keys = (strike, options.years, options.underlying, options.account)
    order = np.lexsort(keys)
    changes = np.zeros(len(order), dtype=bool)
    changes[:1] = True
    for key in keys:
        ordered = key[order]
        changes[1:] |= ordered[1:] != ordered[:-1]
    group = np.empty(len(order), dtype=np.int64)
    group[order] = np.cumsum(changes) - 1
    return order[changes], group

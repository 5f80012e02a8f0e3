"""Derive Portfolio Margin Risk Manager v2 (PMRM_2): scenarios, skews, tails, collateral haircuts.

Source: derivexyz/v2-core src/risk-managers/PMRM_2.sol and PMRMLib_2.sol (revision 1d0d7d9d).
net margin = min(basis contingency, scenario profits)·factor − contingencies + value + cash.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from keeper.margin.checks import not_negative, within
from keeper.margin.interface import Array, Requirement
from keeper.margin.options import black76
from keeper.margin.options.derive.holdings import Expiry, MarketAccount, OptionColumns, naked_shorts
from keeper.margin.options.derive.pmrm2_parameters import Pmrm2Parameters, SkewShock
from keeper.margin.options.derive.shocks import (
    SKEWS,
    Scenario,
    VolShock,
    basis_loss,
    expiry_values,
    value_now,
)


@dataclass(frozen=True, slots=True)
class Collateral:
    """A collateral token: amount, USD price, feed confidence, and the manager's haircuts (fractions).

    `risk_cancelling` collateral moves with the market's spot in the scenarios; the initial haircut comes on
    top of the maintenance haircut.
    """

    amount: float
    price: float
    confidence: float
    maintenance_haircut: float
    initial_haircut: float
    risk_cancelling: bool

    def __post_init__(self) -> None:
        not_negative(self.amount, "collateral.amount")
        not_negative(self.price, "collateral.price")
        within(self.confidence, 0.0, 1.0, "collateral.confidence")
        within(self.maintenance_haircut, 0.0, 1.0, "collateral.maintenance_haircut")
        # the contract bounds the maintenance haircut only
        not_negative(self.initial_haircut, "collateral.initial_haircut")


@dataclass(frozen=True, slots=True)
class Pmrm2Portfolio(MarketAccount):
    """One PMRM_2 account and its market's feeds."""

    collaterals: tuple[Collateral, ...] = ()


@dataclass(frozen=True, slots=True)
class Pmrm2Margins:
    """Net margins, mark-to-market, scenario profits (scenarios,) and contingencies, in USDC.

    `basis_contingency` is ≤ 0, the other two are ≥ 0. `worst` is the index of the worst scenario, or the
    number of scenarios where the basis contingency is worse.
    """

    initial: float
    maintenance: float
    mark_to_market: float
    scenario_profits: Array
    basis_contingency: float
    maintenance_contingency: float
    initial_contingency: float
    worst: int


def margins(portfolio: Pmrm2Portfolio, p: Pmrm2Parameters) -> Pmrm2Margins:
    """Net initial and maintenance margin of one account, in USDC (negative: short of the requirement)."""
    c = p.contingencies
    # the perp feed's confidence counts only for the perp and the options, not for collateral
    confidence = portfolio.confidence
    moves = np.array([(s.spot - 1.0) * s.dampening for s in p.scenarios])
    profits = portfolio.perp_position * portfolio.perp_price * moves
    notional = abs(portfolio.perp_position) * portfolio.spot
    maintenance = notional * c.perp_maintenance
    initial = notional * c.perp_initial + _doubt(confidence, notional, p)
    mark = portfolio.cash + portfolio.settled
    basis = 0.0
    for expiry in portfolio.expiries:
        valued = _value_expiry(expiry, p)
        profits = profits + valued.profits
        basis += valued.basis
        mark += valued.now
        shorts = naked_shorts(expiry.options) * portfolio.spot
        maintenance += shorts * c.option_maintenance
        initial += shorts * c.option_initial
        size = sum(abs(option.amount) for option in expiry.options) * portfolio.spot
        initial += _doubt(min(confidence, expiry.confidence), size, p)
    for collateral in portfolio.collaterals:
        value = collateral.amount * collateral.price / portfolio.stable_price
        mark += value
        maintenance += value * collateral.maintenance_haircut
        initial += value * collateral.initial_haircut
        initial += _doubt(min(collateral.confidence, portfolio.spot_confidence), value, p)
        if collateral.risk_cancelling:
            profits = profits + value * moves
    worst, index = (basis, len(p.scenarios)) if basis <= profits.min() else (profits.min(), profits.argmin())
    peg_loss = max(c.peg_threshold - portfolio.stable_price, 0.0) * c.peg_factor
    worst = float(worst)
    return Pmrm2Margins(
        initial=worst * (p.factors.initial + peg_loss) - initial - maintenance + mark,
        maintenance=worst * p.factors.maintenance - maintenance + mark,
        mark_to_market=mark,
        scenario_profits=profits,
        basis_contingency=basis,
        maintenance_contingency=maintenance,
        initial_contingency=initial,
        worst=int(index),
    )


@dataclass(frozen=True, slots=True)
class PortfolioMarginManager2:
    """PMRM_2 as a margin model; the account carries its feeds, so the market state is empty."""

    name: str = "derive-pmrm2"
    version: str = "2"

    def requirement(
        self, positions: Pmrm2Portfolio, market: None, parameters: Pmrm2Parameters
    ) -> Requirement:
        """Requirements as mark-to-market minus net margin, so equity ≥ requirement iff net margin ≥ 0."""
        net = margins(positions, parameters)
        return Requirement(
            initial=net.mark_to_market - net.initial,
            maintenance=net.mark_to_market - net.maintenance,
            equity=net.mark_to_market,
            parts={
                "worst_scenario": net.worst,
                "scenario_profits": net.scenario_profits,
                "basis_contingency": net.basis_contingency,
                "maintenance_contingency": net.maintenance_contingency,
                "initial_contingency": net.initial_contingency,
            },
        )


@dataclass(frozen=True, slots=True)
class _ValuedExpiry:
    now: float
    profits: Array
    basis: float


def _value_expiry(expiry: Expiry, p: Pmrm2Parameters) -> _ValuedExpiry:
    columns = OptionColumns.of(expiry.options)
    rate, years = max(expiry.rate, 0.0), expiry.years
    discount = math.exp(-rate * years)
    now = value_now(expiry, columns, discount)
    values = expiry_values(expiry, columns, p.scenarios, p.volatility_range, discount)
    skewed = np.array([s.volatility in SKEWS for s in p.scenarios])
    for i in np.flatnonzero(skewed):
        values[i] = _skewed_value(expiry, columns, p.scenarios[i], p.skew, discount)
    long, short = _static_discounts(rate, years, discount, p)
    dampening = np.array([s.dampening for s in p.scenarios])
    profits = (np.where(values >= 0, values * long, values * short) - now) * dampening
    # a skew may turn either way: whichever sign the profit has, it counts as a loss
    profits = np.where(skewed, -np.abs(profits), profits)
    c = p.contingencies
    corners = (Scenario(c.basis_up, VolShock.NONE), Scenario(c.basis_down, VolShock.NONE))
    up, down = expiry_values(expiry, columns, corners, p.volatility_range, discount)
    basis = basis_loss(float(up), float(down), now, c.basis_add + c.basis_per_year * years)
    return _ValuedExpiry(now, profits, basis)


def _static_discounts(rate: float, years: float, discount: float, p: Pmrm2Parameters) -> tuple[float, float]:
    """Factors on positive and on negative expiry values; the latter at most to the undiscounted value."""
    f = p.factors
    long = f.long_discount * math.exp(-years * (rate * f.long_rate_multiple + f.long_rate_addition))
    short = f.short_discount * math.exp(years * (rate * f.short_rate_multiple + f.short_rate_addition))
    return long, min(1.0 / discount, short)


def _skewed_value(
    expiry: Expiry, columns: OptionColumns, scenario: Scenario, skew: SkewShock, discount: float
) -> float:
    root = math.sqrt(expiry.years)
    linear = scenario.volatility is VolShock.LINEAR
    cap = skew.linear_cap + skew.linear_slope * root if linear else skew.abs_cap + skew.abs_slope * root
    k_star = max(skew.minimum_k, root * skew.width * (skew.vol + skew.vol_slope * root))
    with np.errstate(divide="ignore"):
        k = np.log(columns.strike / expiry.forward)
    if not linear:
        k = np.abs(k)
    slope = k * cap / k_star
    multiplier = 1.0 + np.where(k >= 0, np.minimum(cap, slope), np.maximum(-cap, slope))
    volatility = columns.volatility * np.maximum(multiplier, 0.0)
    prices = black76.price(
        expiry.forward, columns.strike, expiry.years, volatility, columns.is_call, discount
    )
    return float(prices @ columns.amount)


def _doubt(confidence: float, notional: float, p: Pmrm2Parameters) -> float:
    """Confidence contingency (≥ 0): (1 − confidence)·factor·notional below the threshold, else 0."""
    c = p.contingencies
    return (1.0 - confidence) * c.confidence_factor * notional if confidence < c.confidence_threshold else 0.0

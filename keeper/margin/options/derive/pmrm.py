"""Derive Portfolio Margin Risk Manager v1: worst scenario of one market, discounts and contingencies.

Source: derivexyz/v2-core src/risk-managers/PMRM.sol and PMRMLib.sol (revision b02a82dc).
maintenance = worst − static contingency + value; initial = (worst − static)·im − confidence + value, where
`worst` is the lower of the worst scenario profit and the basis contingency; `im` grows as USDC falls below
the peg threshold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from keeper.errors import MarginError
from keeper.margin.checks import not_negative
from keeper.margin.interface import Array, Provenance, Requirement
from keeper.margin.options.checks import traceable
from keeper.margin.options.derive.holdings import MarketAccount, OptionColumns, naked_shorts
from keeper.margin.options.derive.shocks import (
    Scenario,
    VolatilityRange,
    VolShock,
    basis_loss,
    expiry_values,
    value_now,
)

STANDARD_SCENARIOS = tuple(
    Scenario(spot, shock)
    for spot in (1.15, 1.10, 1.05, 1.0, 0.95, 0.90, 0.85)
    for shock in (VolShock.UP, VolShock.NONE, VolShock.DOWN)
)


PMRM = Provenance("1", date(2026, 11, 22), "derivexyz/v2-core@b02a82dc, test configuration")


@dataclass(frozen=True, slots=True)
class PmrmParameters:
    """Parameters of one PMRM v1: fractions and factors; the defaults are v2-core's test configuration."""

    provenance: Provenance = PMRM
    scenarios: tuple[Scenario, ...] = STANDARD_SCENARIOS
    volatility_range: VolatilityRange = field(
        default_factory=lambda: VolatilityRange(0.45, 0.3, 0.3, 0.13, 1.0)
    )
    basis_up: float = 1.05
    basis_down: float = 0.95
    basis_add: float = 0.25
    basis_per_year: float = 0.01
    peg_threshold: float = 0.98
    peg_factor: float = 2.0
    confidence_threshold: float = 0.6
    confidence_factor: float = 0.4
    base_percent: float = 0.025
    perp_percent: float = 0.025
    option_percent: float = 0.01
    initial_factor: float = 1.3
    static_discount: float = 0.95
    rate_multiple: float = 4.0
    rate_addition: float = 0.12

    def __post_init__(self) -> None:
        traceable(self.provenance, "pmrm")
        if not self.scenarios:
            raise MarginError("there is no scenario", field="pmrm.scenarios", remedy="Give at least one")
        for name in self.__dataclass_fields__:
            if name not in {"provenance", "scenarios", "volatility_range"}:
                not_negative(getattr(self, name), f"pmrm.{name}")


@dataclass(frozen=True, slots=True)
class PmrmPortfolio(MarketAccount):
    """One PMRM v1 account and its market's feeds; `base` is wrapped spot, in units."""

    base: float = 0.0

    def __post_init__(self) -> None:
        MarketAccount.__post_init__(self)
        not_negative(self.base, "portfolio.base")


@dataclass(frozen=True, slots=True)
class PmrmMargins:
    """Net margins, mark-to-market, scenario profits (scenarios,) and basis contingency (≤ 0), in USDC.

    `worst` is the index of the worst scenario, or the number of scenarios where the basis contingency is
    worse.
    """

    initial: float
    maintenance: float
    mark_to_market: float
    scenario_profits: Array
    basis_contingency: float
    worst: int


def margins(portfolio: PmrmPortfolio, p: PmrmParameters) -> PmrmMargins:
    """Net initial and maintenance margin of one account, in USDC (negative: short of the requirement)."""
    spots = np.array([scenario.spot for scenario in p.scenarios])
    base_value = portfolio.base * portfolio.spot / portfolio.stable_price
    profits = base_value * (spots - 1.0) + portfolio.perp_position * portfolio.perp_price * (spots - 1.0)
    moved = abs(portfolio.perp_position) * p.perp_percent + portfolio.base * p.base_percent
    static = moved * portfolio.spot
    held = abs(portfolio.perp_position) + portfolio.base
    doubt = _confidence_contingency(portfolio.confidence, held, portfolio.spot, p)
    mark = base_value + portfolio.settled
    basis = 0.0
    corners = (Scenario(p.basis_up, VolShock.NONE), Scenario(p.basis_down, VolShock.NONE))
    for expiry in portfolio.expiries:
        columns = OptionColumns.of(expiry.options)
        now = value_now(expiry, columns)
        values = expiry_values(expiry, columns, p.scenarios, p.volatility_range)
        shock_rate = max(expiry.rate, 0.0) * p.rate_multiple + p.rate_addition
        discount = p.static_discount * math.exp(-expiry.years * shock_rate)
        profits = profits + np.where(values > 0, values * discount, values) - now
        up, down = expiry_values(expiry, columns, corners, p.volatility_range)
        basis += basis_loss(float(up), float(down), now, p.basis_add + p.basis_per_year * expiry.years)
        static += naked_shorts(expiry.options) * p.option_percent * portfolio.spot
        size = float(np.abs(columns.amount).sum())
        doubt += _confidence_contingency(
            min(portfolio.confidence, expiry.confidence), size, portfolio.spot, p
        )
        mark += now
    worst, index = (basis, len(p.scenarios)) if basis <= profits.min() else (profits.min(), profits.argmin())
    peg_loss = max(p.peg_threshold - portfolio.stable_price, 0.0) * p.peg_factor
    total = mark + portfolio.cash
    initial = (float(worst) - static) * (p.initial_factor + peg_loss) - doubt + total
    return PmrmMargins(initial, float(worst) - static + total, total, profits, basis, int(index))


@dataclass(frozen=True, slots=True)
class PortfolioMarginManager:
    """PMRM v1 as a margin model; the account carries its feeds, so the market state is empty."""

    name: str = "derive-pmrm"
    version: str = "1"

    def requirement(self, positions: PmrmPortfolio, market: None, parameters: PmrmParameters) -> Requirement:
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
            },
        )


def _confidence_contingency(confidence: float, amount: float, spot: float, p: PmrmParameters) -> float:
    if confidence >= p.confidence_threshold:
        return 0.0
    return (1.0 - confidence) * p.confidence_factor * amount * spot

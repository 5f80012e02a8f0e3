"""Derive Standard Risk Manager: isolated option margins, capped by the worst payoff, plus perps and base.

Source: derivexyz/v2-core src/risk-managers/StandardManager.sol and SRMPortfolioViewer.sol.
Net margin = cash + Σ markets (perp + options + base + unsettled perp PnL − depeg penalty); the penalty and
the confidence contingencies are part of the initial margin only. The account is below a requirement when its
net margin is below 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import numpy as np

from keeper.margin.checks import not_negative, number, positive, within
from keeper.margin.interface import Array, Provenance, Requirement
from keeper.margin.options import black76
from keeper.margin.options.checks import traceable
from keeper.margin.options.derive.holdings import Expiry, OptionColumns

SRM = Provenance("v2-core", date(2026, 11, 22), "derivexyz/v2-core@7736900d, test configuration")


@dataclass(frozen=True, slots=True)
class SrmParameters:
    """Parameters of one SRM market: fractions and factors; the defaults are v2-core's test configuration."""

    provenance: Provenance = SRM
    perp_maintenance: float = 0.05
    perp_initial: float = 0.065
    max_spot: float = 0.15
    min_spot: float = 0.10
    call_maintenance: float = 0.075
    put_maintenance: float = 0.075
    put_mark_maintenance: float = 0.075
    unpaired_initial: float = 1.2
    unpaired_maintenance: float = 1.1
    maintenance_offset: float = 1.05
    perp_threshold: float = 0.4
    option_threshold: float = 0.4
    base_threshold: float = 0.4
    oracle_factor: float = 0.4
    base_factor: float = 0.8
    base_initial_scale: float = 1.0
    depeg_threshold: float = 0.98
    depeg_factor: float = 1.2

    def __post_init__(self) -> None:
        traceable(self.provenance, "srm")
        for name in self.__dataclass_fields__:
            if name not in {"provenance"}:
                not_negative(getattr(self, name), f"srm.{name}")
        within(self.base_factor, 0.0, 1.0, "srm.base_factor")


@dataclass(frozen=True, slots=True)
class SrmMarket:
    """Holdings and feeds of one market: `perp_pnl` is unsettled and unrealised, in USDC; `base` wrapped spot.

    `parameters` are the market's own where they differ from the account's; depeg is always the account's.
    """

    spot: float
    spot_confidence: float
    expiries: tuple[Expiry, ...] = ()
    perp_position: float = 0.0
    perp_price: float = 0.0
    perp_confidence: float = 1.0
    perp_pnl: float = 0.0
    base: float = 0.0
    parameters: SrmParameters | None = None

    def __post_init__(self) -> None:
        positive(self.spot, "market.spot")
        within(self.spot_confidence, 0.0, 1.0, "market.spot_confidence")
        within(self.perp_confidence, 0.0, 1.0, "market.perp_confidence")
        number(self.perp_position, "market.perp_position")
        not_negative(self.perp_price, "market.perp_price")
        number(self.perp_pnl, "market.perp_pnl")
        not_negative(self.base, "market.base")


@dataclass(frozen=True, slots=True)
class SrmPortfolio:
    """One SRM account: `cash` in USDC (may be negative), its markets in any order."""

    cash: float
    markets: tuple[SrmMarket, ...] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        number(self.cash, "portfolio.cash")


@dataclass(frozen=True, slots=True)
class SrmMargins:
    """Net margins (negative: short of the requirement) and mark-to-market of the whole account, in USDC."""

    initial: float
    maintenance: float
    mark_to_market: float


def margins(portfolio: SrmPortfolio, stable_price: float, parameters: SrmParameters) -> SrmMargins:
    """Net initial and maintenance margin of an account, in USDC. `stable_price` is USDC in USD."""
    positive(stable_price, "stable_price")
    depeg = max(parameters.depeg_threshold - stable_price, 0.0) * parameters.depeg_factor
    initial = maintenance = mark = portfolio.cash
    for market in portfolio.markets:
        own = market.parameters or parameters
        initial += _market_margin(market, own, initial=True)
        initial -= _penalised_positions(market) * depeg * market.spot
        maintenance += _market_margin(market, own, initial=False)
        base_value = market.base * market.spot / stable_price
        perp_pnl = market.perp_pnl if market.perp_position else 0.0
        mark += base_value + perp_pnl + sum(float(_marks(expiry).sum()) for expiry in market.expiries)
    return SrmMargins(initial, maintenance, mark)


@dataclass(frozen=True, slots=True)
class StandardManager:
    """The SRM as a margin model; the market state is the stable price, everything else is in the account."""

    name: str = "derive-srm"
    version: str = "v2-core"

    def requirement(self, positions: SrmPortfolio, market: float, parameters: SrmParameters) -> Requirement:
        """Requirements as mark-to-market minus net margin, so equity ≥ requirement iff net margin ≥ 0."""
        net = margins(positions, market, parameters)
        return Requirement(
            initial=net.mark_to_market - net.initial,
            maintenance=net.mark_to_market - net.maintenance,
            equity=net.mark_to_market,
            parts={"net_initial": net.initial, "net_maintenance": net.maintenance},
        )


def _market_margin(market: SrmMarket, p: SrmParameters, *, initial: bool) -> float:
    margin = _perp_margin(market, p, initial=initial) + _base_margin(market, p, initial=initial)
    for expiry in market.expiries:
        margin += expiry_margin(expiry, market.spot, p, initial=initial)
        confidence = min(market.spot_confidence, expiry.confidence)
        if initial and confidence < p.option_threshold:
            shorts = sum(-option.amount for option in expiry.options if option.amount < 0)
            margin -= (1.0 - confidence) * p.oracle_factor * market.spot * shorts
    return margin + (market.perp_pnl if market.perp_position else 0.0)


def _perp_margin(market: SrmMarket, p: SrmParameters, *, initial: bool) -> float:
    size = abs(market.perp_position)
    if size == 0:
        return 0.0
    margin = -size * market.perp_price * (p.perp_initial if initial else p.perp_maintenance)
    confidence = min(market.perp_confidence, market.spot_confidence)
    if initial and confidence < p.perp_threshold:
        margin -= (1.0 - confidence) * p.oracle_factor * market.spot * size
    return margin


def _base_margin(market: SrmMarket, p: SrmParameters, *, initial: bool) -> float:
    notional = market.base * market.spot
    margin = notional * p.base_factor * (p.base_initial_scale if initial else 1.0)
    if initial and market.spot_confidence < p.base_threshold:
        margin -= (1.0 - market.spot_confidence) * p.oracle_factor * notional
    return margin


def expiry_margin(expiry: Expiry, spot: float, p: SrmParameters, *, initial: bool) -> float:
    """Margin of the options of one expiry (≤ 0): the better of the isolated sum and the worst payoff.

    The payoff is taken at settlement prices 0 and every strike. Beyond the last strike it falls without bound
    where calls are net short: each of those is charged the unpaired scale times the forward.
    """
    if not expiry.options:
        return 0.0
    columns = OptionColumns.of(expiry.options)
    isolated = float(_isolated(columns, _marks(expiry), spot, p, initial=initial).sum())
    settlements = np.append(columns.strike, 0.0)[:, np.newaxis]
    gap = np.where(columns.is_call, settlements - columns.strike, columns.strike - settlements)
    payoffs = (np.maximum(gap, 0.0) * columns.amount).sum(axis=1)
    worst = min(float(payoffs.min()), 0.0)
    net_calls = float(columns.amount[columns.is_call].sum())
    if net_calls < 0:
        worst += (p.unpaired_initial if initial else p.unpaired_maintenance) * expiry.forward * net_calls
    return max(isolated, worst)


def _isolated(
    columns: OptionColumns, marks: Array, spot: float, p: SrmParameters, *, initial: bool
) -> Array:  # fmt: skip
    """Margin of each option on its own (≤ 0); a long option needs none and offsets nothing."""
    amount = np.minimum(columns.amount, 0.0)
    call = marks + p.call_maintenance * spot * amount
    put = marks + np.minimum(p.put_maintenance * spot * amount, p.put_mark_maintenance * marks)
    if initial:
        distance = np.where(columns.is_call, columns.strike - spot, spot - columns.strike)
        out_of_money = np.maximum(distance, 0.0) / spot
        opened = np.maximum(p.max_spot - out_of_money, p.min_spot) * spot * amount + marks
        call, put = opened, np.minimum(opened, put * p.maintenance_offset)
    margin = np.where(columns.is_call, call, put)
    return np.where(columns.amount > 0, 0.0, margin)


def _marks(expiry: Expiry) -> Array:
    columns = OptionColumns.of(expiry.options)
    prices = black76.price(expiry.forward, columns.strike, expiry.years, columns.volatility, columns.is_call)
    return prices * columns.amount


def _penalised_positions(market: SrmMarket) -> float:
    shorts = sum(-o.amount for expiry in market.expiries for o in expiry.options if o.amount < 0)
    return abs(market.perp_position) + shorts

"""Margin schedules as margin models: one linear position, its equity, and a price."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from keeper.margin.interface import Requirement
from keeper.margin.schedules import deribit_linear, drift, tiers


@dataclass(frozen=True, slots=True)
class LinearAccount:
    """Signed `size`, its `equity` in the settlement unit, and the chosen leverage (None: the maximum)."""

    size: Fraction
    equity: Fraction
    leverage: Fraction | None = None


@dataclass(frozen=True, slots=True)
class TieredMargin:
    """Any schedule of tiers (Binance, Hyperliquid); the market state is the mark price."""

    name: str = "tiers"
    version: str = "by schedule"

    def requirement(
        self, positions: LinearAccount, market: Fraction, parameters: tiers.Schedule
    ) -> Requirement:
        return tiers.requirement(parameters, positions.size, market, positions.equity, positions.leverage)


@dataclass(frozen=True, slots=True)
class DeribitLinear:
    """Deribit's linear perpetuals; the market state is the index price."""

    name: str = "deribit-linear"
    version: str = "2025"

    def requirement(
        self, positions: LinearAccount, market: Fraction, parameters: deribit_linear.SizeScaledTerms
    ) -> Requirement:
        return deribit_linear.requirement(positions.size, market, positions.equity, parameters)


@dataclass(frozen=True, slots=True)
class DriftAccount:
    """Signed `size` in 1e9, unrealised `pnl` and quote `collateral` in 1e6."""

    size: int
    pnl: int
    collateral: int


@dataclass(frozen=True, slots=True)
class DriftV2:
    """Drift v2; the market state is the oracle price (1e6)."""

    name: str = "drift-v2"
    version: str = "2"

    def requirement(self, positions: DriftAccount, market: int, parameters: drift.PerpTerms) -> Requirement:
        return drift.requirement(positions.size, market, positions.pnl, positions.collateral, parameters)

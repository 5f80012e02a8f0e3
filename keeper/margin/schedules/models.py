"""Margin schedules behind the one interface: one linear position, its equity, and a mark price."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from keeper.margin.interface import Requirement
from keeper.margin.schedules import deribit_linear, drift, tiers


@dataclass(frozen=True, slots=True)
class LinearAccount:
    """Signed `size`, the `equity` behind it in the settlement unit, and the leverage chosen, if any."""

    size: Fraction
    equity: Fraction
    leverage: Fraction | None = None


@dataclass(frozen=True, slots=True)
class TieredMargin:
    """Binance, Hyperliquid, or any schedule of tiers; the market is the mark price."""

    name: str = "tiers"
    version: str = "by schedule"

    def requirement(
        self, positions: LinearAccount, market: Fraction, parameters: tiers.Schedule
    ) -> Requirement:
        return tiers.requirement(parameters, positions.size, market, positions.equity, positions.leverage)


@dataclass(frozen=True, slots=True)
class DeribitLinear:
    """The market is the index price."""

    name: str = "deribit-linear"
    version: str = "2025"

    def requirement(
        self, positions: LinearAccount, market: Fraction, parameters: deribit_linear.SizeScaledTerms
    ) -> Requirement:
        return deribit_linear.requirement(positions.size, market, positions.equity, parameters)


@dataclass(frozen=True, slots=True)
class DriftAccount:
    """`size` in 1e9, unrealised `pnl` and quote `collateral` in 1e6."""

    size: int
    pnl: int
    collateral: int


@dataclass(frozen=True, slots=True)
class DriftV2:
    """The market is the oracle price (1e6)."""

    name: str = "drift-v2"
    version: str = "2"

    def requirement(self, positions: DriftAccount, market: int, parameters: drift.PerpTerms) -> Requirement:
        return drift.requirement(positions.size, market, positions.pnl, positions.collateral, parameters)

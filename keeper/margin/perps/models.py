"""Perpetual exchanges as margin models. Where positions carry their prices, the market state is None."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.margin.interface import Requirement
from keeper.margin.perps import perp_v2
from keeper.margin.perps.dydx_v4 import risk as dydx
from keeper.margin.perps.gmx_v2 import position as gmx
from keeper.margin.perps.synthetix_v3 import account as snx


@dataclass(frozen=True, slots=True)
class SynthetixAccount:
    """Collateral value in USD and positions with their markets' terms, 18 decimals."""

    collateral: int
    positions: tuple[snx.Position, ...]


@dataclass(frozen=True, slots=True)
class SynthetixV3:
    """Synthetix v3 perps; USD, 18 decimals. The parameters are the keepers' rewards."""

    name: str = "synthetix-v3"
    version: str = "3"

    def requirement(
        self, positions: SynthetixAccount, market: None, parameters: snx.KeeperTerms
    ) -> Requirement:
        return snx.requirement(positions.positions, positions.collateral, parameters)


@dataclass(frozen=True, slots=True)
class GmxMarket:
    """Oracle prices, the price impact of closing (USD, 30 decimals), and fees in collateral token units."""

    prices: gmx.Prices
    price_impact: int = 0
    fees: int = 0


@dataclass(frozen=True, slots=True)
class GmxV2:
    """GMX v2, one position; USD, 30 decimals."""

    name: str = "gmx-v2"
    version: str = "2.1"

    def requirement(
        self, positions: gmx.Position, market: GmxMarket, parameters: gmx.PositionTerms
    ) -> Requirement:
        return gmx.requirement(positions, market.prices, parameters, market.price_impact, market.fees)


@dataclass(frozen=True, slots=True)
class DydxSubaccount:
    """Quote balance (quote quantums) and (perpetual, base quantums) pairs; tiers belong to the perpetuals."""

    quote_balance: int
    positions: tuple[tuple[dydx.Perpetual, int], ...]


@dataclass(frozen=True, slots=True)
class DydxV4:
    """dYdX v4, one subaccount; quote quantums."""

    name: str = "dydx-v4"
    version: str = "4"

    def requirement(self, positions: DydxSubaccount, market: None, parameters: None) -> Requirement:
        return dydx.requirement(positions.quote_balance, positions.positions)


@dataclass(frozen=True, slots=True)
class PerpV2Account:
    """Positions, and the collateral with settled profit and loss; 18 decimals."""

    collateral: int
    positions: tuple[perp_v2.Position, ...]


@dataclass(frozen=True, slots=True)
class PerpProtocolV2:
    """Perp v2, one account; quote token, 18 decimals."""

    name: str = "perp-v2"
    version: str = "2.8"

    def requirement(
        self, positions: PerpV2Account, market: None, parameters: perp_v2.CurieTerms
    ) -> Requirement:
        return perp_v2.requirement(positions.positions, positions.collateral, parameters)

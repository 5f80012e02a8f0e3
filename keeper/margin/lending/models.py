"""Lending protocols as margin models: equity is the collateral at its factor, maintenance the debt."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.errors import MarginError
from keeper.margin.interface import Requirement
from keeper.margin.lending.aave.health import AccruedMarket, account_data
from keeper.margin.lending.aave.rules import Rules
from keeper.margin.lending.aave.state import AccountData, AccountState
from keeper.margin.lending.comet import account as comet
from keeper.margin.lending.comet.rates import Totals
from keeper.margin.lending.comet.terms import PRICE_SCALE, CometTerms
from keeper.margin.lending.liquity import trove as liquity
from keeper.margin.lending.morpho import market as morpho
from keeper.margin.lending.morpho import position as morpho_position
from keeper.margin.rounding import WAD


def aave_requirement(data: AccountData) -> Requirement:
    """Requirement in base currency with 18 more decimals: equity < maintenance exactly where health < 1."""
    return Requirement(
        initial=data.debt * WAD,
        maintenance=data.debt * WAD,
        equity=data.health * data.debt,
        parts={"collateral": data.collateral, "debt": data.debt, "average_threshold": data.threshold},
    )


@dataclass(frozen=True, slots=True)
class AaveV3:
    """Aave v3; the market is accrued under one version's rules, which must be the ones given."""

    name: str = "aave-v3"
    version: str = "3.0.2–3.7"

    def requirement(self, positions: AccountState, market: AccruedMarket, parameters: Rules) -> Requirement:
        if market.rules is not parameters:
            raise MarginError(
                f"{parameters.version}, but the market is accrued under {market.rules.version}",
                field="parameters",
            )
        return aave_requirement(account_data(positions, market))


@dataclass(frozen=True, slots=True)
class PricedMarket:
    """A Morpho Blue market with its oracle's price."""

    state: morpho.MarketState
    price: int


@dataclass(frozen=True, slots=True)
class MorphoBlue:
    """Morpho Blue; loan token units."""

    name: str = "morpho-blue"
    version: str = "1.0"

    def requirement(
        self, positions: morpho_position.Position, market: PricedMarket, parameters: morpho.MarketTerms
    ) -> Requirement:
        return morpho_position.requirement(positions, market.state, market.price, parameters)


@dataclass(frozen=True, slots=True)
class CometMarket:
    """A Comet's totals and its base token's price (1e8)."""

    totals: Totals
    base_price: int = PRICE_SCALE


@dataclass(frozen=True, slots=True)
class CompoundV3:
    """Compound v3; price units (1e8)."""

    name: str = "compound-v3"
    version: str = "3"

    def requirement(
        self, positions: comet.Account, market: CometMarket, parameters: CometTerms
    ) -> Requirement:
        return comet.requirement(positions, market.totals, parameters, market.base_price)


@dataclass(frozen=True, slots=True)
class TroveSystem:
    """All collateral and debt of the system, and the price; 18 decimals."""

    whole: liquity.Trove
    price: int


@dataclass(frozen=True, slots=True)
class LiquityV1:
    """Liquity v1; LUSD with 36 decimals."""

    name: str = "liquity-v1"
    version: str = "1"

    def requirement(
        self, positions: liquity.Trove, market: TroveSystem, parameters: liquity.LiquityTerms
    ) -> Requirement:
        return liquity.requirement(positions, market.whole, market.price, parameters)

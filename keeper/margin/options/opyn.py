"""Opyn Gamma vaults as exact integers: fully collateralised and spread (type 0); naked: `opyn_naked`.

Source: opynfinance/GammaProtocol contracts/core/MarginCalculator.sol and libs/FixedPointInt256.sol. Amounts
and prices are scaled to 1e27; every product and quotient truncates towards zero, in the contract's order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum

from keeper.errors import MarginError
from keeper.margin.checks import natural
from keeper.margin.interface import Provenance, Requirement
from keeper.margin.options.fixed_point import ONE, div, from_units, mul, to_units_down, to_units_up

PRICE_DECIMALS = 8


class CollateralAsset(Enum):
    """Which asset of its options a vault holds as collateral."""

    STRIKE = "strike"
    UNDERLYING = "underlying"
    OTHER = "other"


GAMMA = Provenance("gamma", date(2026, 11, 22), "opynfinance/GammaProtocol@841f81d9, naked margin tests")


@dataclass(frozen=True, slots=True)
class Prices:
    """Oracle prices in USD, 8 decimals: live before expiry, the settlement prices from expiry on."""

    underlying: int
    strike: int = 10**PRICE_DECIMALS
    collateral: int = 0

    def __post_init__(self) -> None:
        for name in ("underlying", "strike", "collateral"):
            natural(getattr(self, name), f"prices.{name}")

    def of(self, asset: CollateralAsset) -> int:
        """Price of a vault's collateral asset in USD, 8 decimals."""
        by_asset = {
            CollateralAsset.STRIKE: self.strike,
            CollateralAsset.UNDERLYING: self.underlying,
            CollateralAsset.OTHER: self.collateral,
        }
        return by_asset[asset]


@dataclass(frozen=True, slots=True)
class Vault:
    """One vault: at most one short and one long option of the same expiry and kind.

    Strikes and amounts with 8 decimals, `collateral` in the token's own units of `collateral_decimals`.
    """

    is_put: bool
    collateral: int
    collateral_decimals: int
    collateral_asset: CollateralAsset
    short_amount: int = 0
    short_strike: int = 0
    long_amount: int = 0
    long_strike: int = 0

    def __post_init__(self) -> None:
        for name in (
            "collateral", "collateral_decimals", "short_amount", "short_strike", "long_amount", "long_strike",
        ):  # fmt: skip
            natural(getattr(self, name), f"vault.{name}")


def excess_collateral(vault: Vault, prices: Prices, *, expired: bool) -> tuple[int, bool]:
    """Excess or missing collateral of a type 0 vault, in collateral units, and whether it is an excess.

    `getExcessCollateral`: an excess is rounded down, a deficit up.
    """
    excess = collateral_of(vault) - required(vault, prices, expired=expired)
    return to_units(excess, vault.collateral_decimals)


def required(vault: Vault, prices: Prices, *, expired: bool) -> int:
    """Collateral that a type 0 vault must hold, 1e27; after expiry what it owes (negative: it is owed).

    MarginError where the collateral must be converted and its price is 0.
    """
    short, long = from_price(vault.short_amount), from_price(vault.long_amount)
    if expired:
        owed = mul(_cash_value(vault, vault.short_strike, prices), short)
        owned = mul(_cash_value(vault, vault.long_strike, prices), long)
        return _converted(owed - owned, prices.strike, CollateralAsset.STRIKE, vault, prices)
    short_strike, long_strike = from_price(vault.short_strike), from_price(vault.long_strike)
    if vault.is_put:
        need = max(mul(short, short_strike) - mul(long_strike, min(short, long)), 0)
        return _converted(need, prices.strike, CollateralAsset.STRIKE, vault, prices)
    need = max(short - long, 0)
    if long_strike != 0:
        need = max(div(mul(long_strike - short_strike, short), long_strike), need)
    return _converted(need, prices.underlying, CollateralAsset.UNDERLYING, vault, prices)


@dataclass(frozen=True, slots=True)
class GammaVaults:
    """Type 0 vaults before expiry as a margin model; one requirement serves as initial and maintenance."""

    name: str = "opyn-gamma"
    version: str = "gamma"

    def requirement(self, positions: Vault, market: Prices, parameters: None) -> Requirement:
        """Requirement and collateral as integers scaled to 1e27."""
        need = required(positions, market, expired=False)
        return Requirement(initial=need, maintenance=need, equity=collateral_of(positions))


def to_units(excess: int, decimals: int) -> tuple[int, bool]:
    """(excess in collateral units rounded down, True), or (deficit rounded up, False), from 1e27."""
    if excess >= 0:
        return to_units_down(excess, decimals), True
    return to_units_up(-excess, decimals), False


def _cash_value(vault: Vault, strike: int, prices: Prices) -> int:
    """Payoff of one option at settlement, in the strike asset, 1e27."""
    settled = div(mul(ONE, from_price(prices.underlying)), from_price(prices.strike))
    gap = from_price(strike) - settled if vault.is_put else settled - from_price(strike)
    return max(gap, 0)


def _converted(amount: int, price: int, asset: CollateralAsset, vault: Vault, prices: Prices) -> int:
    """An amount of `asset` in the collateral asset, 1e27: multiplied first, then divided."""
    if asset is vault.collateral_asset:
        return amount
    target = prices.of(vault.collateral_asset)
    if target == 0:
        raise MarginError(
            "the collateral's price is 0", field="prices.collateral", remedy="Give the oracle's price"
        )
    return div(mul(amount, from_price(price)), from_price(target))


def collateral_of(vault: Vault) -> int:
    """The vault's collateral scaled to 1e27."""
    return from_units(vault.collateral, vault.collateral_decimals)


def from_price(amount: int) -> int:
    """A price, strike or option amount of 8 decimals scaled to 1e27."""
    return from_units(amount, PRICE_DECIMALS)

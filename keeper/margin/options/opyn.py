"""Opyn Gamma vaults as exact integers: fully collateralised and spread (type 0), naked margin (type 1).

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
from keeper.margin.options.checks import traceable
from keeper.margin.options.fixed_point import ONE, div, from_units, mul, to_units_down, to_units_up

PRICE_DECIMALS = 8
DAY_SECONDS = 86_400


class CollateralAsset(Enum):
    """What a vault holds as collateral, relative to its options."""

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
        """Price of the collateral asset."""
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


@dataclass(frozen=True, slots=True)
class NakedParameters:
    """One product's naked margin: shock and upper bounds scaled to 1e27, by time to expiry in seconds.

    Defaults: the values Opyn tests and deployed for WETH with USDC strike. `dust` in collateral units.
    """

    provenance: Provenance = GAMMA
    spot_shock: int = 75 * ONE // 100
    upper_bounds: tuple[tuple[int, int], ...] = (
        (7 * DAY_SECONDS, 1678 * ONE // 10_000),
        (14 * DAY_SECONDS, 2370 * ONE // 10_000),
        (28 * DAY_SECONDS, 3326 * ONE // 10_000),
        (42 * DAY_SECONDS, 4032 * ONE // 10_000),
        (56 * DAY_SECONDS, 4603 * ONE // 10_000),
    )
    dust: int = 0

    def __post_init__(self) -> None:
        traceable(self.provenance, "naked")
        natural(self.spot_shock, "naked.spot_shock")
        natural(self.dust, "naked.dust")
        times = [seconds for seconds, _ in self.upper_bounds]
        if not times or times != sorted(set(times)):
            raise MarginError(
                "times to expiry are missing or not ascending", field="naked.upper_bounds", remedy="Sort them"
            )
        for seconds, bound in self.upper_bounds:
            natural(seconds, "naked.upper_bounds")
            natural(bound, "naked.upper_bounds")

    def upper_bound(self, seconds: int) -> int:
        """Upper bound of the first listed time to expiry that is not shorter (1e27)."""
        natural(seconds, "seconds_to_expiry")
        for listed, bound in self.upper_bounds:
            if listed >= seconds:
                return bound
        raise MarginError(
            f"{seconds} s is longer than every listed time to expiry",
            field="seconds_to_expiry",
            remedy="Add an upper bound for it",
        )


def excess_collateral(vault: Vault, prices: Prices, *, expired: bool) -> tuple[int, bool]:
    """Excess or missing collateral of a type 0 vault, in collateral units, and whether it is an excess.

    `getExcessCollateral`: an excess is rounded down, a deficit up.
    """
    return _external(_collateral(vault) - required(vault, prices, expired=expired), vault.collateral_decimals)


def required(vault: Vault, prices: Prices, *, expired: bool) -> int:
    """Collateral a type 0 vault must hold, 1e27; after expiry what it owes (negative: is owed)."""
    short, long = _scaled(vault.short_amount), _scaled(vault.long_amount)
    if expired:
        owed = mul(_cash_value(vault, vault.short_strike, prices), short)
        owned = mul(_cash_value(vault, vault.long_strike, prices), long)
        return _converted(owed - owned, prices.strike, CollateralAsset.STRIKE, vault, prices)
    short_strike, long_strike = _scaled(vault.short_strike), _scaled(vault.long_strike)
    if vault.is_put:
        need = max(mul(short, short_strike) - mul(long_strike, min(short, long)), 0)
        return _converted(need, prices.strike, CollateralAsset.STRIKE, vault, prices)
    need = max(short - long, 0)
    if long_strike != 0:
        need = max(div(mul(long_strike - short_strike, short), long_strike), need)
    return _converted(need, prices.underlying, CollateralAsset.UNDERLYING, vault, prices)


def naked_required(
    *, is_put: bool, short_amount: int, strike: int, price: int, upper_bound: int, spot_shock: int
) -> int:
    """Collateral of a type 1 vault before expiry, 1e27 (strike asset for puts, underlying for calls).

    Amount, strike and price with 8 decimals, `upper_bound` and `spot_shock` with 27.
    """
    amount, k, s = _scaled(short_amount), _scaled(strike), _scaled(price)
    if is_put:
        shocked = mul(spot_shock, s)
        a, b = min(k, shocked), max(k - shocked, 0)
    else:
        if s == 0:
            raise MarginError("the underlying price is 0", field="price", remedy="Give the oracle's price")
        ratio = div(mul(k, spot_shock), s)
        a, b = min(ONE, ratio), max(ONE - ratio, 0)
    return mul(mul(upper_bound, a) + b, amount)


def naked_excess(
    vault: Vault, prices: Prices, seconds_to_expiry: int, parameters: NakedParameters
) -> tuple[int, bool]:
    """Excess or missing collateral of a type 1 vault before expiry, in collateral units."""
    if 0 < vault.collateral <= parameters.dust:
        raise MarginError("collateral is not above dust", field="vault.collateral", remedy="Add collateral")
    need = naked_required(
        is_put=vault.is_put,
        short_amount=vault.short_amount,
        strike=vault.short_strike,
        price=prices.underlying,
        upper_bound=parameters.upper_bound(seconds_to_expiry),
        spot_shock=parameters.spot_shock,
    )
    return _external(_collateral(vault) - need, vault.collateral_decimals)


@dataclass(frozen=True, slots=True)
class GammaVaults:
    """Type 0 vaults before expiry as a margin model; one requirement serves as initial and maintenance."""

    name: str = "opyn-gamma"
    version: str = "gamma"

    def requirement(self, positions: Vault, market: Prices, parameters: None) -> Requirement:
        """Requirement and collateral as integers scaled to 1e27."""
        need = required(positions, market, expired=False)
        return Requirement(initial=need, maintenance=need, equity=_collateral(positions))


@dataclass(frozen=True, slots=True)
class NakedMarket:
    """What a naked vault is valued in: the underlying's live price (8 decimals) and seconds to expiry."""

    underlying: int
    seconds: int

    def __post_init__(self) -> None:
        natural(self.underlying, "market.underlying")
        natural(self.seconds, "market.seconds")


@dataclass(frozen=True, slots=True)
class NakedVaults:
    """Type 1 vaults before expiry as a margin model; below the requirement they may be liquidated."""

    name: str = "opyn-naked"
    version: str = "gamma"

    def requirement(self, positions: Vault, market: NakedMarket, parameters: NakedParameters) -> Requirement:
        """Requirement and collateral as integers scaled to 1e27."""
        need = naked_required(
            is_put=positions.is_put,
            short_amount=positions.short_amount,
            strike=positions.short_strike,
            price=market.underlying,
            upper_bound=parameters.upper_bound(market.seconds),
            spot_shock=parameters.spot_shock,
        )
        return Requirement(initial=need, maintenance=need, equity=_collateral(positions))


def _external(excess: int, decimals: int) -> tuple[int, bool]:
    if excess >= 0:
        return to_units_down(excess, decimals), True
    return to_units_up(-excess, decimals), False


def _cash_value(vault: Vault, strike: int, prices: Prices) -> int:
    """Payoff of one option at settlement, in the strike asset, 1e27."""
    settled = div(mul(ONE, _scaled(prices.underlying)), _scaled(prices.strike))
    gap = _scaled(strike) - settled if vault.is_put else settled - _scaled(strike)
    return max(gap, 0)


def _converted(amount: int, price: int, asset: CollateralAsset, vault: Vault, prices: Prices) -> int:
    """An amount of `asset` in the collateral asset, multiplying first."""
    if asset is vault.collateral_asset:
        return amount
    target = prices.of(vault.collateral_asset)
    if target == 0:
        raise MarginError(
            "the collateral's price is 0", field="prices.collateral", remedy="Give the oracle's price"
        )
    return div(mul(amount, _scaled(price)), _scaled(target))


def _collateral(vault: Vault) -> int:
    return from_units(vault.collateral, vault.collateral_decimals)


def _scaled(amount: int) -> int:
    return from_units(amount, PRICE_DECIMALS)

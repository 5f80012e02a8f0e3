"""Opyn Gamma naked margin vaults (type 1) as exact integers: one short option, partly collateralised.

Source: opynfinance/GammaProtocol contracts/core/MarginCalculator.sol, _getNakedMarginRequired.
"""

from __future__ import annotations

from dataclasses import dataclass

from keeper.errors import MarginError
from keeper.margin.checks import natural, positive
from keeper.margin.interface import Provenance, Requirement
from keeper.margin.options.checks import traceable
from keeper.margin.options.fixed_point import ONE, div, mul
from keeper.margin.options.opyn import GAMMA, Prices, Vault, collateral_of, from_price, to_units

DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class NakedParameters:
    """One product's naked margin: spot shock, and upper bounds by time to expiry (seconds), scaled to 1e27.

    Defaults: the values that Opyn tested and deployed for WETH with USDC strike. `dust` in collateral units.
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
        """Upper bound (1e27) of the first listed time to expiry that is not shorter; else MarginError."""
        natural(seconds, "seconds_to_expiry")
        for listed, bound in self.upper_bounds:
            if listed >= seconds:
                return bound
        raise MarginError(
            f"{seconds} s is longer than every listed time to expiry",
            field="seconds_to_expiry",
            remedy="Add an upper bound for it",
        )


def naked_required(
    *, is_put: bool, short_amount: int, strike: int, price: int, upper_bound: int, spot_shock: int
) -> int:
    """Collateral of a type 1 vault before expiry, 1e27 (strike asset for puts, underlying for calls).

    Amount, strike and price with 8 decimals, `upper_bound` and `spot_shock` with 27.
    """
    for name, given in (
        ("short_amount", short_amount), ("strike", strike), ("price", price),
        ("upper_bound", upper_bound), ("spot_shock", spot_shock),
    ):  # fmt: skip
        natural(given, name)
    amount, k, s = from_price(short_amount), from_price(strike), from_price(price)
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
    """Excess or missing collateral of a type 1 vault before expiry, in collateral units; True: an excess.

    An excess is rounded down, a deficit up. MarginError for collateral at or below dust.
    """
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
    return to_units(collateral_of(vault) - need, vault.collateral_decimals)


@dataclass(frozen=True, slots=True)
class NakedMarket:
    """The market state of a naked vault: the underlying's live price (8 decimals) and seconds to expiry."""

    underlying: int
    seconds: int

    def __post_init__(self) -> None:
        natural(self.underlying, "market.underlying")
        positive(natural(self.seconds, "market.seconds"), "market.seconds")


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
        return Requirement(initial=need, maintenance=need, equity=collateral_of(positions))

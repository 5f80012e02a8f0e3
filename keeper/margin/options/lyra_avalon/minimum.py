"""The minimum collateral of a short option on Avalon: below it, anyone may liquidate the position.

Source: @lyrafinance/protocol 0.1.3-alpha, contracts/OptionGreekCache.sol, getMinCollateral and getShockVol.
It is the option's price at a spot and a volatility shocked against the seller; neither the board's volatility
nor the cached Greeks enter it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum

from keeper.errors import MarginError
from keeper.margin.checks import integer, natural, positive
from keeper.margin.interface import Provenance
from keeper.margin.options.checks import traceable
from keeper.margin.options.lyra_avalon.option_prices import option_prices
from keeper.margin.rounding import wad_div_down, wad_mul_down

AVALON = Provenance("0.1.3-alpha", date(2026, 11, 28), "@lyrafinance/protocol@0.1.3-alpha")


class ShortKind(IntEnum):
    """The three kinds of positions that hold collateral, by the contract's own numbers."""

    CALL_BASE = 2
    CALL_QUOTE = 3
    PUT_QUOTE = 4


@dataclass(frozen=True, slots=True)
class MinimumTerms:
    """Parameters of a market's Greek cache: `getMinCollatParams` in its order, and the rate of
    `getGreekCacheParams`. 18 decimals and seconds; static amounts in the collateral's own unit."""

    static_quote: int
    static_base: int
    volatility_a: int
    point_a: int
    volatility_b: int
    point_b: int
    call_spot_shock: int
    put_spot_shock: int
    rate: int
    provenance: Provenance = field(default=AVALON, kw_only=True)

    def __post_init__(self) -> None:
        traceable(self.provenance, "minimum")
        for name in ("static_quote", "static_base", "call_spot_shock", "put_spot_shock", "volatility_a"):
            positive(natural(getattr(self, name), name), name)
        for name in ("point_a", "point_b", "volatility_b"):
            natural(getattr(self, name), name)
        integer(self.rate, "rate")
        if self.volatility_a < self.volatility_b or self.point_a > self.point_b:
            raise MarginError(
                "volatility must not rise, nor time fall, from A to B",
                field="minimum",
                remedy="Give them as the contract has them",
            )

    def shock_volatility(self, seconds: int) -> int:
        """Shock volatility at `seconds` to expiry: A up to point A, B from point B on, linear between.

        18 decimals; the decline from A is rounded down.
        """
        if seconds <= self.point_a:
            return self.volatility_a
        if seconds >= self.point_b:
            return self.volatility_b
        fall = (self.volatility_a - self.volatility_b) * (seconds - self.point_a)
        return self.volatility_a - fall // (self.point_b - self.point_a)

    def shocked_price(self, kind: ShortKind, strike: int, seconds: int, spot: int) -> tuple[int, int]:
        """(price of one option, shocked spot), dollars with 18 decimals: spot and volatility are shocked
        against the seller. Raises MarginError where the contract reverts."""
        is_put = kind is ShortKind.PUT_QUOTE
        shocked = wad_mul_down(spot, self.put_spot_shock if is_put else self.call_spot_shock)
        volatility = self.shock_volatility(natural(seconds, "seconds"))
        call, put = option_prices(seconds, volatility, shocked, strike, self.rate)
        return (put if is_put else call), shocked

    def minimum_collateral(self, kind: ShortKind, strike: int, seconds: int, spot: int, amount: int) -> int:
        """Collateral a short of `amount` must hold, in dollars or, for CALL_BASE, the token (18 decimals).

        `seconds` to expiry, 0 once expired. Raises MarginError where the contract reverts.
        """
        if natural(amount, "amount") == 0:
            return 0
        price, shocked = self.shocked_price(kind, strike, seconds, spot)
        worth = wad_mul_down(price, amount)
        if kind is ShortKind.PUT_QUOTE:
            return min(max(worth, self.static_quote), wad_mul_down(amount, strike))
        if kind is ShortKind.CALL_BASE:
            return min(max(wad_div_down(worth, shocked), self.static_base), amount)
        return max(worth, self.static_quote)

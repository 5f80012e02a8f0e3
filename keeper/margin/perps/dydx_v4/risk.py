"""Net collateral and margin requirements of perpetual positions, in quote quantums.

Source: dydxprotocol/v4-chain, protocol/x/perpetuals/lib/lib.go, protocol/lib/margin/risk.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from keeper.margin.checks import integer, natural, within
from keeper.margin.interface import Requirement
from keeper.margin.rounding import div_trunc
from keeper.margin.schedules.dydx_v4 import LiquidityTier

QUOTE_ATOMIC_RESOLUTION = -6
# The chain's field is 32 bits wide, but no price or coin comes near this power of ten.
LARGEST_EXPONENT = 64


@dataclass(frozen=True, slots=True)
class Perpetual:
    """Price as an integer with its exponent; `open_interest` in base quantums.

    A base quantum is 10^atomic_resolution coins, a quote quantum 1e-6.
    """

    price: int
    exponent: int
    atomic_resolution: int
    tier: LiquidityTier
    open_interest: int = 0

    def __post_init__(self) -> None:
        natural(self.price, "price")
        for name in ("exponent", "atomic_resolution"):
            within(integer(getattr(self, name), name), -LARGEST_EXPONENT, LARGEST_EXPONENT, name)
        natural(self.open_interest, "open_interest")

    def quote_quantums_trunc(self, quantums: int) -> int:
        """Signed notional of signed base quantums, towards zero."""
        exponent = self.exponent + self.atomic_resolution - QUOTE_ATOMIC_RESOLUTION
        value = integer(quantums, "quantums") * self.price
        return value * 10**exponent if exponent >= 0 else div_trunc(value, 10**-exponent)


@dataclass(frozen=True, slots=True)
class Risk:
    """Net collateral `nc`, initial `imr` and maintenance `mmr` requirement, quote quantums; additive."""

    nc: int
    imr: int
    mmr: int

    def __add__(self, other: Risk) -> Risk:
        return Risk(self.nc + other.nc, self.imr + other.imr, self.mmr + other.mmr)

    @property
    def is_liquidatable(self) -> bool:
        """Whether maintenance margin is required and not met."""
        return self.mmr > 0 and self.nc < self.mmr

    @property
    def is_initial_collateralized(self) -> bool:
        return self.nc >= self.imr


def position_risk(perpetual: Perpetual, quantums: int) -> Risk:
    """Risk of one position: its signed notional, and the requirements of its absolute notional."""
    notional = abs(perpetual.quote_quantums_trunc(quantums))
    interest = perpetual.quote_quantums_trunc(perpetual.open_interest)
    return Risk(
        perpetual.quote_quantums_trunc(quantums),
        perpetual.tier.initial_margin_up(notional, interest),
        perpetual.tier.maintenance_margin_up(notional),
    )


def account_risk(quote_balance: int, positions: Iterable[tuple[Perpetual, int]]) -> Risk:
    """Risk of a subaccount: its quote balance (signed, quote quantums) and (perpetual, quantums) pairs."""
    total = Risk(integer(quote_balance, "quote_balance"), 0, 0)
    for perpetual, quantums in positions:
        total += position_risk(perpetual, quantums)
    return total


def settlement_ppm(funding_index: int, position_index: int, quantums: int) -> int:
    """−(index − position's index)·quantums: funding to receive, in millionths of quote quantums."""
    return -(funding_index - position_index) * quantums


def requirement(quote_balance: int, positions: Iterable[tuple[Perpetual, int]]) -> Requirement:
    """A subaccount's requirement in quote quantums."""
    held = list(positions)
    risk = account_risk(quote_balance, held)
    notional = sum(abs(perpetual.quote_quantums_trunc(quantums)) for perpetual, quantums in held)
    return Requirement(risk.imr, risk.mmr, risk.nc, {"quote_balance": quote_balance, "notional": notional})

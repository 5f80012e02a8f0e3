"""Collateral liquidation of Perp v2: when an account's collateral tokens may be bought by repaying its debt,
and how much of them.

Values are scaled 1e18, ratios are millionths, units are those of the settlement token. Source:
perpetual-protocol/perp-curie-contract 2.6 and 2.8, contracts/Vault.sol, CollateralManager.sol.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from keeper.errors import MarginError
from keeper.margin.checks import natural
from keeper.margin.perps.perp_v2 import RATIO, in_settlement_units
from keeper.margin.rounding import mul_div_up

Cause = Literal["margin", "share", "threshold"]
"""Why collateral may be liquidated: too little margin, too much debt for the collateral, or debt above the
threshold."""


@dataclass(frozen=True, slots=True)
class SaleTerms:
    """Parameters of Perp v2's collateral manager: ratios in millionths, `threshold` and `dust` in units of
    the settlement token, which has `decimals`."""

    mm_ratio_buffer: int
    debt_to_collateral: int
    liquidation_ratio: int
    fee_ratio: int
    threshold: int
    dust: int
    decimals: int = 6

    def __post_init__(self) -> None:
        for name in ("mm_ratio_buffer", "debt_to_collateral", "liquidation_ratio", "threshold", "dust"):
            natural(getattr(self, name), name)
        if not 0 <= self.fee_ratio < RATIO:
            raise MarginError("must be from 0 to below 1e6", field="fee_ratio")


@dataclass(frozen=True, slots=True)
class Pledge:
    """An account with collateral tokens: their weighted value, its signed settlement token balance with
    unrealised profit, and the absolute value of its positions; 1e18."""

    tokens: int
    settlement: int
    positions: int

    @property
    def debt(self) -> int:
        """What the account owes in the settlement token, 1e18."""
        return max(0, -self.settlement)


@dataclass(frozen=True, slots=True)
class TokenLot:
    """One collateral token of an account: amount in its units, average price with `price_decimals`, and the
    buyers' discount in millionths."""

    amount: int
    price: int
    discount_ratio: int
    decimals: int = 18
    price_decimals: int = 8

    def __post_init__(self) -> None:
        natural(self.amount, "amount")
        if not 0 <= self.decimals <= 18:
            raise MarginError("must be at most 18", field="decimals")


def sale_causes(account: Pledge, mm_ratio: int, terms: SaleTerms) -> tuple[Cause, ...]:
    """Why the account's collateral may be liquidated; empty where it may not. The account must have some."""
    needed = account.positions * (mm_ratio + terms.mm_ratio_buffer) // RATIO
    due: dict[Cause, bool] = {
        "margin": account.tokens + account.settlement < needed,
        "share": account.debt > account.tokens * terms.debt_to_collateral // RATIO,
        "threshold": in_settlement_units(account.debt, terms.decimals) > terms.threshold,
    }
    return tuple(cause for cause, holds in due.items() if holds)


def most_repaid(account: Pledge, initial: int, terms: SaleTerms) -> int:
    """The most that all buyers together may repay, the insurance fund's fee included: 1e18, rounded down.

    `initial`: the margin requirement of the account's debts at the initial ratio, 1e18.
    """
    debt = max(account.debt, initial)
    unit: int = 10 ** (18 - terms.decimals)
    if debt > terms.dust * unit:
        debt = debt * terms.liquidation_ratio // RATIO
    return debt * RATIO // (RATIO - terms.fee_ratio)


def bought(lot: TokenLot, paid: int, decimals: int = 6) -> int:
    """Units of the collateral token that `paid` units of the settlement token buy, at most all there are.

    Rounded up to 18 decimals, then down to units, as in the contract; 0 where the discounted price is 0.
    """
    price = lot.price * (RATIO - lot.discount_ratio) // RATIO
    if not price:
        return 0
    value: int = paid * 10 ** (18 - decimals)
    found: int = mul_div_up(value, 10**lot.price_decimals, price) // 10 ** (18 - lot.decimals)
    return min(found, lot.amount)


def most_sold(lot: TokenLot, repaid: int, decimals: int = 6) -> tuple[int, int]:
    """(units of the settlement token to pay, units of the collateral token): the most that may be bought.

    `repaid` is the most that may be repaid, 1e18. The payment is rounded down.
    """
    price = lot.price * (RATIO - lot.discount_ratio) // RATIO
    one = 10**lot.price_decimals
    scale: int = 10 ** (18 - lot.decimals)
    amount = mul_div_up(repaid, one, price) // scale
    if amount > lot.amount:
        amount = lot.amount
        repaid = amount * scale * price // one
    return in_settlement_units(repaid, decimals), amount

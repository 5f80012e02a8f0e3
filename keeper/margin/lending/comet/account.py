"""One Comet account: liquidity at its factors, absorption, and the sale of what it held.

Source: compound-finance/comet, contracts/Comet.sol (`isLiquidatable`, `absorbInternal`, `quoteCollateral`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from keeper.errors import MarginError
from keeper.margin.checks import integer, natural
from keeper.margin.interface import Requirement
from keeper.margin.lending.comet.rates import Totals, present_value, present_value_borrow, principal_value
from keeper.margin.lending.comet.terms import (
    FACTOR_SCALE,
    PRICE_SCALE,
    CollateralTerms,
    CometTerms,
    mul_factor_down,
)
from keeper.margin.rounding import div_trunc


@dataclass(frozen=True, slots=True)
class Holding:
    """`balance` of one collateral in token units at `price` (1e8)."""

    balance: int
    price: int
    terms: CollateralTerms

    def __post_init__(self) -> None:
        natural(self.balance, "balance")
        natural(self.price, "price")

    @property
    def value(self) -> int:
        """⌊balance·price / scale⌋, 1e8."""
        return self.balance * self.price // self.terms.scale


@dataclass(frozen=True, slots=True)
class Account:
    """Signed `principal` (negative: owes) and the collaterals, in the market's order of assets."""

    principal: int
    holdings: Sequence[Holding] = ()

    def __post_init__(self) -> None:
        integer(self.principal, "principal")


def base_value(balance: int, price: int, terms: CometTerms) -> int:
    """Value of a signed base balance in 1e8, truncated towards zero."""
    return div_trunc(balance * natural(price, "base_price"), terms.base_scale)


def _weighted(account: Account, factor: Callable[[CollateralTerms], int]) -> int:
    return sum(mul_factor_down(each.value, factor(each.terms)) for each in account.holdings)


def liquidity(
    account: Account,
    totals: Totals,
    terms: CometTerms,
    factor: Callable[[CollateralTerms], int],
    base_price: int = PRICE_SCALE,
) -> int:
    """Value of the base balance plus collateral at `factor`, 1e8, each truncated; negative: short."""
    return base_value(present_value(account.principal, totals), base_price, terms) + _weighted(
        account, factor
    )


def is_liquidatable(
    account: Account, totals: Totals, terms: CometTerms, base_price: int = PRICE_SCALE
) -> bool:
    """Whether liquidity at the liquidation factors is strictly negative; never for a supplier.

    The contract stops summing once the sum is ≥ 0; all terms after the debt are ≥ 0: the verdict is the same.
    """
    if account.principal >= 0:
        return False
    return liquidity(account, totals, terms, lambda each: each.liquidate_cf, base_price) < 0


def is_borrow_collateralized(
    account: Account, totals: Totals, terms: CometTerms, base_price: int = PRICE_SCALE
) -> bool:
    """Whether liquidity at the borrow factors is not negative: what borrowing or withdrawing must leave."""
    if account.principal >= 0:
        return True
    return liquidity(account, totals, terms, lambda each: each.borrow_cf, base_price) >= 0


@dataclass(frozen=True, slots=True)
class Absorption:
    """`new_balance` of the account and `base_paid_out` by the reserves, base units; `totals` afterwards."""

    new_balance: int
    base_paid_out: int
    totals: Totals


def absorb(account: Account, totals: Totals, terms: CometTerms, base_price: int = PRICE_SCALE) -> Absorption:
    """Seize all collateral at the liquidation factors and clear the debt; the reserves pay any shortfall."""
    old_balance = present_value(account.principal, totals)
    gained = _weighted(account, lambda each: each.liquidation_factor)
    if natural(base_price, "base_price") == 0:
        raise MarginError("is zero: collateral has no worth in it", field="base_price")
    new_balance = max(0, old_balance + gained * terms.base_scale // base_price)
    new_principal = principal_value(new_balance, totals)
    after = replace(
        totals,
        supply_base=totals.supply_base + new_principal,
        borrow_base=totals.borrow_base + min(account.principal, 0),
    )
    return Absorption(new_balance, new_balance - old_balance, after)


def reserves(cash: int, totals: Totals) -> int:
    """cash − supplied + borrowed, base units; may be negative."""
    return cash - present_value(totals.supply_base, totals) + present_value_borrow(totals)


def quote_collateral_down(
    base_amount: int,
    collateral: CollateralTerms,
    price: int,
    terms: CometTerms,
    base_price: int = PRICE_SCALE,
) -> int:
    """Token units of collateral that `base_amount` buys from the protocol, rounded down.

    The price is price·(1 − SFPF·(1 − liquidation factor)), SFPF being the store front price factor.
    MarginError where that is zero.
    """
    discount = mul_factor_down(terms.store_front_price_factor, FACTOR_SCALE - collateral.liquidation_factor)
    discounted = mul_factor_down(natural(price, "price"), FACTOR_SCALE - discount)
    if discounted == 0:
        raise MarginError("is zero after the discount: nothing can be quoted", field="price")
    paid = natural(base_price, "base_price") * natural(base_amount, "base_amount")
    return paid * collateral.scale // discounted // terms.base_scale


def for_sale(cash: int, totals: Totals, terms: CometTerms) -> bool:
    """Whether `buyCollateral` is open: reserves below their target."""
    held = reserves(cash, totals)
    return held < 0 or held < terms.target_reserves


def requirement(
    account: Account, totals: Totals, terms: CometTerms, base_price: int = PRICE_SCALE
) -> Requirement:
    """Requirement in price units (1e8): equity is collateral at liquidation factors, maintenance the debt.

    `initial` adds what the lower borrow factors take off, so that equity ≥ initial iff the account is
    collateralised for borrowing.
    """
    balance = base_value(present_value(account.principal, totals), base_price, terms)
    liquidating = _weighted(account, lambda each: each.liquidate_cf)
    borrowing = _weighted(account, lambda each: each.borrow_cf)
    debt = max(0, -balance)
    return Requirement(
        initial=debt + liquidating - borrowing if debt else 0,
        maintenance=debt,
        equity=liquidating + max(0, balance),
        parts={
            "collateral_value": sum(each.value for each in account.holdings),
            "at_borrow_factor": borrowing,
            "at_liquidate_factor": liquidating,
            "debt": debt,
        },
    )

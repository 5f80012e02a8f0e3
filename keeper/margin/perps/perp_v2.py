"""Perpetual Protocol v2 (Curie): account value, margin requirements, partial liquidation. 18 decimals.

Ratios in 1e6. Products truncate towards zero unless said otherwise. Source:
perpetual-protocol/perp-curie-contract 2.6 and 2.8, contracts/AccountBalance.sol, Vault.sol,
ClearingHouse.sol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from keeper.errors import MarginError
from keeper.margin.checks import integer, natural
from keeper.margin.interface import Provenance, Requirement
from keeper.margin.rounding import div_trunc, wad_mul_trunc

RATIO = 10**6
CURIE = Provenance("2.6.0, 2.8.4", date(2023, 4, 12), "perpetual-protocol/perp-curie-contract")


@dataclass(frozen=True, slots=True)
class CurieTerms:
    """Initial, maintenance and penalty ratios (1e6); positions up to `min_partial` are liquidated whole."""

    im_ratio: int = 100_000
    mm_ratio: int = 62_500
    penalty_ratio: int = 25_000
    min_partial: int = 100 * 10**18
    provenance: Provenance = CURIE

    def __post_init__(self) -> None:
        if not 0 < natural(self.mm_ratio, "mm_ratio") <= self.im_ratio <= RATIO:
            raise MarginError("must be above zero and at most im_ratio, that at most 1e6", field="mm_ratio")
        natural(self.penalty_ratio, "penalty_ratio")
        natural(self.min_partial, "min_partial")


V2 = CurieTerms()


@dataclass(frozen=True, slots=True)
class Position:
    """One market: signed base `size` (pool liquidity included), signed quote balance, both 18 decimals.

    `mark` values positions; `index` values base debt for the initial requirement (since 2.6 that is the mark
    as well). `base_debt` and `quote_balance` leave out what ranges hold in the pool.
    """

    size: int
    quote: int
    mark: int
    index: int
    base_debt: int | None = None
    quote_balance: int | None = None

    def __post_init__(self) -> None:
        integer(self.size, "size")
        integer(self.quote, "quote")
        natural(self.mark, "mark")
        natural(self.index, "index")

    @property
    def value(self) -> int:
        """Signed value at the mark price, quote with 18 decimals."""
        return wad_mul_trunc(self.size, self.mark)

    @property
    def debt_value(self) -> int:
        """Value of the base owed at the index price: the short size, unless `base_debt` is given."""
        owed = max(0, -self.size) if self.base_debt is None else natural(self.base_debt, "base_debt")
        return wad_mul_trunc(owed, self.index)


def unrealized_pnl(positions: Sequence[Position]) -> int:
    """Signed value plus quote balance of all positions, quote with 18 decimals."""
    return sum(each.value + each.quote for each in positions)


def total_abs_value(positions: Sequence[Position]) -> int:
    """Absolute values of all positions at their marks, summed: the base of the maintenance requirement."""
    return sum(abs(each.value) for each in positions)


def total_debt_value(positions: Sequence[Position]) -> int:
    """Value of the base debt of each market, plus the quote debt netted over all markets."""
    quote = sum(each.quote if each.quote_balance is None else each.quote_balance for each in positions)
    return sum(each.debt_value for each in positions) + max(0, -quote)


def free_collateral(positions: Sequence[Position], collateral: int, ratio: int) -> int:
    """min(collateral, account value) − debt·ratio, quote with 18 decimals; negative: may not open.

    `collateral` includes settled profit and loss, `ratio` is in 1e6.
    """
    required = total_debt_value(positions) * ratio // RATIO
    return min(collateral, collateral + unrealized_pnl(positions)) - required


def in_settlement_units(value: int, decimals: int) -> int:
    """An 18-decimal value in the settlement token's own units, rounded down as the vault does."""
    unit: int = 10 ** (18 - decimals)
    return value // unit


def requirement(positions: Sequence[Position], collateral: int, terms: CurieTerms = V2) -> Requirement:
    """Requirement in quote, 18 decimals: liquidatable iff equity < maintenance.

    `initial` includes unrealised profit, which does not count for opening: equity ≥ initial iff the
    protocol's free collateral is not negative.
    """
    pnl = unrealized_pnl(positions)
    debt = total_debt_value(positions)
    return Requirement(
        initial=debt * terms.im_ratio // RATIO + max(0, pnl),
        maintenance=total_abs_value(positions) * terms.mm_ratio // RATIO,
        equity=collateral + pnl,
        parts={"collateral": collateral, "unrealized_pnl": pnl, "debt_value": debt},
    )


def liquidatable_size(
    position: Position, positions: Sequence[Position], account_value: int, terms: CurieTerms = V2
) -> int:
    """Signed base size that may be liquidated now; 0 where none may.

    All of the position; of one above `min_partial`, at most half the absolute value of all the account's
    positions while the account value is at least half the maintenance requirement.
    """
    maintenance = total_abs_value(positions) * terms.mm_ratio // RATIO
    if account_value >= maintenance or position.size == 0:
        return 0
    value = abs(position.value)
    if value <= terms.min_partial:
        return position.size
    ratio = RATIO
    if account_value >= maintenance // 2:
        ratio = min(RATIO, total_abs_value(positions) * RATIO // (2 * value))
    return div_trunc(position.size * ratio, RATIO)


def liquidation_penalty(notional: int, terms: CurieTerms = V2) -> int:
    """What the account pays on the exchanged notional, rounded down; half of it rewards the liquidator."""
    return natural(notional, "notional") * terms.penalty_ratio // RATIO

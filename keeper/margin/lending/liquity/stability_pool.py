"""Loss and gain of a stability pool depositor when a trove is offset. Exact rationals.

The contract keeps running products and sums, which approximate the pro rata amounts from below.
Source: Liquity v1 documentation (stability pool and liquidations).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from keeper.errors import MarginError
from keeper.margin.checks import not_negative, positive


@dataclass(frozen=True, slots=True)
class DepositChange:
    """`deposit_after` in LUSD, `coll_gain` in ETH; `net_gain` in LUSD at the given price."""

    deposit_after: Fraction
    coll_gain: Fraction
    coll_gain_value: Fraction
    net_gain: Fraction


def pro_rata(
    pool: Fraction, deposit: Fraction, debt: Fraction, coll: Fraction, price: Fraction
) -> DepositChange:
    """A deposit's share of offsetting `debt` against `coll` (without the gas compensation).

    Where the debt exceeds the pool, only the pool's part of both is offset.
    """
    positive(pool, "pool")
    not_negative(debt, "trove_debt")
    not_negative(coll, "trove_coll")
    positive(price, "price")
    if not 0 <= deposit <= pool:
        raise MarginError("must be between zero and the pool", field="deposit")
    offset = min(debt, pool)
    share = Fraction(deposit) / pool
    gained = share * coll * (Fraction(offset) / debt if debt else 0)
    return DepositChange(deposit - share * offset, gained, gained * price, gained * price - share * offset)

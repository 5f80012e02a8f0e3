"""A trove that bears interest (Mezo's MUSD): its amounts at any second, from what is stored.

Source: @mezo-org/musd-contracts 1.1.0, TroveManager._getCurrentTroveAmounts and getPendingDebt,
dependencies/InterestRateMath.sol. Amounts in 18 decimals; every division rounds down.
"""

from __future__ import annotations

from dataclasses import dataclass

from keeper.margin.lending.liquity.trove import Trove
from keeper.margin.rounding import WAD

SECONDS_A_YEAR = 31_556_952
BPS = 10_000


@dataclass(frozen=True, slots=True)
class PerStake:
    """Total that redistributions have given per unit of stake, 18 decimals."""

    coll: int = 0
    principal: int = 0
    interest: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """A trove as it is stored: `rate` in basis points per year, `updated` the Unix time to which interest is
    in `interest_owed`, `seen` the total per unit of stake when the trove was last changed."""

    coll: int
    principal: int
    interest_owed: int
    stake: int
    rate: int
    updated: int
    seen: PerStake = PerStake()
    active: bool = True


def interest_down(principal: int, rate: int, seconds: int) -> int:
    """Simple interest on a principal at `rate` (basis points per year)."""
    return principal * rate * seconds // (BPS * SECONDS_A_YEAR)


def at(stored: Stored, given: PerStake, timestamp: int) -> Trove:
    """The trove with interest until `timestamp` and with redistributions; empty when it is closed.

    Where no principal was redistributed to it since, redistributed interest is not counted either, as in the
    contract.
    """
    if not stored.active:
        return Trove(0, 0)
    seen, share = stored.seen, stored.stake
    coll = stored.coll + share * (given.coll - seen.coll) // WAD
    debt = stored.principal + stored.interest_owed
    debt += interest_down(stored.principal, stored.rate, timestamp - stored.updated)
    if given.principal != seen.principal:
        debt += share * (given.principal - seen.principal) // WAD
        debt += share * (given.interest - seen.interest) // WAD
    return Trove(coll, debt)

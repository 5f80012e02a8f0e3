"""What passes between the parts of the clearinghouse: as contracts/src/clearinghouse/Types.sol has it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

PRICE_TO_WAD = 10**9
"""From a price of 9 decimals to one of 18."""
MAX_LEGS = 16


class Kind(IntEnum):
    """What an instrument is; the contract's numbers."""

    PERPETUAL = 0
    CALL = 1
    PUT = 2


@dataclass(frozen=True, slots=True)
class Instrument:
    """What a leg is a position in; a perpetual has neither expiry nor strike (0)."""

    kind: Kind
    underlying: int
    expiry: int = 0
    strike: int = 0


@dataclass(frozen=True, slots=True)
class ClearingLeg:
    """A position: `size` of an instrument by its number, bought for `cost`.

    A perpetual's cost counts prices less funding: profit is size·(mark − funding) − cost.
    """

    instrument: int
    size: int
    cost: int


@dataclass(frozen=True, slots=True)
class ClearingState:
    """All that an account is: what its state hash commits to. `cash` is as of when `due` and
    `lending_index` were the ledger's."""

    cash: int
    due: int
    lending_index: int
    collateral: tuple[int, ...]
    legs: tuple[ClearingLeg, ...]


@dataclass(frozen=True, slots=True)
class LegLine:
    """A leg at a market's present terms: the contract's `Line`.

    `price` is a perpetual's mark, else the index; `carried` a perpetual's cost + size·funding. An option's
    forward is settled + open·price, `deviation` the volatility times root of time of what moves.
    """

    kind: Kind
    underlying: int
    size: int
    price: int
    carried: int = 0
    strike: int = 0
    settled: int = 0
    open: int = 0
    deviation: int = 0


@dataclass(frozen=True, slots=True)
class PledgedValue:
    """A collateral's value after its haircut (money, rounded down): the contract's `Pledge`."""

    token: int
    value: int


@dataclass(frozen=True, slots=True)
class Portfolio:
    """An account ready to be valued; `contingency` is taken off in every scenario alike."""

    cash: int
    contingency: int
    lines: tuple[LegLine, ...]
    pledges: tuple[PledgedValue, ...]


@dataclass(frozen=True, slots=True)
class ScenarioSet:
    """Joint scenarios, a row of `steps` each, in ten-thousandths of a width.

    A row has each underlying's moves of price, volatility and basis, then each collateral's of price.
    `widths` has four numbers per underlying (price, volatility up, volatility down, basis), then one per
    collateral.
    """

    underlyings: int
    collaterals: int
    steps: tuple[tuple[int, ...], ...]
    widths: tuple[int, ...]

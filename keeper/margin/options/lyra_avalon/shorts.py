"""Short positions on Avalon as a margin model: each on its own, since positions are not netted."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.margin.checks import natural, positive
from keeper.margin.interface import Requirement
from keeper.margin.options.lyra_avalon.minimum import MinimumTerms, ShortKind


@dataclass(frozen=True, slots=True)
class AvalonShort:
    """One short position, 18 decimals; `collateral` in dollars, or in the token for a call that holds it.

    `kind` is the contract's number: 2 a call that holds tokens, 3 a call that holds dollars, 4 a put.
    """

    kind: ShortKind
    strike: int
    amount: int
    collateral: int

    def __post_init__(self) -> None:
        positive(natural(self.strike, "position.strike"), "position.strike")
        natural(self.amount, "position.amount")
        natural(self.collateral, "position.collateral")


@dataclass(frozen=True, slots=True)
class AvalonMarket:
    """The market state of a position: the token's spot in dollars (18 decimals) and seconds to expiry."""

    spot: int
    seconds: int

    def __post_init__(self) -> None:
        positive(natural(self.spot, "market.spot"), "market.spot")
        natural(self.seconds, "market.seconds")


@dataclass(frozen=True, slots=True)
class AvalonShorts:
    """One requirement, the minimum collateral: below it a short may be liquidated and none may be opened."""

    name: str = "lyra-avalon"
    version: str = "0.1.3-alpha"

    def requirement(
        self, positions: AvalonShort, market: AvalonMarket, parameters: MinimumTerms
    ) -> Requirement:
        """Minimum and collateral as integers of 18 decimals, in what the position holds."""
        short = positions
        need = parameters.minimum_collateral(
            short.kind, short.strike, market.seconds, market.spot, short.amount
        )
        return Requirement(initial=need, maintenance=need, equity=short.collateral)

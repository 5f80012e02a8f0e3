"""The market state at which portfolios are valued: listed underlyings and their prices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keeper.errors import MarginError
from keeper.margin.interface import Array
from keeper.margin.options.checks import finite_array, positive_array
from keeper.margin.portfolio.accounts import Accounts, Index, check_underlyings


@dataclass(frozen=True, slots=True)
class MarketData:
    """Spot prices in the settlement unit: shape (underlyings,), or (accounts, underlyings) for prices by
    account."""

    names: tuple[str, ...]
    spot: Array

    def __post_init__(self) -> None:
        if not self.names or len(set(self.names)) != len(self.names):
            raise MarginError("names are missing or repeated", field="market.names", remedy="Name each once")
        prices = positive_array(self.spot, "market.spot")
        if prices.ndim not in {1, 2} or prices.shape[-1] != len(self.names):
            raise MarginError(
                f"shape {prices.shape} for {len(self.names)} underlyings",
                field="market.spot",
                remedy="Give one price an underlying",
            )
        object.__setattr__(self, "spot", prices)

    def index(self, name: str) -> int:
        """Position of an underlying; `MarginError` where it is not listed."""
        if name not in self.names:
            raise MarginError(
                f"underlying {name!r} is not listed", field="underlying", remedy=f"Use one of {self.names}"
            )
        return self.names.index(name)

    def of(self, account: Index, underlying: Index) -> Array:
        """Spot price of each leg, shape (legs,)."""
        return self.spot[underlying] if self.spot.ndim == 1 else self.spot[account, underlying]

    def part(self, start: int, stop: int) -> MarketData:
        """The prices of accounts start ≤ i < stop."""
        return self if self.spot.ndim == 1 else MarketData(self.names, self.spot[start:stop])

    def moved(self, factors: Array) -> MarketData:
        """Prices times `factors`, broadcast: (underlyings,) or (accounts, underlyings)."""
        return MarketData(self.names, self.spot * finite_array(factors, "factors"))

    def check(self, accounts: Accounts) -> None:
        """`MarginError` where a leg's underlying is not listed or the rows do not match the accounts."""
        check_underlyings(accounts, len(self.names))
        if self.spot.ndim == 2 and len(self.spot) != len(accounts):
            raise MarginError(
                f"{len(self.spot)} rows of prices for {len(accounts)} accounts",
                field="market.spot",
                remedy="Give one row, or one an account",
            )


def covariance_checked(covariance: Array, underlyings: int) -> Array:
    """`covariance` of log price moves if it is symmetric, positive definite and of shape (underlyings,
    underlyings), else MarginError."""
    matrix = finite_array(covariance, "covariance")
    if matrix.shape != (underlyings, underlyings) or not np.allclose(matrix, matrix.T, rtol=1e-9, atol=0.0):
        raise MarginError("it is not square and symmetric", field="covariance", remedy="Estimate it again")
    if float(np.linalg.eigvalsh(matrix).min()) <= 0:
        raise MarginError("it is not positive definite", field="covariance", remedy="Shrink or floor it")
    return matrix

"""Distance and cure of accounts whose surplus is linear in prices: lending, and perpetuals at a flat rate.

surplus(m) = fixed + Σ exposureᵢ·mᵢ with price factors mᵢ (1 is now): what the account has above a level
(initial, maintenance, zero). It fails where surplus is below 0. Float64, to screen and to explain: an exact
model decides at the edge. Portfolios that are not linear: `keeper.margin.portfolio.distance`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keeper.errors import MarginError
from keeper.margin.checks import finite, positive_array
from keeper.margin.interface import Array
from keeper.margin.risk.normal import covariance_matrix


@dataclass(frozen=True, slots=True)
class Surplus:
    """`fixed` (accounts,) and signed `exposures` (accounts, assets), money at current prices."""

    fixed: Array
    exposures: Array

    def __post_init__(self) -> None:
        if finite(self.exposures, "exposures").ndim != 2:
            raise MarginError("must be accounts × assets", field="exposures")
        if finite(self.fixed, "fixed").shape != self.exposures.shape[:1]:
            raise MarginError("must have one entry an account", field="fixed")

    @property
    def now(self) -> Array:
        """Surplus at current prices, (accounts,); below 0 the account fails already."""
        return self.at(np.ones(self.exposures.shape[1]))

    def at(self, factors: ArrayLike) -> Array:
        """Surplus under price factors, (assets,) or (accounts, assets)."""
        moved = (self.exposures * finite(factors, "factors")).sum(axis=1)
        return np.asarray(self.fixed + moved, dtype=np.float64)


def lending(collateral: ArrayLike, weights: ArrayLike, debt: ArrayLike) -> Surplus:
    """Σ collateral·weight − debt, values (accounts, assets); weights of the level, 1 for zero equity."""
    held, owed, share = finite(collateral, "collateral"), finite(debt, "debt"), finite(weights, "weights")
    for values, field in ((held, "collateral"), (owed, "debt"), (share, "weights")):
        if (values < 0).any():
            raise MarginError("must not be negative", field=field)
    exposures = np.asarray(held * share - owed, dtype=np.float64)
    return Surplus(np.zeros(exposures.shape[0]), exposures)


def perpetuals(notional: ArrayLike, equity: ArrayLike, rates: ArrayLike) -> Surplus:
    """equity + ΣN·(m − 1) − Σ|N|·rate·m: signed notionals (accounts, assets), equity (accounts,)."""
    signed, share = finite(notional, "notional"), finite(rates, "rates")
    if (share < 0).any():
        raise MarginError("must not be negative", field="rates")
    exposures = np.asarray(signed - np.abs(signed) * share, dtype=np.float64)
    return Surplus(np.asarray(finite(equity, "equity") - signed.sum(axis=1)), exposures)


def _failing_factor(now: Array, exposure: Array) -> Array:
    """Where now + exposure·(m − 1) is zero: 1 where failed already, NaN where no price ≥ 0 fails."""
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = 1.0 - now / exposure
    reachable = (exposure != 0) & (factor >= 0)
    return np.asarray(np.where(now < 0, 1.0, np.where(reachable, factor, np.nan)), dtype=np.float64)


def alone(surplus: Surplus) -> Array:
    """Price factor of each asset at which the account fails, the others unmoved, (accounts, assets).

    Below 1 a fall, above 1 a rise; 1 where it fails already, NaN where no price ≥ 0 of this asset alone does.
    """
    return _failing_factor(surplus.now[:, None], surplus.exposures)


def together(surplus: Surplus, assets: NDArray[np.bool_]) -> Array:
    """The common factor of the chosen assets at which the account fails, (accounts,); as `alone`."""
    return _failing_factor(surplus.now, surplus.exposures[:, assets].sum(axis=1))


def likeliest(surplus: Surplus, covariance: ArrayLike) -> tuple[Array, Array]:
    """(Mahalanobis distance, price factors of the likeliest failure): (accounts,), (accounts, assets).

    The return r that minimises √(r′Σ⁻¹r) with surplus zero is −Σe·surplus/(e′Σe), its distance
    surplus/√(e′Σe). Σ is that of simple returns over the horizon that matters. Distance 0 where the account
    fails already, infinite (factors NaN) where no exposure moves. A factor below 0 means that the plane of
    failure is nearest beyond a total loss: the distance is then a lower bound.
    """
    matrix = covariance_matrix(covariance, surplus.exposures.shape[1])
    spread = surplus.exposures @ matrix
    variance = np.maximum((spread * surplus.exposures).sum(axis=1), 0.0)
    now = np.maximum(surplus.now, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.where(now == 0, 0.0, now / np.sqrt(variance))
        step = np.where(now == 0, 0.0, now / variance)
        factors = np.where(now[:, None] == 0, 1.0, 1.0 - spread * step[:, None])
    return np.asarray(distance, dtype=np.float64), np.asarray(factors, dtype=np.float64)


def top_up(surplus: Surplus, weight: ArrayLike = 1.0) -> Array:
    """Least value to add so that surplus is 0, (accounts,): repayment or cash at weight 1, collateral at its
    own weight (> 0)."""
    return np.asarray(np.maximum(-surplus.now, 0.0) / positive_array(weight, "weight"), dtype=np.float64)


def reduction(surplus: Surplus, freed: ArrayLike) -> Array:
    """Least share of a position to close at its mark so that surplus is 0, (accounts,).

    `freed` is the position's margin less the cost of closing all of it, (accounts,). NaN where closing all of
    it is not enough.
    """
    gained = finite(freed, "freed")
    missing = np.maximum(-surplus.now, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(missing == 0, 0.0, missing / gained)
    return np.asarray(np.where((share >= 0) & (share <= 1), share, np.nan), dtype=np.float64)

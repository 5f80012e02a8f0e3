"""Delta-gamma risk by Cornish-Fisher: profit δ′x + ½x′Γx with normal x, its quantile from four moments.

With G = ΓΣ: mean ½tr G; variance δ′Σδ + ½tr G²; third moment 3δ′ΣΓΣδ + tr G³; fourth cumulant
12δ′Σ(ΓΣ)²δ + 3tr G⁴. The loss quantile is −mean + σ·w(z), with s, k the loss's skew and excess kurtosis,
w(z) = z + (z² − 1)s/6 + (z³ − 3z)k/24 − (2z³ − 5z)s²/36.
Source: Cornish and Fisher (1937); Mina and Ulmer, Delta-Gamma Four Ways (RiskMetrics 1999).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from keeper.errors import MarginError
from keeper.margin.checks import finite, positive
from keeper.margin.interface import Array
from keeper.margin.risk.normal import covariance_matrix, normal_quantile, normal_shortfall_factor


@dataclass(frozen=True, slots=True)
class LossMoments:
    """Mean, standard deviation, skew and excess kurtosis of a loss."""

    mean: float
    sigma: float
    skew: float
    kurtosis: float


def loss_moments(delta: ArrayLike, gamma: ArrayLike, covariance: ArrayLike, days: float = 1.0) -> LossMoments:
    """Moments of the loss of one portfolio over `days`: `delta` (assets,), `gamma` (assets, assets)."""
    d = finite(delta, "delta")
    sigma = covariance_matrix(covariance, d.shape[-1]) * positive(days, "days")
    g = finite(gamma, "gamma")
    if g.shape != sigma.shape or not np.allclose(g, g.T, rtol=1e-9):
        raise MarginError("must be symmetric, assets × assets", field="gamma")
    product: Array = g @ sigma
    squared: Array = product @ product
    spread: Array = sigma @ d
    mean = 0.5 * float(np.trace(product))
    variance = float(d @ spread) + 0.5 * float(np.trace(squared))
    if variance <= 0:
        return LossMoments(-mean, 0.0, 0.0, 0.0)
    third = 3 * float(spread @ g @ spread) + float(np.trace(squared @ product))
    curved: Array = g @ spread
    fourth = 12 * float(curved @ sigma @ curved) + 3 * float(np.trace(squared @ squared))
    return LossMoments(-mean, variance**0.5, -third / variance**1.5, fourth / variance**2)


def _check_monotone(z: float, moments: LossMoments) -> None:
    """MarginError unless the expansion increases from z on; otherwise its tail is an artefact."""
    s, k = moments.skew, moments.kurtosis
    square, linear = k / 8 - s * s / 6, s / 3
    constant = 1 - k / 8 + 5 * s * s / 36
    lowest = max(z, -linear / (2 * square)) if square > 0 else z
    if square < 0 or square * lowest**2 + linear * lowest + constant <= 0:
        raise MarginError(
            f"skew {s:.3f} and excess kurtosis {k:.3f} lie outside the expansion's domain",
            field="gamma",
            remedy="Use Monte Carlo for this portfolio.",
        )


def cornish_fisher_var(moments: LossMoments, level: float) -> float:
    """Loss quantile at `level`; MarginError where the expansion is not monotone in the tail."""
    z, s, k = normal_quantile(level), moments.skew, moments.kurtosis
    _check_monotone(z, moments)
    w = z + (z**2 - 1) * s / 6 + (z**3 - 3 * z) * k / 24 - (2 * z**3 - 5 * z) * s * s / 36
    return moments.mean + moments.sigma * w


def cornish_fisher_es(moments: LossMoments, level: float) -> float:
    """Expected Shortfall at `level`: the expansion's quantile averaged over the tail, in closed form.

    MarginError where the expansion is not monotone in the tail.
    """
    z, s, k = normal_quantile(level), moments.skew, moments.kurtosis
    _check_monotone(z, moments)
    bracket = 1 + z * s / 6 + (z**2 - 1) * k / 24 - (2 * z**2 - 1) * s * s / 36
    return moments.mean + moments.sigma * normal_shortfall_factor(level) * bracket

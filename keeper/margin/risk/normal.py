"""Delta-normal risk: losses linear in jointly normal returns.

VaR = z·σ·√h, ES = σ·√h·φ(z)/(1 − level), σ² = e′Σe. Source: RiskMetrics (1996); Hull, Risk Management and
Financial Institutions. Exposures in money per unit of return, covariance of daily returns, h days.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from keeper.errors import MarginError
from keeper.margin.checks import finite, number, positive
from keeper.margin.interface import Array
from keeper.margin.risk.tail import check_level


def normal_quantile(level: float) -> float:
    """z with Φ(z) = level."""
    return float(ndtri(check_level(level)))


def normal_shortfall_factor(level: float) -> float:
    """φ(z)/(1 − level): the mean of a standard normal beyond its quantile."""
    z = normal_quantile(level)
    return float(np.exp(-z * z / 2) / np.sqrt(2 * np.pi) / (1 - level))


def covariance_matrix(covariance: ArrayLike, assets: int) -> Array:
    """The checked covariance: assets × assets, finite, symmetric, positive semi-definite."""
    matrix = finite(covariance, "covariance")
    if matrix.shape != (assets, assets):
        raise MarginError(f"has shape {matrix.shape}, not {(assets, assets)}", field="covariance")
    if not np.allclose(matrix, matrix.T, rtol=1e-9, atol=0.0):
        raise MarginError("is not symmetric", field="covariance")
    eigenvalues = np.linalg.eigvalsh(matrix)
    if eigenvalues[0] < -1e-9 * max(float(eigenvalues[-1]), 0.0):
        raise MarginError("is not positive semi-definite", field="covariance")
    return matrix


def portfolio_sigma(exposures: ArrayLike, covariance: ArrayLike) -> Array:
    """√(e′Σe) in money: shape (…, assets) to (…)."""
    held = finite(exposures, "exposures")
    matrix = covariance_matrix(covariance, held.shape[-1] if held.ndim else 0)
    variance = ((held @ matrix) * held).sum(axis=-1)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)), dtype=np.float64)


def correlated(sigmas: ArrayLike, correlation: ArrayLike) -> Array:
    """Covariance (assets, assets) of standard deviations (assets,) and a correlation matrix."""
    spread = finite(sigmas, "sigmas")
    if (spread < 0).any():
        raise MarginError("must not be negative", field="sigmas")
    matrix = finite(correlation, "correlation")
    if matrix.shape != (spread.size, spread.size) or not np.allclose(matrix, matrix.T, rtol=1e-9, atol=0.0):
        raise MarginError("is not symmetric, one row a σ", field="correlation")
    if (np.abs(matrix) > 1).any() or not np.allclose(np.diag(matrix), 1.0, rtol=1e-9, atol=0.0):
        raise MarginError("must lie between -1 and 1, with ones on its diagonal", field="correlation")
    return np.asarray(np.outer(spread, spread) * matrix, dtype=np.float64)


def scaled_var(sigma: ArrayLike, z: float, days: float) -> Array:
    """z·σ·√days."""
    spread = finite(sigma, "sigma")
    if (spread < 0).any():
        raise MarginError("must not be negative", field="sigma")
    return np.asarray(spread * number(z, "z") * np.sqrt(positive(days, "days")), dtype=np.float64)


def delta_normal_var(exposures: ArrayLike, covariance: ArrayLike, level: float, days: float = 1.0) -> Array:
    """VaR over a liquidation period of `days`: shape (…, assets) to (…)."""
    return scaled_var(portfolio_sigma(exposures, covariance), normal_quantile(level), days)


def delta_normal_es(exposures: ArrayLike, covariance: ArrayLike, level: float, days: float = 1.0) -> Array:
    """Expected Shortfall over a liquidation period of `days`: shape (…, assets) to (…)."""
    return scaled_var(portfolio_sigma(exposures, covariance), normal_shortfall_factor(level), days)

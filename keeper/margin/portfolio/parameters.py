"""Parameters of the portfolio margin engine: with provenance, checked when made."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from keeper.errors import MarginError
from keeper.margin.checks import not_negative, within
from keeper.margin.interface import Array, Provenance
from keeper.margin.options.checks import finite_array, traceable
from keeper.margin.portfolio.scenarios import Grid, Joint, VolatilityShock, no_joint, standard_grid


@dataclass(frozen=True, slots=True)
class Concentration:
    """Add-on and extra haircut for dollar Greeks that are large against the market's depth.

    `…_depth` (underlyings,) is the dollar delta, dollar gamma (per 1 % move) and dollar vega (per 1 %
    volatility) the market absorbs. The marginal charge of a further dollar is 0 up to `free` depths, then
    grows by `slope` per depth to `maximum`. The haircut of collateral in an underlying with net long delta
    grows by `haircut_slope` per depth of that delta, by at most `haircut_maximum`.
    """

    delta_depth: Array
    gamma_depth: Array
    vega_depth: Array
    free: float = 0.1
    slope: float = 0.1
    maximum: float = 0.5
    haircut_slope: float = 0.1
    haircut_maximum: float = 0.25

    def __post_init__(self) -> None:
        for name in ("delta_depth", "gamma_depth", "vega_depth"):
            depth = finite_array(getattr(self, name), f"concentration.{name}")
            if depth.ndim != 1 or (depth <= 0).any():
                raise MarginError(
                    "it is not one number above 0 an underlying",
                    field=f"concentration.{name}",
                    remedy="Correct it",
                )
            object.__setattr__(self, name, depth)
        for name in ("free", "slope", "maximum", "haircut_slope"):
            not_negative(getattr(self, name), f"concentration.{name}")
        within(self.haircut_maximum, 0.0, 1.0, "concentration.haircut_maximum")


@dataclass(frozen=True, slots=True)
class DprmParameters:
    """All parameters of the engine.

    `price_range` (underlyings,) is the relative move of one grid range; `haircut` (underlyings,) of
    collateral; `correlation` (underlyings, underlyings) with entries 0 … 1 adds the underlyings' worst grid
    losses w as √(w'Rw): all ones sums them, the identity treats them as independent. Initial margin is
    `initial_factor`, maintenance `maintenance_factor` times the worst loss, both plus contingencies:
    `short_option_rate` of spot per naked short option, and on each expiry's net delta the larger of
    `basis_minimum` and `basis_rate` per year to expiry.
    """

    provenance: Provenance
    price_range: Array
    haircut: Array
    grid: Grid = field(default_factory=standard_grid)
    joint: Joint | None = None
    volatility_shock: VolatilityShock = field(default_factory=VolatilityShock)
    correlation: Array | None = None
    initial_factor: float = 1.25
    maintenance_factor: float = 1.0
    short_option_rate: float = 0.01
    basis_rate: float = 0.05
    basis_minimum: float = 0.005
    concentration: Concentration | None = None

    def __post_init__(self) -> None:
        traceable(self.provenance, "dprm")
        ranges = finite_array(self.price_range, "dprm.price_range")
        haircuts = finite_array(self.haircut, "dprm.haircut")
        count = len(ranges) if ranges.ndim == 1 else 0
        if not count or ((ranges <= 0) | (ranges >= 1)).any():
            raise MarginError(
                "it is not in (0, 1)", field="dprm.price_range", remedy="Give one an underlying"
            )
        if haircuts.shape != (count,) or ((haircuts < 0) | (haircuts > 1)).any():
            raise MarginError("it is not in [0, 1]", field="dprm.haircut", remedy="Give one an underlying")
        if not len(self.grid):
            raise MarginError("there is no scenario", field="dprm.grid", remedy="Give at least one")
        if float((1.0 + np.outer(self.grid.price, ranges)).min()) <= 0:
            raise MarginError(
                "a scenario takes a price to zero or below", field="dprm.grid", remedy="Narrow the range"
            )
        joint = self.joint if self.joint is not None else no_joint(count)
        if joint.price.shape[1] != count:
            raise MarginError(
                f"it has {joint.price.shape[1]} underlyings, not {count}",
                field="dprm.joint",
                remedy="Match them",
            )
        within(self.initial_factor, self.maintenance_factor, 100.0, "dprm.initial_factor")
        for name in ("maintenance_factor", "short_option_rate", "basis_rate", "basis_minimum"):
            not_negative(getattr(self, name), f"dprm.{name}")
        if self.concentration is not None and len(self.concentration.delta_depth) != count:
            raise MarginError("depths do not match", field="dprm.concentration", remedy="One an underlying")
        for name, value in (
            ("price_range", ranges), ("haircut", haircuts), ("joint", joint),
            ("correlation", _correlation(self.correlation, count)),
        ):  # fmt: skip
            object.__setattr__(self, name, value)

    @property
    def underlyings(self) -> int:
        """The number of underlyings that the parameters cover."""
        return len(self.price_range)

    @property
    def joint_scenarios(self) -> Joint:
        """The joint scenarios (empty where none are set)."""
        return self.joint if self.joint is not None else no_joint(self.underlyings)

    @property
    def offsets(self) -> Array:
        """The matrix R of √(w'Rw); all ones without a correlation."""
        return self.correlation if self.correlation is not None else np.ones((self.underlyings,) * 2)


def _correlation(given: Array | None, count: int) -> Array:
    if given is None:
        return np.ones((count, count))
    matrix = finite_array(given, "dprm.correlation")
    fits = (
        matrix.shape == (count, count) and np.allclose(matrix, matrix.T) and np.allclose(np.diag(matrix), 1)
    )
    if not fits or ((matrix < 0) | (matrix > 1)).any() or float(np.linalg.eigvalsh(matrix).min()) < -1e-12:
        raise MarginError(
            "it is not a correlation matrix with entries 0 … 1", field="dprm.correlation", remedy="Correct it"
        )
    return matrix

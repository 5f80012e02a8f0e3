"""Parameters of Derive's PMRM_2, validated by the bounds its contract enforces."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from keeper.errors import MarginError
from keeper.margin.checks import within
from keeper.margin.interface import Provenance
from keeper.margin.options.checks import traceable
from keeper.margin.options.derive.shocks import Scenario, VolatilityRange, VolShock

PMRM_2 = Provenance("2", date(2026, 11, 22), "derivexyz/v2-core@7736900d, portfolio cases")


@dataclass(frozen=True, slots=True)
class SkewShock:
    """How far the wings of the volatility surface are shifted.

    The multiplier of volatility is 1 + cap·k/k* with k = ln(K/F) (linear) or its absolute value (abs), the
    second term clipped to ±cap and the whole at 0; cap = `…_cap` + `…_slope`·√τ and
    k* = max(`minimum_k`, √τ·`width`·(`vol` + `vol_slope`·√τ)).
    """

    linear_cap: float = 0.15
    linear_slope: float = -0.05
    abs_cap: float = 0.15
    abs_slope: float = -0.05
    minimum_k: float = 0.01
    width: float = 4.0
    vol: float = 0.6
    vol_slope: float = -0.1

    def __post_init__(self) -> None:
        for name, low in (
            ("linear_cap", 0.0), ("linear_slope", -10.0), ("abs_cap", 0.0), ("abs_slope", -10.0),
            ("minimum_k", 0.0), ("width", 0.0), ("vol", 0.0),
        ):  # fmt: skip
            within(getattr(self, name), low, 10.0, f"skew.{name}")
        within(self.vol_slope, -20.0, 20.0, "skew.vol_slope")


@dataclass(frozen=True, slots=True)
class MarginFactors:
    """Loss factors, and the static discounts of positive (long) and negative (short) expiry values."""

    initial: float = 1.0
    maintenance: float = 0.8
    long_rate_multiple: float = 1.0
    short_rate_multiple: float = 0.5
    long_rate_addition: float = 0.08
    short_rate_addition: float = 0.08
    long_discount: float = 0.95
    short_discount: float = 1.04

    def __post_init__(self) -> None:
        within(self.initial, 0.5, 10.0, "factors.initial")
        within(self.maintenance, 0.5, 10.0, "factors.maintenance")
        for name in (
            "long_rate_multiple",
            "short_rate_multiple",
            "long_rate_addition",
            "short_rate_addition",
        ):
            within(getattr(self, name), 0.0, 10.0, f"factors.{name}")
        within(self.long_discount, 0.0, 4.0, "factors.long_discount")
        within(self.short_discount, 0.0, 4.0, "factors.short_discount")


@dataclass(frozen=True, slots=True)
class Contingencies:
    """Basis, peg, confidence and position contingencies; the position ones are fractions of notional, initial
    on top of maintenance."""

    basis_up: float = 1.045
    basis_down: float = 0.955
    basis_add: float = 0.5
    basis_per_year: float = 2.0
    peg_threshold: float = 0.98
    peg_factor: float = 2.0
    confidence_threshold: float = 0.55
    confidence_factor: float = 1.0
    perp_maintenance: float = 0.015
    perp_initial: float = 0.005
    option_maintenance: float = 0.003
    option_initial: float = 0.002

    def __post_init__(self) -> None:
        within(self.basis_up, 1.0, 3.0, "contingencies.basis_up")
        within(self.basis_down, 0.0, 1.0, "contingencies.basis_down")
        within(self.peg_threshold, 0.0, 100.0, "contingencies.peg_threshold")
        within(self.peg_factor, 0.0, 10.0, "contingencies.peg_factor")
        within(self.confidence_threshold, 0.0, 1.0, "contingencies.confidence_threshold")
        for name, high in (
            ("basis_add", 20.0), ("basis_per_year", 20.0), ("confidence_factor", 20.0),
            ("perp_maintenance", 3.0), ("perp_initial", 3.0),
            ("option_maintenance", 2.0), ("option_initial", 2.0),
        ):  # fmt: skip
            within(getattr(self, name), 0.0, high, f"contingencies.{name}")


def _standard_scenarios() -> tuple[Scenario, ...]:
    """31 scenarios of the ETH market: a ±18 % grid, six dampened tails with volatility up, two skews."""
    up, same, down = VolShock.UP, VolShock.NONE, VolShock.DOWN
    grid = [Scenario(1.18, up)]
    for spot in (1.135, 1.09, 1.045, 1.0, 0.955, 0.91, 0.865):
        grid += [Scenario(spot, shock) for shock in (down, same, up)]
    grid.append(Scenario(0.82, up))
    tails = [(0.34, 0.6 * 0.18 / 1.98), (0.67, 0.6 * 0.18 / 0.99)]
    tails += [(1.0 + move, 0.2 * 0.18 / move) for move in (0.5, 1.0, 2.0, 3.0)]
    grid += [Scenario(spot, up, dampening) for spot, dampening in tails]
    return (*grid, Scenario(1.0, VolShock.LINEAR), Scenario(1.0, VolShock.ABS))


@dataclass(frozen=True, slots=True)
class Pmrm2Parameters:
    """All parameters of a PMRM_2; the defaults are those of v2-core's portfolio cases."""

    provenance: Provenance = PMRM_2
    scenarios: tuple[Scenario, ...] = field(default_factory=_standard_scenarios)
    volatility_range: VolatilityRange = field(
        default_factory=lambda: VolatilityRange(0.5, 0.275, 0.3, 0.13, 1.0, 0.45)
    )
    factors: MarginFactors = field(default_factory=MarginFactors)
    contingencies: Contingencies = field(default_factory=Contingencies)
    skew: SkewShock = field(default_factory=SkewShock)

    def __post_init__(self) -> None:
        traceable(self.provenance, "pmrm2")
        if not self.scenarios:
            raise MarginError("there is no scenario", field="pmrm2.scenarios", remedy="Give at least one")

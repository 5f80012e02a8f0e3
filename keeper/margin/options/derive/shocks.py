"""Values of the options of one expiry under Derive's spot and volatility shocks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np

from keeper.margin.checks import not_negative, positive
from keeper.margin.interface import Array
from keeper.margin.options import black76
from keeper.margin.options.derive.holdings import Expiry, OptionColumns

DAY_SECONDS = 86_400
MONTH_SECONDS = 30 * DAY_SECONDS


class VolShock(Enum):
    """How a scenario moves volatility; the two skew directions exist in PMRM_2 only."""

    NONE = "none"
    UP = "up"
    DOWN = "down"
    LINEAR = "linear"
    ABS = "abs"


SKEWS = (VolShock.LINEAR, VolShock.ABS)


@dataclass(frozen=True, slots=True)
class Scenario:
    """`spot` multiplies the spot price, `dampening` the resulting profit or loss (PMRM_2 only)."""

    spot: float
    volatility: VolShock
    dampening: float = 1.0

    def __post_init__(self) -> None:
        not_negative(self.spot, "scenario.spot")
        not_negative(self.dampening, "scenario.dampening")


@dataclass(frozen=True, slots=True)
class VolatilityRange:
    """Size of the volatility shocks: 1 + `up`·m and max(0, 1 − `down`·m), m = (30 days / expiry)^power.

    The power is `short_power` to 30 days and `long_power` beyond; the expiry counts as at least
    `floor_days`. `minimum_up` floors the volatility itself, on upward shocks only (PMRM_2).
    """

    up: float
    down: float
    short_power: float
    long_power: float
    floor_days: float
    minimum_up: float = 0.0

    def __post_init__(self) -> None:
        for name in ("up", "down", "short_power", "long_power", "floor_days", "minimum_up"):
            not_negative(getattr(self, name), f"volatility_range.{name}")

    def multiplier(self, shock: VolShock, seconds: float) -> float:
        """The factor on volatility under `shock`, `seconds` before expiry; 1 for the skews.

        MarginError at expiry without `floor_days`.
        """
        power = self.short_power if seconds <= MONTH_SECONDS else self.long_power
        counted = max(seconds, self.floor_days * DAY_SECONDS)
        # without a floor the contract divides by zero at expiry, too
        positive(counted, "volatility_range.floor_days")
        scale = math.pow(MONTH_SECONDS / counted, power)
        if shock is VolShock.UP:
            return 1.0 + self.up * scale
        if shock is VolShock.DOWN:
            return max(0.0, 1.0 - self.down * scale)
        return 1.0


def expiry_values(
    expiry: Expiry,
    columns: OptionColumns,
    scenarios: tuple[Scenario, ...],
    volatility_range: VolatilityRange,
    discount: float = 1.0,
) -> Array:
    """Value of the expiry's options under each spot and volatility scenario, shape (scenarios,).

    A spot shock moves only the variable portion of the forward. Skew directions leave volatility alone
    here: `pmrm2` shocks them strike by strike.
    """
    spot = np.array([scenario.spot for scenario in scenarios])[:, np.newaxis]
    scale = np.array(
        [volatility_range.multiplier(scenario.volatility, expiry.seconds) for scenario in scenarios]
    )
    floor = np.array([volatility_range.minimum_up if s.volatility is VolShock.UP else 0.0 for s in scenarios])
    forwards = expiry.forward_variable * spot + expiry.forward_fixed
    volatilities = np.maximum(columns.volatility * scale[:, np.newaxis], floor[:, np.newaxis])
    prices = black76.price(forwards, columns.strike, expiry.years, volatilities, columns.is_call, discount)
    return np.asarray(prices @ columns.amount)


def value_now(expiry: Expiry, columns: OptionColumns, discount: float = 1.0) -> float:
    """Mark-to-market of the expiry's options."""
    prices = black76.price(
        expiry.forward, columns.strike, expiry.years, columns.volatility, columns.is_call, discount
    )
    return float(prices @ columns.amount)


def basis_loss(up: float, down: float, now: float, factor: float) -> float:
    """Contingency (≤ 0) for the basis of one expiry: the worse loss of two spot moves, times `factor`."""
    return min(up - now, down - now, 0.0) * factor

"""Scenario sets: a grid for each underlying on its own, and joint scenarios for all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from keeper.errors import MarginError
from keeper.margin.checks import not_negative
from keeper.margin.interface import Array
from keeper.margin.options.checks import finite_array, non_negative_array, positive_array

MONTH_YEARS = 30.0 / 365.0


@dataclass(frozen=True, slots=True)
class VolatilityShock:
    """Relative shocks of volatility by time T to expiry: `up` and `down` times (30 days / T)^power.

    The power is `short_power` to 30 days and `long_power` beyond, T at least `floor_days`; a shock down
    never takes volatility below 0.
    """

    up: float = 0.5
    down: float = 0.25
    short_power: float = 0.30
    long_power: float = 0.13
    floor_days: float = 1.0

    def __post_init__(self) -> None:
        for name in ("up", "down", "short_power", "long_power"):
            not_negative(getattr(self, name), f"volatility_shock.{name}")
        if not self.floor_days > 0:
            raise MarginError(
                "it must be above 0", field="volatility_shock.floor_days", remedy="Use 1 day or so"
            )

    def factors(self, years: Array, steps: Array) -> Array:
        """Factors on volatility, (legs, scenarios): of `years` (legs,) and `steps` (scenarios,) in −1 … 1."""
        power = np.where(years <= MONTH_YEARS, self.short_power, self.long_power)
        scale = (MONTH_YEARS / np.maximum(years, self.floor_days / 365.0)) ** power
        shocks = np.where(steps >= 0, self.up * steps, self.down * steps)
        return np.asarray(np.maximum(1.0 + scale[:, np.newaxis] * shocks, 0.0))


@dataclass(frozen=True, slots=True)
class Grid:
    """Scenarios of one underlying: `price` in price ranges, `volatility` in shocks (−1 … 1), loss `weight`.

    All of shape (scenarios,).
    """

    price: Array
    volatility: Array
    weight: Array

    def __post_init__(self) -> None:
        shapes = {np.shape(self.price), np.shape(self.volatility), np.shape(self.weight)}
        if len(shapes) != 1 or len(next(iter(shapes))) != 1:
            raise MarginError("its columns differ in length", field="grid", remedy="Give one entry each")
        object.__setattr__(self, "price", finite_array(self.price, "grid.price"))
        object.__setattr__(self, "volatility", finite_array(self.volatility, "grid.volatility"))
        object.__setattr__(self, "weight", non_negative_array(self.weight, "grid.weight"))

    def __len__(self) -> int:
        return len(self.price)


@dataclass(frozen=True, slots=True)
class Joint:
    """Joint scenarios: price and volatility factors (scenarios, underlyings), `weight` of the loss
    (scenarios,)."""

    names: tuple[str, ...]
    price: Array
    volatility: Array
    weight: Array

    def __post_init__(self) -> None:
        price = positive_array(self.price, "joint.price")
        volatility = non_negative_array(self.volatility, "joint.volatility")
        weight = non_negative_array(self.weight, "joint.weight")
        count = len(self.names)
        if price.ndim != 2 or price.shape != volatility.shape or weight.shape != (count,):
            raise MarginError(
                "its columns differ in shape", field="joint", remedy="Give (scenarios, underlyings)"
            )
        if len(price) != count:
            raise MarginError(
                f"{count} names, {len(price)} scenarios", field="joint.names", remedy="Name each"
            )
        for name, values in (("price", price), ("volatility", volatility), ("weight", weight)):
            object.__setattr__(self, name, values)

    def __len__(self) -> int:
        return len(self.names)

    def __add__(self, other: Joint) -> Joint:
        """Both sets, this one first."""
        return Joint(
            self.names + other.names,
            np.concatenate([self.price, other.price]),
            np.concatenate([self.volatility, other.volatility]),
            np.concatenate([self.weight, other.weight]),
        )


# Finer than any price source; more would only exhaust memory.
MOST_STEPS = 1000


def standard_grid(price_steps: int = 5, tails: Mapping[float, float] | None = None) -> Grid:
    """(2·steps + 1) prices from −1 to +1 range, each with volatility up, same and down (33 for 5 steps).

    `tails` maps further moves, in ranges, to their weights; they are taken with volatility up.
    """
    if not 1 <= price_steps <= MOST_STEPS:
        raise MarginError(
            f"is {price_steps}", field="price_steps", remedy=f"Use 1 to {MOST_STEPS} steps a side"
        )
    steps = np.arange(-price_steps, price_steps + 1) / price_steps
    price, volatility = np.repeat(steps, 3), np.tile([1.0, 0.0, -1.0], len(steps))
    far = tails or {}
    return Grid(
        np.concatenate([price, np.array(list(far.keys()), dtype=np.float64)]),
        np.concatenate([volatility, np.ones(len(far))]),
        np.concatenate([np.ones(len(price)), np.array(list(far.values()), dtype=np.float64)]),
    )


def no_joint(underlyings: int) -> Joint:
    """The empty joint set."""
    return Joint((), np.ones((0, underlyings)), np.ones((0, underlyings)), np.ones(0))


@dataclass(frozen=True, slots=True)
class Stress:
    """A named stress: relative price `moves` by underlying, `otherwise` for the rest; `volatility` is a
    factor, `weight` that of the loss."""

    name: str
    moves: Mapping[str, float]
    otherwise: float = 0.0
    volatility: float = 1.0
    weight: float = 1.0


def stresses(underlyings: Sequence[str], chosen: Sequence[Stress]) -> Joint:
    """Named stresses as joint scenarios over `underlyings`; MarginError for a move of an unlisted one."""
    for stress in chosen:
        unlisted = set(stress.moves) - set(underlyings)
        if unlisted:
            raise MarginError(
                f"underlyings {sorted(unlisted)} are not listed",
                field=f"stress[{stress.name}].moves",
                remedy=f"Use {tuple(underlyings)}",
            )
    price = [[1.0 + s.moves.get(name, s.otherwise) for name in underlyings] for s in chosen]
    volatility = [[s.volatility] * len(underlyings) for s in chosen]
    shape = (len(chosen), len(underlyings))
    return Joint(
        tuple(s.name for s in chosen),
        np.reshape(np.array(price, dtype=np.float64), shape),
        np.reshape(np.array(volatility, dtype=np.float64), shape),
        np.array([s.weight for s in chosen], dtype=np.float64),
    )


def historical(
    names: Sequence[str], returns: ArrayLike, volatility_returns: ArrayLike | None = None
) -> Joint:
    """Past days as joint scenarios: simple returns (days, underlyings) of prices and, if given, volatilities.

    The caller scales returns to the liquidation period and to current volatility (filtered simulation).
    """
    moves = finite_array(returns, "returns")
    factors = (
        np.zeros_like(moves) if volatility_returns is None else finite_array(volatility_returns, "returns")
    )
    return Joint(tuple(names), 1.0 + moves, 1.0 + factors, np.ones(len(moves)))

"""CME SPAN: sixteen scenarios of price and volatility, additive risk arrays, scan risk.

Source: CME SPAN methodology; L. McMillan, Options as a Strategic Investment, pp. 668–670. A risk array holds
losses: value now minus value under the scenario, so the scan risk is its largest entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from keeper.errors import MarginError
from keeper.margin.checks import not_negative, number, positive
from keeper.margin.interface import Array, Provenance, Requirement
from keeper.margin.options import black76
from keeper.margin.options.checks import finite_array, traceable

_STEPS = (0.0, 1.0 / 3.0, -1.0 / 3.0, 2.0 / 3.0, -2.0 / 3.0, 1.0, -1.0)


@dataclass(frozen=True, slots=True)
class SpanScenario:
    """`price` in price scan ranges, `volatility` in volatility scan ranges, `weight` the covered share of the
    loss."""

    price: float
    volatility: float
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class SpanParameters:
    """Scan ranges of one combined commodity: `price_range` in currency, `volatility_range` absolute per year.

    The two extreme scenarios move the price by `extreme_multiple` ranges and count `extreme_cover` of the
    loss. Maintenance is `maintenance_ratio` of initial margin.
    """

    provenance: Provenance
    price_range: float
    volatility_range: float
    extreme_multiple: float = 2.0
    extreme_cover: float = 0.35
    maintenance_ratio: float = 1.0

    def __post_init__(self) -> None:
        traceable(self.provenance, "span")
        positive(self.price_range, "span.price_range")
        not_negative(self.volatility_range, "span.volatility_range")
        positive(self.extreme_multiple, "span.extreme_multiple")
        positive(self.extreme_cover, "span.extreme_cover")
        positive(self.maintenance_ratio, "span.maintenance_ratio")

    @property
    def scenarios(self) -> tuple[SpanScenario, ...]:
        """The sixteen scenarios in SPAN's order: seven prices, volatility up then down, two extremes."""
        grid = [SpanScenario(price, volatility) for price in _STEPS for volatility in (1.0, -1.0)]
        extremes = [
            SpanScenario(sign * self.extreme_multiple, 0.0, self.extreme_cover) for sign in (1.0, -1.0)
        ]
        return (*grid, *extremes)


@dataclass(frozen=True, slots=True)
class SpanFuture:
    """`quantity` signed contracts of `multiplier` units at the price `forward`."""

    quantity: float
    forward: float
    multiplier: float = 1.0

    def __post_init__(self) -> None:
        number(self.quantity, "future.quantity")
        positive(self.forward, "future.forward")
        positive(self.multiplier, "future.multiplier")


@dataclass(frozen=True, slots=True)
class SpanOption:
    """A futures-style option: `quantity` signed contracts of `multiplier` units of the future; `volatility`
    per year."""

    quantity: float
    forward: float
    strike: float
    years: float
    volatility: float
    is_call: bool
    multiplier: float = 1.0

    def __post_init__(self) -> None:
        number(self.quantity, "option.quantity")
        for name in ("forward", "strike", "years", "volatility", "multiplier"):
            positive(getattr(self, name), f"option.{name}")


@dataclass(frozen=True, slots=True)
class SpanPortfolio:
    """The positions of one combined commodity."""

    futures: tuple[SpanFuture, ...] = ()
    options: tuple[SpanOption, ...] = ()


def futures_gains(
    quantity: float, price_range: float, scenarios: Iterable[SpanScenario], extreme_move: float | None = None
) -> Array:
    """Gain of `quantity` futures under each scenario, in the currency of `price_range`.

    `extreme_move` replaces the weighted extreme move where the clearing house states it directly.
    """
    number(quantity, "quantity")
    not_negative(price_range, "price_range")
    not_negative(extreme_move or 0.0, "extreme_move")
    moves = [
        s.price * s.weight * price_range
        if extreme_move is None or abs(s.price) <= 1
        else np.sign(s.price) * extreme_move
        for s in scenarios
    ]
    return np.asarray(quantity * np.array(moves, dtype=np.float64))


def risk_array(position: SpanFuture | SpanOption, parameters: SpanParameters) -> Array:
    """Losses of one position under the sixteen scenarios, shape (16,).

    For options, prices and volatilities below zero count as zero; extremes count their covered share.
    """
    scenarios = parameters.scenarios
    prices = np.array([s.price for s in scenarios]) * parameters.price_range
    weights = np.array([s.weight for s in scenarios])
    size = position.quantity * position.multiplier
    if isinstance(position, SpanFuture):
        return np.asarray(-size * prices * weights)
    shift = np.array([s.volatility for s in scenarios]) * parameters.volatility_range
    now = black76.price(
        position.forward, position.strike, position.years, position.volatility, position.is_call
    )
    then = black76.price(
        np.maximum(position.forward + prices, 0.0),
        position.strike,
        position.years,
        np.maximum(position.volatility + shift, 0.0),
        position.is_call,
    )
    return np.asarray(size * (now - then) * weights)


def combined(arrays: Sequence[ArrayLike], quantities: Sequence[float]) -> Array:
    """Sum of risk (or gain) arrays of one unit each, times their signed quantities."""
    if len(arrays) != len(quantities):
        raise MarginError(
            f"{len(arrays)} arrays, {len(quantities)} quantities", field="quantities", remedy="Give one each"
        )
    checked = [finite_array(array, f"arrays[{i}]") for i, array in enumerate(arrays)]
    if len({array.shape for array in checked}) > 1:
        raise MarginError("risk arrays differ in length", field="arrays", remedy="Use the same scenarios")
    return np.asarray(
        sum(
            (q * array for q, array in zip(quantities, checked, strict=True)), np.zeros(16)[: len(checked[0])]
        )
    )


def scan_risk(losses: ArrayLike) -> float:
    """The largest loss of a risk array, 0 where every scenario gains."""
    return float(max(np.max(finite_array(losses, "losses")), 0.0))


@dataclass(frozen=True, slots=True)
class Span:
    """SPAN as a margin model; the market state is the account's equity including net option value."""

    name: str = "cme-span"
    version: str = "16-scenarios"

    def requirement(self, positions: SpanPortfolio, market: float, parameters: SpanParameters) -> Requirement:
        """Scan risk of the positions of one combined commodity; maintenance a fixed share of initial."""
        number(market, "equity")
        held: tuple[SpanFuture | SpanOption, ...] = (*positions.futures, *positions.options)
        losses = np.zeros(len(parameters.scenarios))
        for position in held:
            losses = losses + risk_array(position, parameters)
        initial = scan_risk(losses)
        return Requirement(
            initial=initial,
            maintenance=initial * parameters.maintenance_ratio,
            equity=market,
            parts={"losses": losses, "worst_scenario": int(np.argmax(losses))},
        )

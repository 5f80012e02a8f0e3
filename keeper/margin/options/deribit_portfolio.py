"""Deribit segregated portfolio margin (S:PM) of one coin: inverse futures and options, in coin.

Sources: Deribit support, Portfolio Margin; the worked response of the API method private/pme/simulate
(docs.deribit.com), which the tests recompute. How the delta shock grows with size is not
published as a formula: the rate is read as `increment` per coin beyond the threshold, as in Deribit's own
futures schedule, capped at `maximum_delta_shock`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from keeper.margin.checks import number, positive
from keeper.margin.interface import Array, Requirement
from keeper.margin.options import black76, greeks
from keeper.margin.options.deribit_tables import PortfolioParameters

_MONTH_DAYS = 30.0


@dataclass(frozen=True, slots=True)
class Future:
    """An inverse future: `size` in coin at its mark price, `days` to expiry (None: perpetual)."""

    size: float
    mark: float
    days: float | None = None

    def __post_init__(self) -> None:
        number(self.size, "future.size")
        positive(self.mark, "future.mark")
        if self.days is not None:
            positive(self.days, "future.days")


@dataclass(frozen=True, slots=True)
class CoinOption:
    """An inverse option: `amount` in coin, `forward` its underlying's price in USD, `volatility` the mark's,
    per year."""

    amount: float
    strike: float
    is_call: bool
    forward: float
    days: float
    volatility: float

    def __post_init__(self) -> None:
        number(self.amount, "option.amount")
        positive(self.strike, "option.strike")
        positive(self.forward, "option.forward")
        positive(self.days, "option.days")
        positive(self.volatility, "option.volatility")

    def coin_value(self, moves: Array, volatilities: Array) -> Array:
        """Value of the position in coin after relative price `moves`, at `volatilities`."""
        forwards = self.forward * (1.0 + moves)
        prices = black76.price(
            forwards, self.strike, self.days / greeks.DAYS_A_YEAR, volatilities, self.is_call
        )
        return np.asarray(self.amount * prices / forwards)

    def delta(self) -> float:
        """Net transaction delta of the position, in coin: Black-76 delta less the option's price in coin."""
        got = greeks.black76(
            self.forward, self.strike, self.days / greeks.DAYS_A_YEAR, self.volatility, self.is_call
        )
        return self.amount * float(got.delta - got.price / self.forward)


@dataclass(frozen=True, slots=True)
class CoinPortfolio:
    """All positions settled in one coin, and the coin's index price in USD."""

    index: float
    futures: tuple[Future, ...] = ()
    options: tuple[CoinOption, ...] = ()

    def __post_init__(self) -> None:
        positive(self.index, "portfolio.index")


@dataclass(frozen=True, slots=True)
class RiskMatrix:
    """Profits after offsets and dampening, and the three charges of the margin (≥ 0); all in coin.

    `standard` has shape (moves, 3): volatility up, same, down; `extended` (extended moves,).
    """

    standard: Array
    extended: Array
    worst_case: float
    delta_shock: float
    roll_shock: float

    @property
    def initial(self) -> float:
        """Risk matrix margin, in coin."""
        return self.worst_case + self.delta_shock + self.roll_shock


def risk_matrix(portfolio: CoinPortfolio, p: PortfolioParameters) -> RiskMatrix:
    """Simulated profits of a portfolio and its risk matrix margin."""
    moves = p.standard_moves
    standard = np.stack([_profits(portfolio, moves, p, shock) for shock in (1, 0, -1)], axis=1)
    extended = _extended(portfolio, np.array(p.extended_moves), p)
    # profits offset losses of other pairs only: within the pair they count for the published share at most
    standard, extended = (np.where(x > 0, x * p.profit_offset, x) for x in (standard, extended))
    worst = max(-float(standard.min()), -float(extended.min(initial=0.0)), 0.0)
    return RiskMatrix(standard, extended, worst, _delta_shock(portfolio, p), _roll_shock(portfolio, p))


@dataclass(frozen=True, slots=True)
class SegregatedPortfolioMargin:
    """S:PM as a margin model; the market state is the coin equity of the account."""

    name: str = "deribit-portfolio"
    version: str = "s-pm"

    def requirement(
        self, positions: CoinPortfolio, market: float, parameters: PortfolioParameters
    ) -> Requirement:
        """In coin: initial margin is the risk matrix margin, maintenance the published share of it."""
        number(market, "equity")
        matrix = risk_matrix(positions, parameters)
        return Requirement(
            initial=matrix.initial,
            maintenance=matrix.initial * parameters.maintenance_factor,
            equity=market,
            parts={
                "worst_case": matrix.worst_case,
                "delta_shock": matrix.delta_shock,
                "roll_shock": matrix.roll_shock,
                "standard": matrix.standard,
                "extended": matrix.extended,
            },
        )


def shocked_volatility(option: CoinOption, p: PortfolioParameters, shock: int) -> float:
    """Volatility per year under a shock up (1), none (0) or down (−1); the floor is for shocks up only."""
    power = p.short_power if option.days <= _MONTH_DAYS else p.long_power
    scale = math.pow(_MONTH_DAYS / max(option.days, 1.0), power)
    if shock > 0:
        return max(option.volatility * (1.0 + p.volatility_up * scale), p.minimum_up_volatility)
    if shock < 0:
        return option.volatility * max(1.0 - p.volatility_down * scale, 0.0)
    return option.volatility


def _profits(portfolio: CoinPortfolio, moves: Array, p: PortfolioParameters, shock: int) -> Array:
    size = sum(future.size for future in portfolio.futures)
    profits = size * moves / (1.0 + moves)
    for option in portfolio.options:
        then = option.coin_value(moves, np.full(moves.shape, shocked_volatility(option, p, shock)))
        now = option.coin_value(np.zeros(1), np.full(1, option.volatility))
        profits = profits + then - now
    return np.asarray(profits)


def _extended(portfolio: CoinPortfolio, moves: Array, p: PortfolioParameters) -> Array:
    """Profits in coin under the extended moves, (moves,): in USD times price range over move, converted to
    coin at the edge of the range, and dampened."""
    if not moves.size:
        return moves
    edge = 1.0 + np.sign(moves) * p.price_range
    share = p.extended_factor * p.price_range / np.abs(moves)
    profits = _profits(portfolio, moves, p, 1) * share * (1.0 + moves) / edge
    beyond = np.maximum(np.abs(moves) / p.price_range, 1.0) - 1.0
    dampened = np.minimum(beyond * p.dampener / (edge * portfolio.index), np.abs(profits))
    return np.asarray(profits - np.sign(profits) * dampened)


def _delta_shock(portfolio: CoinPortfolio, p: PortfolioParameters) -> float:
    """Charge for unwinding a large net delta, in coin; long options may reduce it, never add to it."""
    fixed = sum(future.size for future in portfolio.futures)
    optional = 0.0
    for option in portfolio.options:
        if option.amount > 0:
            optional += option.delta()
        else:
            fixed += option.delta()
    net = fixed + optional
    delta = min(max(net, fixed), 0.0) if fixed < 0 else max(min(net, fixed), 0.0)
    size = abs(delta)
    rate = max(size - p.delta_threshold / portfolio.index, 0.0) * p.increment
    return size * min(rate, p.maximum_delta_shock)


def _roll_shock(portfolio: CoinPortfolio, p: PortfolioParameters) -> float:
    """Charge for each expiry's basis, in coin: net delta times the larger of annualised and minimum move."""
    by_expiry: dict[float, float] = {}
    for future in portfolio.futures:
        days = future.days or 0.0
        by_expiry[days] = by_expiry.get(days, 0.0) + future.size
    for option in portfolio.options:
        by_expiry[option.days] = by_expiry.get(option.days, 0.0) + option.delta()
    return sum(
        abs(delta) * max(math.expm1(p.annualised_move * days / greeks.DAYS_A_YEAR), p.minimum_move)
        for days, delta in by_expiry.items()
    )

"""Minimal cures of a breach: cash or collateral to add, or positions to close at their mark."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keeper.errors import MarginError
from keeper.margin.checks import not_negative
from keeper.margin.interface import Array
from keeper.margin.portfolio.accounts import Accounts
from keeper.margin.portfolio.contingencies import haircuts
from keeper.margin.portfolio.distance import Level
from keeper.margin.portfolio.engine import evaluate
from keeper.margin.portfolio.exposures import exposures
from keeper.margin.portfolio.market import MarketData
from keeper.margin.portfolio.parameters import DprmParameters
from keeper.margin.portfolio.valuation import option_values

_TABLES = ("options", "perps", "spot")
_SCAN = 256
_HALVINGS = 45


@dataclass(frozen=True, slots=True)
class Reduction:
    """Closing `fraction` (0 … 1) of one leg, or of all where `table` is None; `notional` closed, settlement
    units.

    `fraction` None: closing all of it does not cure the account; `notional` is then the whole.
    """

    table: str | None
    row: int | None
    fraction: float | None
    notional: float


def top_up(accounts: Accounts, market: MarketData, p: DprmParameters, level: Level) -> Array:
    """Least cash that lifts each account to `level`, shape (accounts,), 0 where none is needed."""
    return np.maximum(-level.surplus(evaluate(accounts, market, p)), 0.0)


def collateral_top_up(
    accounts: Accounts, account: int, underlying: str, market: MarketData, p: DprmParameters, level: Level
) -> float:
    """Least amount of collateral in `underlying` that lifts one account to `level`, in its own units.

    Raises `MarginError` where the haircut is 1.
    """
    one, here = _alone(accounts, account, market)
    missing = float(top_up(one, here, p, level)[0])
    if missing == 0:
        return 0.0
    index = market.index(underlying)
    probe = type(one.collateral)(np.zeros(1, dtype=np.int64), np.full(1, index), np.ones(1))
    held = exposures(one, here) if p.concentration is not None else None
    worth = float(here.of(probe.account, probe.underlying)[0] * (1.0 - haircuts(probe, held, p)[0]))
    if worth <= 0:
        raise MarginError(
            f"collateral in {underlying} counts for nothing",
            field="underlying",
            remedy="Choose another asset",
        )
    return missing / worth


def reductions(
    accounts: Accounts,
    account: int,
    market: MarketData,
    p: DprmParameters,
    level: Level,
    cost: float = 0.0,
) -> tuple[Reduction, ...]:
    """Least reduction of each leg alone, then of all legs by one fraction, that lifts an account to `level`.

    Legs are closed at their mark; `cost` is what closing loses, a fraction of spot notional. The search
    scans 256 fractions and, where none cures, the neighbourhood of the best one (surplus is concave in the
    fraction, haircut caps aside), then bisects the first cured step.
    """
    not_negative(cost, "cost")
    one, here = _alone(accounts, account, market)
    legs = [(name, row) for name in _TABLES for row in range(len(getattr(one, name)))]
    found = [
        Reduction(*leg, *_least(one, here, p, level, cost, only=leg)) for leg in legs
    ]  # fmt: skip
    found.append(Reduction(None, None, *_least(one, here, p, level, cost, only=None)))
    return tuple(found)


def _least(
    one: Accounts,
    market: MarketData,
    p: DprmParameters,
    level: Level,
    cost: float,
    only: tuple[str, int] | None,
) -> tuple[float | None, float]:
    """Least curing fraction and the notional it closes."""
    whole = _notional(one, market, only)

    def surplus(fractions: Array) -> Array:
        reduced = _reduced(one, market, fractions, cost, only)
        return level.surplus(evaluate(reduced, market, p))

    low, high = 0.0, 1.0
    for _ in range(3):
        fractions = np.linspace(low, high, _SCAN + 1)
        values = surplus(fractions)
        if (values >= 0).any():
            break
        best = int(np.argmax(values))
        low, high = fractions[max(best - 1, 0)], fractions[min(best + 1, _SCAN)]
    else:
        return None, whole
    first = int(np.argmax(values >= 0))
    if first == 0:
        return float(fractions[0]), float(fractions[0]) * whole
    low, high = float(fractions[first - 1]), float(fractions[first])
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        cured = bool(surplus(np.array([middle]))[0] >= 0)
        low, high = (low, middle) if cured else (middle, high)
    return high, high * whole


def _reduced(
    one: Accounts, market: MarketData, fractions: Array, cost: float, only: tuple[str, int] | None
) -> Accounts:
    """Copies of a book of one, each with a fraction of the chosen legs closed at the mark."""
    copies = one.copies(len(fractions))
    cash = copies.cash - fractions * cost * _notional(one, market, only)
    tables = {}
    for name in _TABLES:
        legs = getattr(copies, name)
        closed = np.zeros(len(legs))
        rows = len(getattr(one, name))
        if only is None:
            closed = fractions[legs.account]
        elif only[0] == name:
            closed[only[1] :: rows] = fractions
        spot = market.of(legs.account, legs.underlying)
        if name == "options":
            worth = option_values(legs, market) if len(legs) else np.zeros(0)
        else:
            worth = legs.quantity * (spot - legs.entry if name == "perps" else spot)
        np.add.at(cash, legs.account, worth * closed)
        tables[name] = legs.with_columns(quantity=legs.quantity * (1.0 - closed))
    return Accounts(cash, collateral=copies.collateral, **tables)


def _notional(one: Accounts, market: MarketData, only: tuple[str, int] | None) -> float:
    total = 0.0
    for name in _TABLES:
        legs = getattr(one, name)
        values = np.abs(legs.quantity) * market.of(legs.account, legs.underlying)
        if only is None:
            total += float(values.sum())
        elif only[0] == name:
            total += float(values[only[1]])
    return total


def _alone(accounts: Accounts, account: int, market: MarketData) -> tuple[Accounts, MarketData]:
    one = accounts.one(account)
    return one, market if market.spot.ndim == 1 else MarketData(market.names, market.spot[account])

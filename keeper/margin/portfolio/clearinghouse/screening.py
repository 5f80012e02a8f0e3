"""Every account in every scenario at once, in float64 with certified bounds; exact integers where it matters.

An account's value in a scenario is a sum over its legs of size times the instrument's price there: a product
of a sparse matrix (accounts by instruments) and a dense one (instruments by scenarios). The bound on it holds
what prices may be off, the rounding of all sums, and a unit for each rounding of the contract's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from keeper.margin.interface import Array
from keeper.margin.options.black76_fixed import YEAR
from keeper.margin.portfolio.clearinghouse.markets import CollateralQuote, MarketSnapshot, pledges
from keeper.margin.portfolio.clearinghouse.table import AS_THINGS_STAND, ScenarioTable
from keeper.margin.portfolio.clearinghouse.values import (
    PRICE_TO_WAD,
    ClearingState,
    Instrument,
    Kind,
    PledgedValue,
)
from keeper.margin.rounding import WAD

# Rounding of a sum of up to some forty products of rounded numbers, relative to the sum of their magnitudes.
_ROUNDING = 2.0**-45
_WEI = 1e-18


@dataclass(frozen=True, slots=True)
class CashTerms:
    """Interest at a moment: the lending index, and a year's rate times seconds (18 decimals), summed."""

    index: int
    due: int


def cash_now(state: ClearingState, terms: CashTerms) -> int:
    """An account's cash with interest: what is owed rounded up, what is lent rounded down. As Cash.sol."""
    if state.cash < 0:
        return state.cash + -state.cash * (terms.due - state.due) // -(WAD * YEAR)
    return state.cash + state.cash * (terms.index - state.lending_index) // WAD


@dataclass(frozen=True, slots=True)
class AccountBasis:
    """What of an account's value no scenario moves, and its collateral (money)."""

    cash: int
    carried: int
    contingency: int
    held: tuple[PledgedValue, ...]

    @property
    def pledged(self) -> int:
        return sum(each.value for each in self.held)


@dataclass(frozen=True, slots=True)
class AccountValue:
    """An account as its contracts see it (money): `worst` is its least value over a set, in `scenario`."""

    equity: int
    worst: int
    scenario: int
    cash: int
    pledged: int
    contingency: int


@dataclass(frozen=True, slots=True)
class PositionCharge:
    """What holding an instrument takes off: a perpetual's funding so far (per unit), and index times the
    rate of closing a long and a short."""

    is_perpetual: bool
    funding: int
    long: int
    short: int


@dataclass(frozen=True)
class ExactMarket:
    """Everything that values an account exactly at a moment, for one set of scenarios."""

    at: MarketSnapshot
    cash: CashTerms
    table: ScenarioTable
    instruments: Mapping[int, Instrument]
    going: frozenset[int]
    """Instruments that still cost something to close: all that are not settled."""

    def value(self, state: ClearingState, scenarios: Sequence[int] | None = None) -> AccountValue:
        """Equity, and the least value over all scenarios, or over those that can have it."""
        basis = self.basis(state)
        worst, scenario = self.worst(state, basis, scenarios)
        marked = self.table.total(state.legs, AS_THINGS_STAND)
        equity = basis.cash + basis.pledged + marked - basis.carried
        return AccountValue(equity, worst, scenario, basis.cash, basis.pledged, basis.contingency)

    def basis(self, state: ClearingState) -> AccountBasis:
        carried = contingency = 0
        for leg in state.legs:
            size, charge = leg.size, self._charges[leg.instrument]
            if charge.is_perpetual:
                carried += leg.cost + size * charge.funding
            # ⌈|size|·index·rate⌉
            contingency -= -size * charge.long // WAD if size > 0 else size * charge.short // WAD
        held = pledges(self.at.quotes, state.collateral)
        return AccountBasis(cash_now(state, self.cash), carried, contingency, held)

    def worst(
        self, state: ClearingState, basis: AccountBasis, scenarios: Sequence[int] | None = None
    ) -> tuple[int, int]:
        """The least value over these scenarios, or all of them, and the first that has it."""
        fixed, total = basis.cash - basis.contingency - basis.carried, self.table.total
        least, where = None, 0
        for scenario in range(len(self.table.scenarios.steps)) if scenarios is None else scenarios:
            value = fixed
            if basis.held:
                moved = self.table.by_scenario[scenario].collateral
                value += sum(each.value * moved[each.token] // WAD for each in basis.held)
            value += total(state.legs, scenario)
            if least is None or value < least:
                least, where = value, scenario
        assert least is not None, "a set has scenarios"
        return least, where

    @cached_property
    def _charges(self) -> Mapping[int, PositionCharge]:
        found = {}
        for number, terms in self.instruments.items():
            spot, is_perpetual = self.at.spots[terms.underlying], terms.kind is Kind.PERPETUAL
            index = spot.index if number in self.going else 0
            short = spot.closing + (0 if is_perpetual else spot.short_closing)
            found[number] = PositionCharge(
                is_perpetual, spot.funding if is_perpetual else 0, index * spot.closing, index * short
            )
        return found


@dataclass(frozen=True, slots=True)
class AccountArrays:
    """Accounts as arrays, in their order: what of them does not change from block to block."""

    sizes: csr_matrix
    """(accounts, instruments) in whole units."""
    shorts: csr_matrix
    """Sizes of short options, without their sign."""
    costs: Array
    """Of perpetuals."""
    cash: Array
    index: Array
    due: Array
    """In years: what a unit of debt owes more."""
    collateral: Array
    """(accounts, collaterals) in token units."""
    unknown: NDArray[np.bool_]
    """Accounts with a position in an instrument that has no price."""


def arrays(
    states: Sequence[ClearingState],
    instruments: Mapping[int, Instrument],
    numbers: Sequence[int],
    tokens: int,
) -> AccountArrays:
    """Accounts as arrays, their instruments in the order of `numbers`."""
    column = {number: at for at, number in enumerate(numbers)}
    every = [(row, leg) for row, state in enumerate(states) for leg in state.legs]
    legs = [each for each in every if each[1].instrument in column]
    unknown = np.zeros(len(states), np.bool_)
    unknown[[row for row, leg in every if leg.instrument not in column]] = True
    rows = [row for row, _ in legs]
    columns = [column[leg.instrument] for _, leg in legs]
    sizes = np.array([leg.size for _, leg in legs], np.float64) / PRICE_TO_WAD
    perpetual = np.array([instruments[leg.instrument].kind is Kind.PERPETUAL for _, leg in legs], np.bool_)
    costs = np.array([float(leg.cost) for _, leg in legs], np.float64) / WAD
    shape = (len(states), len(numbers))
    short = np.where((sizes < 0) & ~perpetual, -sizes, 0.0)
    total = np.zeros(len(states))
    np.add.at(total, rows, np.where(perpetual, costs, 0.0))
    collateral = np.zeros((len(states), tokens))
    for row, state in enumerate(states):
        collateral[row, : len(state.collateral)] = state.collateral
    return AccountArrays(
        csr_matrix((sizes, (rows, columns)), shape),
        csr_matrix((short, (rows, columns)), shape),
        total,
        np.array([state.cash / WAD for state in states], np.float64),
        np.array([state.lending_index / WAD for state in states], np.float64),
        np.array([state.due / (WAD * YEAR) for state in states], np.float64),
        collateral,
        unknown,
    )


@dataclass(frozen=True, slots=True)
class ScreenedAccounts:
    """Values by account (first axis) and scenario, equity, and how far any of them may be off (money)."""

    values: Array
    equity: Array
    error: Array

    def all_candidates(self) -> list[list[int]]:
        """`candidates` of every account, in order."""
        limit = (self.values.min(axis=1) + 2 * self.error)[:, np.newaxis]
        rows, columns = np.nonzero(self.values <= limit)
        ends = np.searchsorted(rows, np.arange(1, len(self.values)))
        return [each.tolist() for each in np.split(columns, ends)]

    def candidates(self, row: int) -> list[int]:
        """The scenarios of an account that can have its least value."""
        value = self.values[row]
        return np.flatnonzero(value <= value.min() + 2 * self.error[row]).tolist()


def screened(accounts: AccountArrays, market: ExactMarket) -> ScreenedAccounts:
    """All accounts in all scenarios of the market's set."""
    table, at = market.table, market.at
    units, errors = table.units
    numbers = table.numbers
    funding, closing, short = (np.zeros(len(numbers)) for _ in range(3))
    for place, number in enumerate(numbers):
        terms = market.instruments[number]
        spot = at.spots[terms.underlying]
        if terms.kind is Kind.PERPETUAL:
            funding[place] = spot.funding / PRICE_TO_WAD
        if number in market.going:
            closing[place] = spot.index / PRICE_TO_WAD * (spot.closing / WAD)
            short[place] = spot.index / PRICE_TO_WAD * (spot.short_closing / WAD)
    held = _pledged(accounts.collateral, at.quotes)
    cash = _cash(accounts, market.cash)
    gross = abs(accounts.sizes)
    contingency = gross @ closing + accounts.shorts @ short
    carried = accounts.costs + accounts.sizes @ funding
    factors = np.array([by.collateral for by in table.by_scenario], np.float64).T / WAD
    values = np.asarray(accounts.sizes @ units) + held @ factors + (cash - carried)[:, np.newaxis]
    magnitude = gross @ np.abs(units).max(axis=1, initial=0.0) + held @ factors.max(axis=1, initial=0.0)
    magnitude += np.abs(cash) + np.abs(accounts.cash) * (
        market.cash.index / WAD + market.cash.due / (WAD * YEAR)
    )
    magnitude += np.abs(accounts.costs) + gross @ np.abs(funding) + contingency
    magnitude += accounts.collateral @ np.array([quote.price / WAD / WAD for quote in at.quotes], np.float64)
    legs = np.diff(accounts.sizes.indptr)
    error = gross @ errors.max(axis=1, initial=0.0) + _ROUNDING * magnitude
    error += _WEI * (3 * legs + 2 * len(at.quotes) + 4)
    error[accounts.unknown] = np.inf
    equity = values[:, -1].copy()
    return ScreenedAccounts(values[:, :-1] - contingency[:, np.newaxis], equity, error)


def _pledged(amounts: Array, quotes: Sequence[CollateralQuote]) -> Array:
    step = np.array([quote.step for quote in quotes], np.float64)
    kept = np.array([1 - quote.haircut / WAD for quote in quotes], np.float64)
    further = np.array([quote.further / WAD for quote in quotes], np.float64)
    price = np.array([quote.price / WAD / WAD for quote in quotes], np.float64)
    return np.asarray((amounts * kept - np.maximum(amounts - step, 0.0) * further) * price)


def _cash(accounts: AccountArrays, terms: CashTerms) -> Array:
    owed = accounts.cash * (1 + (terms.due / (WAD * YEAR) - accounts.due))
    lent = accounts.cash * (1 + (terms.index / WAD - accounts.index))
    return np.where(accounts.cash < 0, owed, lent)

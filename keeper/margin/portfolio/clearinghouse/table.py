"""Prices of instruments in scenarios: each in integers once it is asked for, and all of them in float64.

Accounts share instruments, so a scenario's price of one is worked out once for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from keeper.margin.interface import Array
from keeper.margin.options import black76, black76_fixed
from keeper.margin.portfolio.clearinghouse.valuation import scenario_factor, scenario_move
from keeper.margin.portfolio.clearinghouse.values import (
    PRICE_TO_WAD,
    ClearingLeg,
    Kind,
    LegLine,
    ScenarioSet,
)
from keeper.margin.rounding import WAD, wad_mul_down

_ULP = 2.0**-52


@dataclass(frozen=True, slots=True)
class ScenarioFactors:
    """What one scenario moves, as factors of 18 decimals: by underlying for perpetuals, for the index of
    options and for their volatility, and by collateral."""

    perpetual: tuple[int, ...]
    index: tuple[int, ...]
    volatility: tuple[int, ...]
    collateral: tuple[int, ...]


AS_THINGS_STAND = -1
"""The number of the scenario in which nothing moves."""


def factors(scenarios: ScenarioSet, scenario: int) -> ScenarioFactors:
    """The factors of a scenario of the set; all one `AS_THINGS_STAND`."""
    count, tokens = scenarios.underlyings, scenarios.collaterals
    if scenario == AS_THINGS_STAND:
        same = (WAD,) * count
        return ScenarioFactors(same, same, same, (WAD,) * tokens)
    steps, widths = scenarios.steps[scenario], scenarios.widths
    perpetual, index, volatility = [], [], []
    for u in range(count):
        price, turn, basis = steps[3 * u : 3 * u + 3]
        wide, up, down, apart = widths[4 * u : 4 * u + 4]
        move = scenario_move(price, wide)
        index.append(scenario_factor(move))
        volatility.append(scenario_factor(scenario_move(turn, up if turn >= 0 else down)))
        perpetual.append(scenario_factor(move + scenario_move(basis, apart)))
    rest = [
        scenario_factor(scenario_move(steps[3 * count + c], widths[4 * count + c])) for c in range(tokens)
    ]
    return ScenarioFactors(tuple(perpetual), tuple(index), tuple(volatility), tuple(rest))


@dataclass(frozen=True)
class ScenarioTable:
    """Instruments, by number as lines without size and cost, in the scenarios of a set."""

    lines: Mapping[int, LegLine]
    scenarios: ScenarioSet
    _exact: dict[int, dict[int, int]] = field(default_factory=dict, repr=False)

    @cached_property
    def by_scenario(self) -> tuple[ScenarioFactors, ...]:
        """The factors of each scenario; the last one's are those of things as they stand."""
        count = len(self.scenarios.steps)
        return tuple(factors(self.scenarios, each) for each in (*range(count), AS_THINGS_STAND))

    def price(self, instrument: int, scenario: int) -> int:
        """An option's price (18 decimals) in a scenario."""
        known = self._exact.setdefault(scenario, {})
        found = known.get(instrument)
        if found is None:
            line = self.lines[instrument]
            forward, deviation = self._moved(line, scenario)
            call, put = black76_fixed.prices(forward, line.strike * PRICE_TO_WAD, deviation)
            found = known[instrument] = call if line.kind is Kind.CALL else put
        return found

    def value(self, instrument: int, size: int, scenario: int) -> int:
        """Money that a size is worth in a scenario, rounded down; of a perpetual before what it cost."""
        line = self.lines[instrument]
        if line.kind is Kind.PERPETUAL:
            factor = self.by_scenario[scenario].perpetual[line.underlying]
            return wad_mul_down(size * line.price, factor)
        return size * self.price(instrument, scenario) // PRICE_TO_WAD

    def total(self, legs: Sequence[ClearingLeg], scenario: int) -> int:
        """`value` of all legs together."""
        known, found = self._exact.setdefault(scenario, {}), 0
        for leg in legs:
            price = known.get(leg.instrument)
            if price is None:
                found += self.value(leg.instrument, leg.size, scenario)
            else:
                found += leg.size * price // PRICE_TO_WAD
        return found

    def _moved(self, line: LegLine, scenario: int) -> tuple[int, int]:
        by = self.by_scenario[scenario]
        moving = line.price * line.open // PRICE_TO_WAD
        forward = line.settled * PRICE_TO_WAD + wad_mul_down(moving, by.index[line.underlying])
        return forward, wad_mul_down(line.deviation, by.volatility[line.underlying])

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """The instruments in the order of `units`."""
        return tuple(sorted(self.lines))

    @cached_property
    def units(self) -> tuple[Array, Array]:
        """Money that one whole unit of each instrument is worth in each scenario, and as things stand in the
        last column; and by how much any may be off, (instruments, scenarios + 1) each."""
        shape = (len(self.numbers), len(self.by_scenario))
        forwards, deviations = np.zeros(shape), np.zeros(shape)
        values, errors = np.zeros(shape), np.zeros(shape)
        strikes, signs, options = [], [], []
        for row, number in enumerate(self.numbers):
            line = self.lines[number]
            if line.kind is Kind.PERPETUAL:
                moved = [
                    line.price / PRICE_TO_WAD * (by.perpetual[line.underlying] / WAD)
                    for by in self.by_scenario
                ]
                values[row] = moved
                errors[row] = np.abs(values[row]) * (4 * _ULP)
                continue
            options.append(row)
            strikes.append(line.strike / PRICE_TO_WAD)
            signs.append(1.0 if line.kind is Kind.CALL else -1.0)
            for column in range(shape[1]):
                forward, deviation = self._moved(line, column if column < shape[1] - 1 else AS_THINGS_STAND)
                forwards[row, column], deviations[row, column] = forward / WAD, deviation / WAD
        if options:
            strike, sign = np.array(strikes)[:, np.newaxis], np.array(signs)[:, np.newaxis]
            priced = black76.undiscounted(forwards[options], strike, deviations[options], sign)
            values[options] = priced
            errors[options] = black76_fixed.error_bound(forwards[options], strike)
        return values, errors

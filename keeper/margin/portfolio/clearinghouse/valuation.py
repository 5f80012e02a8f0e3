"""What an account is worth in a scenario, in all of them, and as things stand.

As contracts/src/clearinghouse/Valuation.sol: every product is rounded down, against the account, once.
"""

from __future__ import annotations

from keeper.errors import MarginError
from keeper.margin.options.black76_fixed import prices
from keeper.margin.portfolio.clearinghouse.values import (
    PRICE_TO_WAD,
    Kind,
    LegLine,
    Portfolio,
    ScenarioSet,
)
from keeper.margin.rounding import WAD, div_trunc, wad_mul_down

STEP = 10_000
LEAST_FACTOR = 10**15
"""Prices and volatilities fall to a thousandth of themselves at most."""


def equity(account: Portfolio) -> int:
    """Cash, collateral after haircuts and positions at their marks; no contingency is taken off."""
    pledged = sum(pledge.value for pledge in account.pledges)
    return account.cash + pledged + sum(line_value(line, WAD, WAD) for line in account.lines)


def value_in(account: Portfolio, scenarios: ScenarioSet, scenario: int) -> int:
    """The account's value in one scenario: below zero, it has less than that scenario's set demands."""
    if not 0 <= scenario < len(scenarios.steps):
        raise MarginError(
            f"scenario {scenario} is not among {len(scenarios.steps)}",
            field="scenario",
            remedy="Read the set again",
        )
    steps, widths = scenarios.steps[scenario], scenarios.widths
    ups, first = scenarios.underlyings, 4 * scenarios.underlyings
    value = account.cash - account.contingency
    for pledge in account.pledges:
        move = scenario_move(steps[3 * ups + pledge.token], widths[first + pledge.token])
        value += wad_mul_down(pledge.value, scenario_factor(move))
    for line in account.lines:
        price_step, turn_step, basis_step = steps[3 * line.underlying : 3 * line.underlying + 3]
        price_width, up_width, down_width, basis_width = widths[4 * line.underlying : 4 * line.underlying + 4]
        price = scenario_move(price_step, price_width)
        if line.kind is Kind.PERPETUAL:
            value += line_value(line, scenario_factor(price + scenario_move(basis_step, basis_width)), WAD)
        else:
            turn = scenario_move(turn_step, up_width if turn_step >= 0 else down_width)
            value += line_value(line, scenario_factor(price), scenario_factor(turn))
    return value


def worst(account: Portfolio, scenarios: ScenarioSet) -> tuple[int, int]:
    """The least value over all scenarios, and the first scenario that has it."""
    if not scenarios.steps:
        raise MarginError("has no scenario", field="scenarios", remedy="Read the set again")
    values = [value_in(account, scenarios, each) for each in range(len(scenarios.steps))]
    least = min(values)
    return least, values.index(least)


def admits(before: Portfolio, account: Portfolio, scenarios: ScenarioSet) -> tuple[bool, int, int]:
    """Whether a change may stand, and `worst` of what the account has become.

    It may where the account is worth no less than before in every scenario in which it is worth less than
    nothing.
    """
    value, at = worst(account, scenarios)
    allowed = all(
        found >= 0 or found >= value_in(before, scenarios, i)
        for i in range(len(scenarios.steps))
        for found in (value_in(account, scenarios, i),)
    )
    return allowed, value, at


def line_value(line: LegLine, factor: int, turn: int) -> int:
    """One leg with its price times `factor` and its deviation times `turn` (both 18 decimals).

    A perpetual: size·mark·factor − carried. An option: size·Black-76 of settled + open·index·factor.
    """
    if line.kind is Kind.PERPETUAL:
        return wad_mul_down(line.size * line.price, factor) - line.carried
    moving = line.price * line.open // PRICE_TO_WAD
    forward = line.settled * PRICE_TO_WAD + wad_mul_down(moving, factor)
    call, put = prices(forward, line.strike * PRICE_TO_WAD, wad_mul_down(line.deviation, turn))
    return line.size * (call if line.kind is Kind.CALL else put) // PRICE_TO_WAD


def scenario_move(step: int, width: int) -> int:
    """A move as a fraction: a step times the width it counts in, towards zero."""
    return div_trunc(step * width, STEP)


def scenario_factor(move: int) -> int:
    """What a move multiplies with: never below a thousandth."""
    return max(LEAST_FACTOR, WAD + move)

"""The clearinghouse's integers in Python are its contracts' own, to the unit."""

from __future__ import annotations

import os
from dataclasses import astuple
from random import Random

import pytest

from keeper.localchain.anvil import Anvil
from keeper.localchain.calldata import calldata, decoded
from keeper.localchain.solc import Compilation, artifacts
from keeper.margin.portfolio.clearinghouse.markets import lines, mark_of, pledges
from keeper.margin.portfolio.clearinghouse.marks import (
    PERIOD,
    FundingTerms,
    PerpetualState,
    accrued,
)
from keeper.margin.portfolio.clearinghouse.scenarios import decode_steps, encode_steps
from keeper.margin.portfolio.clearinghouse.valuation import equity, value_in, worst
from keeper.margin.rounding import WAD
from tests.support import clearinghouse_cases as cases
from tests.support.state_override import LENS_ADDRESS, call_with_code

pytestmark = pytest.mark.integration

HARNESS = Compilation(("test/clearinghouse/ClearinghouseHarness.sol",), runs=10_000, evm_version="paris")
TIMES = 20 if os.environ.get("KEEPER_SOAK") else 1


def asked(
    anvil: Anvil, signature: str, arguments: tuple[object, ...], answers: list[str]
) -> tuple[object, ...]:
    code = {LENS_ADDRESS: "0x" + artifacts(HARNESS)["ClearinghouseHarness"].runtime}
    return decoded(answers, call_with_code(anvil.rpc, LENS_ADDRESS, calldata(signature, *arguments), code))


@pytest.mark.parametrize(("underlyings", "collaterals", "count"), [(1, 1, 4), (3, 2, 12), (8, 8, 3)])
def test_values_in_every_scenario(anvil: Anvil, underlyings: int, collaterals: int, count: int) -> None:
    draw = Random(underlyings)
    chosen = cases.scenario_set(draw, underlyings, collaterals, count)
    accounts = [cases.portfolio(draw, underlyings, collaterals) for _ in range(80 * TIMES)]
    steps = encode_steps(chosen.steps)
    assert decode_steps(steps, underlyings, collaterals) == chosen.steps
    given = (underlyings, collaterals, steps, chosen.widths)
    signature = f"values({cases.PORTFOLIO}[],{cases.SCENARIOS})"
    rows, least = asked(
        anvil, signature, ([astuple(each) for each in accounts], given), ["int256[][]", "int256[2][]"]
    )
    assert rows == tuple(
        (*(value_in(each, chosen, number) for number in range(count)), equity(each)) for each in accounts
    )
    assert least == tuple(worst(each, chosen) for each in accounts)


@pytest.mark.parametrize("seed", range(4 * TIMES))
def test_lines_marks_and_contingencies(anvil: Anvil, seed: int) -> None:
    draw = Random(seed)
    at = cases.snapshot(draw, 3, 5, 0)
    listed = [cases.listed(draw, at) for _ in range(300)]
    legs = [cases.leg(draw, number) for number in range(len(listed))]
    signature = f"lines({cases.SNAPSHOT},uint256[],{cases.LEG}[])"
    words = [cases.packed(*each) for each in listed]
    found, cost, marks = asked(
        anvil,
        signature,
        (astuple(at), words, [astuple(each) for each in legs]),
        [f"{cases.LINE}[]", "uint256", "uint256[]"],
    )
    instruments, settled_at = zip(*listed, strict=True)
    expected, contingency = lines(at, instruments, settled_at, legs)
    assert found == tuple(astuple(each) for each in expected)
    assert cost == contingency
    assert marks == tuple(mark_of(each) for each in expected)


def test_pledges(anvil: Anvil) -> None:
    draw = Random(5)
    quotes = cases.snapshot(draw, 1, 0, 8).quotes
    rows = [
        [draw.choice((0, quote.step, quote.step + 1, draw.getrandbits(80))) for quote in quotes]
        for _ in range(250 * TIMES)
    ]
    arguments = ([astuple(each) for each in quotes], rows)
    (found,) = asked(anvil, f"pledges({cases.QUOTE}[],uint256[][])", arguments, [f"{cases.PLEDGE}[][]"])
    assert found == tuple(tuple(astuple(each) for each in pledges(quotes, row)) for row in rows)


def test_averages_marks_and_funding(anvil: Anvil) -> None:
    draw = Random(6)
    rows = []
    for _ in range(2_000 * TIMES):
        index, near = cases.price(draw), draw.randint(900, 1_100)
        last = draw.choice((0, index, max(1, min(2**63 - 1, index * near // 1_000)), cases.price(draw)))
        premium = draw.choice((0, index * draw.randint(-100, 100) // 1_000, -index, index))
        band, cap = draw.randint(0, WAD - 1), draw.randint(0, WAD - 1) >> draw.randint(0, 9)
        rows.append((premium, index, last, band, cap, draw.choice((0, 1, 12, draw.randint(0, 10**6)))))
    (found,) = asked(anvil, "marks(int256[6][])", (rows,), ["int256[4][]"])
    expected = []
    for premium, index, last, band, cap, elapsed in rows:
        state, mark = accrued(PerpetualState(last, 0, premium, 0), index, FundingTerms(band, cap), elapsed)
        expected.append((state.premium, mark, state.integral, state.integral // PERIOD))
        assert state.funding == state.integral // PERIOD
    assert found == tuple(expected)

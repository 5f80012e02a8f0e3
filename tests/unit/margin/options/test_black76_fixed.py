"""Fixed-point Black-76: within its proved error of the true price, and its exact relations."""

from __future__ import annotations

import math
import os
import random
import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from keeper.errors import MarginError
from keeper.localchain.packages import CONTRACTS
from keeper.margin.options import black76
from keeper.margin.options import black76_fixed as fixed
from keeper.margin.options.black76_fixed import YEAR, deviation, error_bound, prices
from tests.support import black76_reference as true
from tests.support.black76_cases import MOST, WAD, cases, edges, grid, scattered

pytestmark = pytest.mark.unit

SOAK = bool(os.environ.get("KEEPER_SOAK"))
PROVED = Decimal(2) ** -65


def test_no_price_is_farther_from_the_true_one_than_proved() -> None:
    draw = random.Random(76)
    measured = [*grid(), *edges(draw, 3_000 if SOAK else 60), *scattered(draw, 20_000 if SOAK else 300)]
    for forward, strike, s in measured:
        error = abs(min(prices(forward, strike, s)) - true.price(forward, strike, s))
        assert error <= 1 + PROVED * min(forward, strike), (forward, strike, s, error)


def test_calls_and_puts_keep_their_relations_to_the_unit() -> None:
    for forward, strike, s in cases(1, 30_000 if SOAK else 3_000):
        call, put = prices(forward, strike, s)
        assert call - put == forward - strike
        assert max(forward - strike, 0) <= call <= forward
        assert max(strike - forward, 0) <= put <= strike
        assert prices(strike, forward, s) == (put, call)


def test_nothing_to_come_gives_intrinsic_values_and_everything_to_come_the_whole() -> None:
    forward, strike = 3_000 * WAD, 2_000 * WAD
    assert prices(forward, strike, 0) == (1_000 * WAD, 0)
    assert prices(strike, forward, 0) == (0, 1_000 * WAD)
    assert prices(forward, strike, 2**256 - 1) == (forward, strike)
    assert prices(forward, 0, WAD) == (forward, 0)
    assert prices(0, strike, WAD) == (0, strike)


def test_at_the_money_a_single_unit_of_deviation_is_worth_what_it_should() -> None:
    """F·s/√(2π), at s = 10⁻¹⁴ and an amount whose own wei do not hide it."""
    forward, s = 10**20 * WAD, WAD // 10**14
    expected = Decimal(forward) * s / WAD / true.root_of_two_pi()
    assert abs(prices(forward, forward, s)[0] - expected) <= 1 + PROVED * forward


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ((MOST + 1, 1, 1), "forward"),
        ((1, MOST + 1, 1), "strike"),
        ((1, -1, 1), "strike"),
        ((1, 1, -1), "dev"),
    ],
)
def test_what_the_contract_refuses_is_refused_by_name(arguments: tuple[int, int, int], field: str) -> None:
    with pytest.raises(MarginError, match=field):
        prices(*arguments)


def test_the_contract_has_the_same_constants_in_the_same_order() -> None:
    """The last digits of a coefficient move no price that could be compared."""
    source = (CONTRACTS / "src/clearinghouse/Black76.sol").read_text()
    here = [fixed._ROOT_2, fixed._LN_2, *fixed._TAIL_NUMERATOR, *fixed._TAIL_DENOMINATOR[1:]]
    assert [int(each) for each in re.findall(r"\b\d{18,}\b", source)] == here


def test_a_deviation_is_the_exact_root_rounded_down() -> None:
    draw = random.Random(3)
    for _ in range(2_000):
        volatility, seconds = draw.getrandbits(draw.randint(1, 96)), draw.getrandbits(draw.randint(1, 64))
        got, square = deviation(volatility, seconds), Fraction(volatility**2 * seconds, YEAR)
        assert got**2 <= square < (got + 1) ** 2
    assert deviation(WAD, YEAR) == WAD
    assert deviation(WAD // 2, 4 * YEAR) == WAD
    for wrong in ((2**96, 1), (1, 2**64), (-1, 1)):
        with pytest.raises(MarginError):
            deviation(*wrong)


def test_float_prices_are_within_the_stated_bound() -> None:
    chosen = np.array(cases(9, 100_000 if SOAK else 6_000), dtype=object)
    forward, strike, s = (np.array([float(each) / WAD for each in column]) for column in chosen.T)
    exact = np.array([prices(*row) for row in chosen.tolist()], dtype=object).T
    bound = error_bound(forward, strike)
    for kind, sign in enumerate((1.0, -1.0)):
        screened = black76.undiscounted(forward, strike, s, np.array(sign))
        difference = [
            abs(Fraction(value) - Fraction(price, WAD))
            for value, price in zip(screened.tolist(), exact[kind].tolist(), strict=True)
        ]
        assert all(each <= most for each, most in zip(difference, bound.tolist(), strict=True))


def test_the_float_bound_is_tight_enough_to_screen_with() -> None:
    """Below a hundred-millionth of a cent on a bitcoin; rows of accounts broadcast against strikes."""
    bound = error_bound(np.full((3, 1), 65_000.0), np.geomspace(1_000.0, 1_000_000.0, 7))
    assert bound.shape == (3, 7)
    assert (bound <= 1e-14 * (65_000.0 + np.geomspace(1_000.0, 1_000_000.0, 7))).all()
    assert math.isfinite(float(error_bound(np.array(0.0), np.array(0.0))))

"""Synthetix v3 as of 3.13.0: discounts, debt, interest and rewards, by hand and by their definitions."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.errors import MarginError
from keeper.margin.catalogue.perps import synthetix_v3_cross
from keeper.margin.catalogue.reading import Fields
from keeper.margin.perps.synthetix_v3 import account as earlier
from keeper.margin.perps.synthetix_v3.cross_margin import (
    SECONDS_PER_YEAR,
    Collateral,
    CrossAccount,
    OpenPosition,
    is_liquidatable,
    is_margin_liquidatable,
    liquidation_reward,
    next_interest,
    requirement,
)
from keeper.margin.rounding import WAD
from tests.unit.margin.perps.test_synthetix_v3 import ETH

pytestmark = pytest.mark.unit

CENT = WAD // 100
KEEPER = earlier.KeeperTerms(10 * WAD, 1_000 * WAD, WAD // 5, WAD // 2, 2 * WAD, WAD, 5 * CENT)
USD = Collateral(1_000 * WAD)
SYNTH = Collateral(10 * WAD, 200 * WAD, 1_000 * WAD, 2 * WAD, CENT, 5 * CENT)
"""Ten of a thousand, twice: two percent off."""
SHORT = OpenPosition(-2 * WAD, 2_100 * WAD, 2_000 * WAD, ETH, 5 * WAD, 7 * WAD, CENT, 3 * CENT, WAD // 2)
naturals = st.integers(0, 10**8).map(lambda n: n * WAD // 1_000)


def test_an_account_by_hand() -> None:
    account = CrossAccount([USD, SYNTH], [SHORT], 100 * WAD)
    assert (SYNTH.value, SYNTH.discount, SYNTH.discounted) == (2_000 * WAD, 2 * CENT, 1_960 * WAD)
    # 2·100 by the fall, −2·2 of funding, 4,000 · 1/2 · 0.02 of interest.
    assert SHORT.pnl == 200 * WAD - 4 * WAD - 40 * WAD
    assert account.available_margin == (1_000 + 1_960 + 156 - 100) * WAD
    # |2|/1e6 · 2 + 1 % of 4,000, and half of that; 50 flat in both.
    ratio = Fraction(2, 10**6) * 2 + Fraction(1, 100)
    assert SHORT.margins == (int(4_000 * ratio * WAD) + 50 * WAD, int(2_000 * ratio * WAD) + 50 * WAD)
    # Flags pay 1 % of 4,000, the collateral 5 % of 3,000: the latter, and three for the transactions.
    assert liquidation_reward(account, KEEPER) == 153 * WAD
    found = requirement(account, KEEPER)
    assert found.equity == account.available_margin
    assert found.maintenance == SHORT.margins[1] + 153 * WAD
    assert found.parts["discount"] == 40 * WAD and found.parts["debt"] == 100 * WAD


@pytest.mark.parametrize(
    ("amount", "percent"), [(0, 1), (1, 1), (5, 1), (10, 2), (20, 4), (25, 5), (26, 5), (10**6, 5)]
)
def test_the_discount_grows_with_the_amount_within_its_limits(amount: int, percent: int) -> None:
    assert replace(SYNTH, amount=amount * WAD).discount == percent * CENT
    assert replace(SYNTH, amount=amount * WAD, skew_scale=0).discount == 0


@given(naturals, st.lists(st.tuples(naturals, naturals), max_size=3), naturals)
def test_without_what_is_new_it_is_the_earlier_version_but_for_the_first_windows_costs(
    cash: int, legs: list[tuple[int, int]], price: int
) -> None:
    terms = earlier.KeeperTerms(10 * WAD, 1_000 * WAD, WAD // 5, WAD // 10, 2 * WAD, 0)
    account = CrossAccount([Collateral(cash)], [OpenPosition(s, e, price, ETH) for s, e in legs])
    before = earlier.requirement([earlier.Position(s, e, price, ETH) for s, e in legs], cash, terms)
    now = requirement(account, terms)
    assert (now.initial, now.maintenance, now.equity) == (before.initial, before.maintenance, before.equity)


@given(naturals, naturals, naturals)
def test_debt_lowers_what_is_available_and_nothing_else(cash: int, debt: int, price: int) -> None:
    free = CrossAccount([Collateral(cash)], [replace(SHORT, price=price)])
    owing = replace(free, debt=debt)
    assert free.available_margin - owing.available_margin == debt
    assert requirement(free, KEEPER).maintenance == requirement(owing, KEEPER).maintenance


@given(st.integers(0, WAD), st.integers(0, 10 * SECONDS_PER_YEAR))
def test_interest_is_a_rate_over_an_average_year(rate: int, seconds: int) -> None:
    exact = Fraction(rate * seconds, SECONDS_PER_YEAR)
    assert exact - 2 < next_interest(7, rate, 100, 100 + seconds) - 7 <= exact


def test_an_account_without_positions_falls_by_debt_alone() -> None:
    account = CrossAccount([Collateral(100 * WAD)], debt=90 * WAD)
    assert requirement(account, KEEPER).maintenance == 0 and not is_liquidatable(account, KEEPER)
    # The keeper gets thirteen for it: ten above its cost of three.
    assert is_margin_liquidatable(account, KEEPER)
    assert not is_margin_liquidatable(replace(account, debt=87 * WAD), KEEPER)
    assert is_margin_liquidatable(replace(account, debt=87 * WAD + 1), KEEPER)
    assert not is_margin_liquidatable(replace(account, debt=0, collaterals=[]), KEEPER)
    assert not is_margin_liquidatable(replace(account, positions=[SHORT]), KEEPER)


def test_a_rise_breaks_a_short_at_one_price() -> None:
    account = CrossAccount([USD], [SHORT])
    prices = range(2_000, 3_000)
    broken = [
        is_liquidatable(replace(account, positions=[replace(SHORT, price=p * WAD)]), KEEPER) for p in prices
    ]
    assert not broken[0] and broken[-1] and broken == sorted(broken)


def test_the_catalogues_example_is_the_account_by_hand() -> None:
    path = Path(__file__).parents[1] / "portfolios" / "synthetix-v3-cross.json"
    found = synthetix_v3_cross(Fields(json.loads(path.read_text())))
    assert found.requirement == requirement(CrossAccount([USD, SYNTH], [SHORT], 100 * WAD), KEEPER)


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("debt", lambda: CrossAccount([], debt=-1)),
        ("amount", lambda: Collateral(-1)),
        ("locked_ratio", lambda: replace(SHORT, locked_ratio=-1)),
        ("time", lambda: next_interest(0, 1, 2, 1)),
    ],
)
def test_bad_input_names_its_field(field: str, make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(MarginError) as refused:
        make()
    assert refused.value.field == field

"""What each Aave version's rules change, and that they change nothing else."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.margin.lending.aave import close_factor, fixed, interest, rules
from keeper.margin.lending.aave.borrowing import available_borrows, average_down
from keeper.margin.lending.aave.health import Accrued, AccruedMarket, summarise
from keeper.margin.lending.aave.liquidation import Outcome, Pair, outcome
from keeper.margin.lending.aave.state import AccountData, Reserve

pytestmark = pytest.mark.unit

USD = 10**8
ALL = (rules.V302, rules.V31, rules.V32, rules.V33, rules.V34, rules.V35, rules.V36, rules.V37)


def test_each_revision_has_its_version_and_origin_counts_on() -> None:
    versions = [rules.BY_REVISION[revision].version for revision in sorted(rules.BY_REVISION)]
    assert versions == ["3.0.2", "3.0.2", "3.1", "3.2", "3.2", "3.3", "3.4", "3.5", "3.6", "3.7"]


@given(st.integers(1, 10**15), st.integers(1, 9_000), st.integers(1, 10**15))
def test_later_versions_never_value_an_account_higher(collateral: int, threshold: int, debt: int) -> None:
    """Of one collateral the average threshold is exact, so averaging can only differ by its rounding."""
    healths = [summarise(collateral, collateral * threshold, debt, each).health for each in ALL]
    for earlier, later in pairwise(healths):
        assert later <= earlier + fixed.WAD // debt + 1


@given(st.integers(0, 10**27), st.integers(0, 10**9))
def test_compounding_versions_agree_to_their_rounding(rate: int, elapsed: int) -> None:
    taylor = interest.compounded_interest_taylor(rate, elapsed)
    binomial = interest.compounded_interest_binomial(rate, elapsed)
    if elapsed * rate < fixed.RAY * fixed.SECONDS_PER_YEAR:
        assert taylor == pytest.approx(binomial, rel=1e-5)
    assert taylor >= fixed.RAY


def test_ten_thousand_years_at_100_000_percent_are_the_sources_published_figure() -> None:
    """aave-v3-origin, tests/…/MathUtils.t.sol: the figure was there before mulDivCeil came with 3.5."""
    grown = interest.compounded_interest_taylor(1_000 * fixed.RAY, 10_000 * fixed.SECONDS_PER_YEAR)
    assert grown == 166_666_716_666_676_666_667_666_666_666_666_600_000_000_000_000


def _pair(supplied: int, owed: int, version: rules.Rules) -> tuple[Pair, AccruedMarket]:
    bits = 8_000 << 16 | 10_500 << 32 | 1_000 << 152
    reserve = Reserve(0, "", "", "", "", bits, 0, fixed.RAY, 0, fixed.RAY, 0, USD)
    accrued = Accrued(reserve, fixed.RAY, fixed.RAY, USD, 1, 8_000, 0)
    market = AccruedMarket(version, 0, {0: accrued}, {})
    return Pair(accrued, accrued, USD, USD, 10_500, supplied, supplied, owed, owed), market


@given(st.integers(1, 10**12), st.integers(1, 10**12), st.integers(1, 10**12))
def test_rounding_of_3_7_takes_no_more_from_anyone_but_the_liquidator(
    supplied: int, owed: int, cover: int
) -> None:
    before = outcome(*_with(supplied, owed, cover, rules.V36))
    after = outcome(*_with(supplied, owed, cover, rules.V37))
    assert after.received + after.fee <= before.received + before.fee
    assert after.received <= before.received
    assert before.received - after.received <= 2


def _with(supplied: int, owed: int, cover: int, version: rules.Rules) -> tuple[Pair, int, AccruedMarket]:
    pair, market = _pair(supplied, owed, version)
    return pair, cover, market


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(1, 2 * 10**6))
def test_no_outcome_takes_more_than_there_is(supplied: int, owed: int, cover: int) -> None:
    for version in ALL:
        result: Outcome = outcome(*_with(supplied, owed, cover, version))
        assert result.received + result.fee <= supplied
        assert result.repaid <= owed + 1


def _limit(owed: int, supplied: int, total: int, health: int, version: rules.Rules) -> int:
    return close_factor.max_liquidatable(
        owed=owed * USD,
        owed_base=owed * USD,
        supplied_base=supplied * USD,
        data=AccountData(supplied * USD, total * USD, 0, health),
        price=1,
        unit=1,
        rules=version,
    )


def test_the_close_factor_by_reserve_and_by_total() -> None:
    near, deep = 97 * fixed.WAD // 100, 95 * fixed.WAD // 100
    for version in ALL:
        assert _limit(9_000, 12_000, 10_000, deep, version) == 9_000 * USD
    assert _limit(9_000, 12_000, 10_000, near, rules.V32) == 4_500 * USD
    assert _limit(9_000, 12_000, 10_000, near, rules.V33) == 5_000 * USD
    assert _limit(4_000, 12_000, 10_000, near, rules.V37) == 4_000 * USD
    assert _limit(1_999, 12_000, 1_999, near, rules.V33) == 1_999 * USD
    assert _limit(9_000, 1_999, 10_000, near, rules.V33) == 9_000 * USD


def test_what_may_still_be_borrowed() -> None:
    assert average_down([(300, 7_500), (100, 5_000)]) == 6_875
    assert average_down([]) == 0
    assert available_borrows(1_000, 100, 6_875, rules.V36) == 587
    assert available_borrows(1_000, 100, 6_875, rules.V302) == 588
    assert available_borrows(1_000, 900, 6_875, rules.V302) == 0

"""Haircuts: exactly what is owed, of profit only, by each rule's formula, in whatever order."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.margin.portfolio.clearinghouse.deleveraging import (
    MOST_PASSES,
    DeleveragingRule,
    FrozenPrice,
    Winner,
    WinningPosition,
    charging_pages,
    deleverage,
    lacking,
    weigh,
    weighing_pages,
    weight,
)

pytestmark = pytest.mark.unit

MARK = 2_000 * 10**9
MONEY = 10**18
RULES = list(DeleveragingRule)


def long_at(
    account: int, size: int, price: int, other: int | None, mark: int = MARK, funding: int = 0
) -> Winner:
    """A winner of whole units bought at a price, with other equity in whole money."""
    position = WinningPosition(
        account, size * 10**9, size * price * 10**18, None if other is None else other * MONEY
    )
    return weigh(position, FrozenPrice(mark, mark - funding, is_perpetual=True))


winners = st.lists(
    st.builds(
        lambda size, profit, rest: (size, profit, profit + rest),
        st.integers(1, 10**12),
        st.one_of(st.just(0), st.integers(1, 10**24)),
        st.integers(0, 10**26),
    ),
    min_size=1,
    max_size=8,
).map(
    lambda rows: [
        Winner(i, profit, equity, size, size, rank=profit % 7)
        for i, (size, profit, equity) in enumerate(rows)
    ]
)


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=50)
@given(side=winners, share=st.integers(0, 1_500), part=st.integers(0, 1_000))
def test_exactly_what_is_owed_is_taken_and_never_more_than_a_profit(
    rule: DeleveragingRule, side: list[Winner], share: int, part: int
) -> None:
    owed = sum(each.profit for each in side) * share // 1_000 + share % 3
    unwanted = sum(each.size for each in side) * part // 1_000
    haircut = deleverage(rule, MARK, side, owed=owed, unwanted=unwanted)
    assert sum(haircut.charged.values()) + haircut.deficit == owed
    assert sum(haircut.closed.values()) == unwanted
    assert haircut.passes <= MOST_PASSES + 1
    for each in side:
        assert haircut.charged.get(each.account, 0) <= each.profit
        assert haircut.closed.get(each.account, 0) <= each.size
    if haircut.deficit:
        assert haircut.charged == {each.account: each.profit for each in side if each.profit}


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=50)
@given(side=winners, share=st.integers(0, 1_000))
def test_the_order_of_weighing_moves_at_most_a_unit_per_account_and_pass(
    rule: DeleveragingRule, side: list[Winner], share: int
) -> None:
    owed = sum(each.profit for each in side) * share // 1_000
    first = deleverage(rule, MARK, side, owed=owed)
    other = deleverage(rule, MARK, side[::-1], owed=owed)
    if rule is DeleveragingRule.QUEUE:
        assert first == other
    elif first.passes == other.passes == 1:
        for each in side:
            difference = first.charged.get(each.account, 0) - other.charged.get(each.account, 0)
            assert abs(difference) <= len(side)


def test_profit_is_capped_by_equity_and_a_loss_counts_as_nothing() -> None:
    assert long_at(1, 10, 1_900, 500).profit == 1_000 * MONEY
    assert long_at(1, 10, 1_900, -400) == Winner(
        1, 600 * MONEY, 600 * MONEY, 10**10, 10**10, rank=long_at(1, 10, 1_900, -400).rank
    )
    assert long_at(1, 10, 1_900, -1_001).profit == 0
    assert long_at(1, 10, 2_100, 10_000) == Winner(1, 0, 0, 10**10, 10**10)
    funded = long_at(1, 10, 1_900, 500, funding=10 * 10**9)
    assert funded.profit == 900 * MONEY


def test_whose_equity_nobody_can_tell_has_the_greatest_weight() -> None:
    unknown = long_at(1, 10, 1_900, None)
    assert unknown.profit == unknown.equity == 1_000 * MONEY
    assert weight(DeleveragingRule.RISK_AWARE, unknown, MARK) == 20_000 * MONEY
    for other in (-900, 0, 1, 10**6):
        assert weight(DeleveragingRule.RISK_AWARE, long_at(1, 10, 1_900, other), MARK) <= 20_000 * MONEY


def test_an_option_counts_in_equity_with_its_whole_value() -> None:
    position = WinningPosition(1, 10**10, 500 * MONEY, 100 * MONEY)
    found = weigh(position, FrozenPrice(80 * 10**9, 80 * 10**9, is_perpetual=False))
    assert (found.profit, found.equity) == (300 * MONEY, 900 * MONEY)


def test_each_rule_takes_by_its_formula() -> None:
    safe, bold = long_at(1, 10, 1_900, 9_000), long_at(2, 10, 1_900, 1_000)
    assert safe.equity == 5 * bold.equity
    plain = deleverage(DeleveragingRule.PRO_RATA, MARK, [safe, bold], owed=600 * MONEY)
    assert plain.charged == {1: 300 * MONEY, 2: 300 * MONEY}
    aware = deleverage(DeleveragingRule.RISK_AWARE, MARK, [safe, bold], owed=600 * MONEY)
    assert aware.charged == {1: 100 * MONEY, 2: 500 * MONEY}
    queue = deleverage(DeleveragingRule.QUEUE, MARK, [safe, bold], owed=600 * MONEY)
    assert queue.charged == {2: 600 * MONEY}
    assert bold.rank == 5 * safe.rank


def test_what_a_cap_leaves_is_for_a_further_pass_and_after_four_it_goes_by_profit() -> None:
    side = [Winner(i, 100 * MONEY, 100 * MONEY * 1_000**i, 10**12, 10**12) for i in range(MOST_PASSES + 4)]
    haircut = deleverage(DeleveragingRule.RISK_AWARE, MARK, side, owed=700 * MONEY)
    assert haircut.passes == MOST_PASSES + 1
    assert sum(haircut.charged.values()) == 700 * MONEY
    few = deleverage(DeleveragingRule.RISK_AWARE, MARK, side[:2], owed=150 * MONEY)
    assert (few.passes, few.charged) == (2, {0: 100 * MONEY, 1: 50 * MONEY})


def test_positions_are_closed_by_weight_and_the_rest_by_size_where_nobody_has_profit() -> None:
    winning, losing = long_at(1, 10, 1_900, 9_000), long_at(2, 30, 2_100, 9_000)
    assert deleverage(
        DeleveragingRule.PRO_RATA, MARK, [winning, losing], owed=0, unwanted=8 * 10**9
    ).closed == {1: 8 * 10**9}
    rest = deleverage(DeleveragingRule.PRO_RATA, MARK, [winning, losing], owed=0, unwanted=25 * 10**9)
    assert rest.closed == {1: 10 * 10**9, 2: 15 * 10**9} and rest.passes == 2


def test_an_exhausted_side_leaves_the_rest_to_the_fund() -> None:
    only = long_at(1, 10, 1_900, 0)
    for rule in RULES:
        haircut = deleverage(rule, MARK, [only], owed=1_500 * MONEY)
        assert (haircut.charged, haircut.deficit, haircut.passes) == ({1: 1_000 * MONEY}, 500 * MONEY, 1)
        assert deleverage(rule, MARK, [], owed=7).deficit == 7


def test_what_an_account_lacks_is_counted_at_what_a_sale_brings() -> None:
    assert lacking(-100, pledged=80, sale_value=95, loss=1_000) == 85
    assert lacking(-100, pledged=80, sale_value=95, loss=50) == 50
    assert lacking(-10, pledged=80, sale_value=95, loss=50) == 0
    assert lacking(-100, pledged=0, sale_value=0, loss=-50) == 0


def test_pages_weigh_everybody_once_and_a_queue_names_who_is_before() -> None:
    side = [Winner(i, 0, 0, 1, 1, rank=rank) for i, rank in enumerate([3, 9, 5, 9])]
    (page,) = weighing_pages(DeleveragingRule.PRO_RATA, side)
    assert (page.accounts, page.hints) == ((0, 1, 2, 3), ())
    pages = list(weighing_pages(DeleveragingRule.QUEUE, side, most=3))
    assert [each.accounts for each in pages] == [(1, 3, 2), (0,)]
    assert [each.hints for each in pages] == [(0, 2, 4), (3,)]
    assert charging_pages(130, 2) == [64, 64, 2] * 2 and charging_pages(128, 1) == [64, 64]


def test_a_queue_is_the_same_however_it_was_weighed() -> None:
    side = [replace(long_at(i, 1 + i % 3, 1_900, 500), account=i) for i in range(4)]
    found = {
        tuple(sorted(deleverage(DeleveragingRule.QUEUE, MARK, order, owed=250 * MONEY).charged.items()))
        for order in permutations(side)
    }
    assert len(found) == 1

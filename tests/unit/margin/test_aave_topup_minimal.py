"""The planned top-up is the very least: nothing smaller reaches the target, found by trying all."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from keeper.margin.lending.aave.fixed import RAY, WAD
from keeper.margin.lending.aave.health import AccruedMarket, account_data, accrue
from keeper.margin.lending.aave.rules import V36, V302, Rules
from keeper.margin.lending.aave.state import AccountState, MarketState, Position, Reserve
from keeper.margin.lending.aave.topup import after_repay, after_supply, minimal_repay, minimal_supply

pytestmark = pytest.mark.unit

NOW = 1_750_000_000
# Amounts this small can all be tried, and every rounding shows.
MOST = 400
amounts = st.integers(1, MOST)
thresholds = st.integers(1, 9_900)
indices = st.integers(RAY, 3 * RAY)
targets = st.integers(WAD // 20, 4 * WAD)


@st.composite
def markets(draw: st.DrawFn, rules: Rules) -> tuple[AccruedMarket, AccountState]:
    """Two collaterals with thresholds of their own, a third asset owed; one base unit is one token unit."""
    reserves = {i: _reserve(i, draw(thresholds), draw(indices), draw(st.integers(1, 4))) for i in range(3)}
    positions = (
        Position(0, scaled_collateral=draw(amounts)),
        Position(1, scaled_collateral=draw(amounts)),
        Position(2, scaled_debt=draw(amounts)),
    )
    return accrue(MarketState(reserves, {}), NOW, rules), AccountState(0, 0b01_10_10, positions)


@pytest.mark.parametrize("rules", [V302, V36], ids=["3.0.2", "3.6"])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_smaller_supply_reaches_the_target(rules: Rules, data: st.DataObject) -> None:
    """In 3.0.2 health jumps down where the truncated average threshold does, so every amount is tried."""
    market, account = data.draw(markets(rules))
    target = data.draw(targets)

    def reaches(amount: int) -> bool:
        return account_data(after_supply(account, market, 0, amount), market).health >= target

    found = minimal_supply(account, market, 0, target)
    tried = next((amount for amount in range(5 * MOST) if reaches(amount)), None)
    if tried is not None:
        assert found == tried
    else:
        assert found is None or (found >= 5 * MOST and reaches(found))


@pytest.mark.parametrize("rules", [V302, V36], ids=["3.0.2", "3.6"])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_smaller_repayment_reaches_the_target(rules: Rules, data: st.DataObject) -> None:
    market, account = data.draw(markets(rules))
    target = data.draw(targets)
    owed = rules.owed(account.position(2).scaled_debt, market.reserves[2].debt_index)

    def reaches(amount: int) -> bool:
        return account_data(after_repay(account, market, 2, amount), market).health >= target

    assert minimal_repay(account, market, 2, target) == next(filter(reaches, range(owed + 1)), None)


@given(data=st.data())
def test_supplying_what_counts_nothing_is_never_proposed(data: st.DataObject) -> None:
    """A collateral without threshold cannot raise health, whatever the amount."""
    rules = data.draw(st.sampled_from([V302, V36]))
    market, account = data.draw(markets(rules))
    bare = MarketState({**{i: a.reserve for i, a in market.reserves.items()}, 0: _reserve(0, 0, RAY, 1)}, {})
    without = accrue(bare, NOW, rules)
    health = account_data(account, without).health
    assume(health < 4 * WAD)
    assert minimal_supply(account, without, 0, health + 1) is None


def _reserve(identity: int, threshold: int, index: int, price: int) -> Reserve:
    """A reserve of zero decimals that has just been updated; active, with a loan to value."""
    return Reserve(
        id=identity,
        asset=f"0x{identity:040x}",
        a_token="",
        variable_debt_token="",
        stable_debt_token="",
        configuration=1 | threshold << 16 | 10_500 << 32 | 1 << 56,
        liquidity_index=index,
        liquidity_rate=0,
        variable_borrow_index=index,
        variable_borrow_rate=0,
        last_update=NOW,
        price=price,
    )

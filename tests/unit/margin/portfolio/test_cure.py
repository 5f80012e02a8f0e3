"""Top-ups and reductions cure exactly, and nothing smaller does (brute force)."""

from __future__ import annotations

import numpy as np
import pytest

from keeper.errors import MarginError
from keeper.margin.portfolio.accounts import Accounts, CollateralLegs
from keeper.margin.portfolio.cure import Reduction, collateral_top_up, reductions, top_up
from keeper.margin.portfolio.distance import Level
from keeper.margin.portfolio.engine import evaluate
from keeper.margin.portfolio.parameters import DprmParameters
from tests.unit.margin.portfolio.books import MARKET, depths, merged, options, parameters, perps, random_book

pytestmark = pytest.mark.unit


def breached(seed: int, share: float) -> Accounts:
    """A random book in which every account's equity is `share` of its initial margin."""
    book, p = random_book(seed, 4), parameters()
    v = evaluate(book, MARKET, p)
    cash = book.cash + share * v.initial - v.equity
    return Accounts.of(cash, book.options, book.perps, book.spot, book.collateral)


def test_the_top_up_cures_and_a_cent_less_does_not() -> None:
    book, p = random_book(51, 100), parameters(concentration=depths())
    for level in (Level.CALL, Level.LIQUIDATION):
        missing = top_up(book, MARKET, p, level)
        before = level.surplus(evaluate(book, MARKET, p))
        assert ((missing > 0) == (before < 0)).all()
        for change, cured in ((0.0, True), (-0.01, False)):
            lifted = Accounts.of(
                book.cash + missing + change, book.options, book.perps, book.spot, book.collateral
            )
            after = level.surplus(evaluate(lifted, MARKET, p))[missing > 0]
            assert ((after >= -1e-7) == cured).all()


def test_the_collateral_top_up_cures_and_a_little_less_does_not() -> None:
    book, p = breached(52, 0.7), parameters(concentration=depths())
    for account in range(4):
        amount = collateral_top_up(book, account, "ETH", MARKET, p, Level.CALL)
        for scale, cured in ((1.0 + 1e-9, True), (1.0 - 1e-6, False)):
            added = CollateralLegs(np.array([0]), np.array([1]), np.array([amount * scale]))
            whole = merged(book.one(account), Accounts.of(np.zeros(1), collateral=added))
            assert (Level.CALL.surplus(evaluate(whole, MARKET, p))[0] >= 0) == cured


def test_worthless_collateral_and_unlisted_assets_are_refused() -> None:
    book = breached(53, 0.5)
    with pytest.raises(MarginError) as caught:
        collateral_top_up(book, 0, "ETH", MARKET, parameters(haircut=np.array([0.1, 1.0])), Level.CALL)
    assert caught.value.field == "underlying"
    with pytest.raises(MarginError, match="not listed"):
        collateral_top_up(book, 0, "DOGE", MARKET, parameters(), Level.CALL)


def closed(one: Accounts, found: Reduction, fraction: float, cost: float, p: DprmParameters) -> float:
    """Surplus over initial margin after closing a fraction, written out leg by leg."""
    cash, tables = one.cash.copy(), {}
    for name in ("options", "perps", "spot"):
        legs = getattr(one, name)
        quantity = legs.quantity.copy()
        for row in range(len(legs)):
            if found.table not in (None, name) or found.row not in (None, row):
                continue
            without = legs.rows(np.arange(len(legs)) != row)
            rest = {n: getattr(one, n) for n in ("options", "perps", "spot")} | {name: without}
            after = evaluate(Accounts(one.cash, **rest), MARKET, parameters())
            alone = evaluate(Accounts(one.cash, one.options, one.perps, one.spot), MARKET, parameters())
            cash += (alone.equity - after.equity) * fraction
            cash -= cost * fraction * abs(legs.quantity[row]) * MARKET.spot[legs.underlying[row]]
            quantity[row] *= 1.0 - fraction
        tables[name] = legs.with_columns(quantity=quantity)
    left = Accounts(cash, collateral=one.collateral, **tables)
    return float(Level.CALL.surplus(evaluate(left, MARKET, p))[0])


@pytest.mark.parametrize(
    "p", [parameters(), parameters(concentration=depths())], ids=["plain", "concentrated"]
)
@pytest.mark.parametrize("cost", [0.0, 0.002])
@pytest.mark.parametrize("seed", [54, 55])
def test_reductions_cure_and_brute_force_finds_none_smaller(
    seed: int, cost: float, p: DprmParameters
) -> None:
    book = breached(seed, 0.85)
    one = book.one(0)
    for found in reductions(book, 0, MARKET, p, Level.CALL, cost):
        grid = np.linspace(0.0, 1.0, 26)
        cured = [f for f in grid if closed(one, found, float(f), cost, p) >= 1e-6]
        if found.fraction is None:
            assert not cured
            continue
        assert closed(one, found, found.fraction, cost, p) == pytest.approx(0.0, abs=1e-4)
        assert all(f >= found.fraction - 1e-9 for f in cured)


def test_reducing_everything_by_the_missing_share_cures() -> None:
    p = parameters()
    book = Accounts.of(np.array([6_000.0]), perps=perps([(0, 0, 1.0, 60_000.0)]))
    whole = reductions(book, 0, MARKET, p, Level.CALL)[-1]
    need = float(evaluate(book, MARKET, p).initial[0])
    assert whole.table is None
    assert whole.fraction == pytest.approx(1 - 6_000.0 / need, abs=1e-10)
    assert whole.notional == pytest.approx((1 - 6_000.0 / need) * 60_000.0)


def test_a_sound_account_needs_no_reduction_and_a_bankrupt_one_has_none() -> None:
    rich = Accounts.of(np.array([1e6]), perps=perps([(0, 0, 1.0, 60_000.0)]))
    assert {r.fraction for r in reductions(rich, 0, MARKET, parameters(), Level.CALL)} == {0.0}
    broke = Accounts.of(np.array([-100.0]), perps=perps([(0, 0, 1.0, 60_000.0)]))
    assert {r.fraction for r in reductions(broke, 0, MARKET, parameters(), Level.CALL)} == {None}


def test_closing_the_hedge_is_no_cure_but_closing_the_risk_is() -> None:
    rows = [(0, 0, -1.0, 60_000.0, 0.1, 0.6, True), (0, 0, 1.0, 66_000.0, 0.1, 0.6, True)]
    book = Accounts.of(np.zeros(1), options(rows))
    short_call, long_call, _ = reductions(book, 0, MARKET, parameters(), Level.LIQUIDATION)
    v = evaluate(book, MARKET, parameters())
    assert Level.LIQUIDATION.surplus(v)[0] < 0
    assert long_call.fraction is None
    assert short_call.fraction is None or 0 < short_call.fraction < 1


def test_a_negative_cost_is_refused() -> None:
    with pytest.raises(MarginError) as caught:
        reductions(breached(56, 0.5), 0, MARKET, parameters(), Level.CALL, -0.1)
    assert caught.value.field == "cost"

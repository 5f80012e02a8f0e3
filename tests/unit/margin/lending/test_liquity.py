"""Liquity v1: every coin and every LUSD of a liquidation goes somewhere, in each mode."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from keeper.errors import MarginError
from keeper.margin.lending.liquity import decimals, stability_pool
from keeper.margin.lending.liquity.trove import (
    V1,
    LiquityTerms,
    Mode,
    Trove,
    collateral_ratio_down,
    in_recovery_mode,
    liquidation,
    requirement,
)
from keeper.margin.rounding import WAD

pytestmark = pytest.mark.unit

PRICE = 2_000 * WAD
DEBT = 10_000 * WAD


def trove_at(percent: int, debt: int = DEBT) -> Trove:
    return Trove(debt * percent // 100 * WAD // PRICE, debt)


def system_at(percent: int) -> Trove:
    return trove_at(percent, 10**6 * WAD)


@pytest.mark.parametrize(
    ("icr", "tcr", "pool", "mode"),
    [
        (109, 200, DEBT, Mode.OFFSET),
        (109, 200, 0, Mode.REDISTRIBUTE),
        (99, 200, DEBT, Mode.OFFSET),
        (111, 200, DEBT, Mode.NONE),
        (99, 140, DEBT, Mode.REDISTRIBUTE),
        (100, 140, DEBT, Mode.REDISTRIBUTE),
        (105, 140, DEBT, Mode.OFFSET),
        (105, 140, 0, Mode.REDISTRIBUTE),
        (120, 140, DEBT, Mode.CAPPED_OFFSET),
        (120, 140, DEBT - 1, Mode.NONE),
        (139, 140, DEBT, Mode.CAPPED_OFFSET),
        (145, 140, DEBT, Mode.NONE),
    ],
)
def test_mode_by_the_troves_and_the_systems_ratio(icr: int, tcr: int, pool: int, mode: Mode) -> None:
    assert liquidation(trove_at(icr), system_at(tcr), PRICE, pool).mode is mode


troves = st.builds(Trove, st.integers(1, 10**26), st.integers(1, 10**27))


@given(troves, troves, st.integers(1, 10**24), st.integers(0, 10**27))
def test_a_liquidation_accounts_for_all_collateral_and_debt(
    trove: Trove, rest: Trove, price: int, pool: int
) -> None:
    system = Trove(trove.coll + rest.coll, trove.debt + rest.debt)
    result = liquidation(trove, system, price, pool)
    assume(result.mode is not Mode.NONE)
    assert result.debt_offset + result.debt_redistributed == trove.debt
    assert result.coll_to_pool + result.coll_redistributed + result.coll_gas + result.surplus == trove.coll
    assert result.debt_offset <= pool
    assert result.gas_reserve == V1.gas_reserve


@given(troves, troves, st.integers(1, 10**24))
def test_a_full_pool_liquidates_exactly_the_troves_below_maintenance(
    trove: Trove, rest: Trove, price: int
) -> None:
    system = Trove(trove.coll + rest.coll, trove.debt + rest.debt)
    needed = requirement(trove, system, price)
    mode = liquidation(trove, system, price, trove.debt).mode
    tcr = collateral_ratio_down(system, price)
    if not in_recovery_mode(system, price) or collateral_ratio_down(trove, price) != tcr:
        assert (mode is not Mode.NONE) is (needed.equity < needed.maintenance)  # type: ignore[operator]


def test_capped_seizure_takes_110_percent_and_leaves_the_owner_the_rest() -> None:
    result = liquidation(trove_at(140), system_at(145), PRICE, DEBT)
    taken = result.coll_to_pool + result.coll_gas
    assert taken * PRICE // WAD == pytest.approx(DEBT * 110 // 100, abs=PRICE // WAD)
    assert result.surplus == trove_at(140).coll - taken


@given(st.integers(0, WAD), st.integers(0, 3_000))
def test_the_decimal_power_is_within_rounding_of_the_exact_one(base: int, exponent: int) -> None:
    exact = Fraction(base, WAD) ** exponent
    found = Fraction(decimals.dec_pow_half_up(base, exponent), WAD)
    assert abs(found - exact) <= Fraction(exponent + 1, WAD)


def test_the_exponent_is_capped_at_a_thousand_years_of_minutes() -> None:
    almost_one = WAD - 1
    capped = decimals.dec_pow_half_up(almost_one, decimals.MAX_MINUTES)
    assert decimals.dec_pow_half_up(almost_one, decimals.MAX_MINUTES + 5) == capped


def test_a_pool_smaller_than_the_debt_takes_its_share_of_collateral_only() -> None:
    change = stability_pool.pro_rata(*map(Fraction, (100, 25, 400, 8, 50)))
    assert change.deposit_after == 0
    assert change.coll_gain == Fraction(1, 2)


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("mcr", lambda: LiquityTerms(mcr=2 * WAD)),
        ("gas_divisor", lambda: LiquityTerms(gas_divisor=0)),
        ("coll", lambda: Trove(-1, 1)),
        ("price", lambda: collateral_ratio_down(Trove(1, 1), -1)),
        ("deposit", lambda: stability_pool.pro_rata(*map(Fraction, (1, 2, 1, 1, 1)))),
    ],
)
def test_bad_input_names_its_field(field: str, make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(MarginError) as refused:
        make()
    assert refused.value.field == field

"""Opyn Gamma beyond its published cases: rounding, bounds by expiry, refusals."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.errors import MarginError
from keeper.margin.options import opyn, opyn_naked
from keeper.margin.options.fixed_point import ONE, div, from_units, mul, to_units_down, to_units_up
from keeper.margin.options.opyn_liquidation import AuctionRound, debt_price

pytestmark = pytest.mark.unit

DAY = 86_400
signed = st.integers(-(10**60), 10**60)


@given(signed, signed)
def test_products_and_quotients_truncate_towards_zero(a: int, b: int) -> None:
    assert mul(a, b) == int(Fraction(a * b, ONE))
    if b:
        assert div(a, b) == int(Fraction(a * ONE, b))


@given(st.integers(0, 10**60), st.integers(0, 40))
def test_units_round_as_named(value: int, decimals: int) -> None:
    exact = Fraction(value, ONE) * 10**decimals
    assert to_units_down(value, decimals) == exact.__floor__()
    assert to_units_up(value, decimals) == exact.__ceil__()
    assert from_units(value, decimals) == (Fraction(value, 10**decimals) * ONE).__floor__()


def usdc_put(**changes: Any) -> opyn.Vault:
    base: dict[str, Any] = {
        "is_put": True, "collateral": 30_000_000, "collateral_decimals": 6,
        "collateral_asset": opyn.CollateralAsset.STRIKE,
        "short_amount": 10**8, "short_strike": 100 * 10**8,
    }  # fmt: skip
    return opyn.Vault(**(base | changes))


def test_naked_excess_floors_and_deficit_ceils() -> None:
    prices = opyn.Prices(underlying=150 * 10**8)
    parameters = opyn_naked.NakedParameters()
    assert opyn_naked.naked_excess(usdc_put(), prices, 7 * DAY, parameters) == (13_220_000, True)
    assert opyn_naked.naked_excess(usdc_put(collateral=1), prices, 7 * DAY, parameters) == (16_779_999, False)
    odd = usdc_put(short_amount=33_333_333, collateral=0)
    need = Fraction(1678, 10_000) * 100 * Fraction(33_333_333, 10**8) * 10**6
    assert opyn_naked.naked_excess(odd, prices, 7 * DAY, parameters) == (need.__ceil__(), False)


def test_upper_bound_is_the_next_listed_expiry() -> None:
    parameters = opyn_naked.NakedParameters()
    assert parameters.upper_bound(7 * DAY) == 1678 * ONE // 10_000
    assert parameters.upper_bound(7 * DAY + 1) == 2370 * ONE // 10_000
    assert parameters.upper_bound(0) == 1678 * ONE // 10_000
    with pytest.raises(MarginError) as caught:
        parameters.upper_bound(57 * DAY)
    assert caught.value.field == "seconds_to_expiry"


@given(st.integers(1, 10**13), st.integers(1, 10**13))
def test_naked_requirement_lies_between_the_bound_and_full_collateral(strike: int, price: int) -> None:
    for is_put in (True, False):
        need = opyn_naked.naked_required(
            is_put=is_put, short_amount=10**8, strike=strike, price=price,
            upper_bound=ONE // 4, spot_shock=3 * ONE // 4,
        )  # fmt: skip
        full = from_units(strike, 8) if is_put else ONE
        assert 0 <= need <= full


def test_expired_vault_in_another_collateral_is_converted() -> None:
    vault = opyn.Vault(
        is_put=False, collateral=10**18, collateral_decimals=18,
        collateral_asset=opyn.CollateralAsset.OTHER, short_amount=10**8, short_strike=200 * 10**8,
    )  # fmt: skip
    prices = opyn.Prices(underlying=300 * 10**8, collateral=400 * 10**8)
    assert opyn.excess_collateral(vault, prices, expired=True) == (75 * 10**16, True)


def test_requirement_is_exact_and_restates_the_excess() -> None:
    need = opyn.GammaVaults().requirement(usdc_put(), opyn.Prices(underlying=10**8), None)
    assert need.initial == need.maintenance == 100 * ONE
    assert need.equity == 30 * ONE
    assert need.health == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: usdc_put(collateral=-1), "vault.collateral"),
        (lambda: usdc_put(short_amount=1.5), "vault.short_amount"),
        (lambda: opyn.Prices(underlying=-1), "prices.underlying"),
        (lambda: opyn_naked.NakedParameters(upper_bounds=()), "naked.upper_bounds"),
        (lambda: opyn_naked.NakedParameters(upper_bounds=((2, 1), (1, 1))), "naked.upper_bounds"),
        (lambda: opyn_naked.naked_excess(usdc_put(collateral=5), opyn.Prices(underlying=10**8), 1,
                                   opyn_naked.NakedParameters(dust=9)), "vault.collateral"),
        (lambda: opyn_naked.naked_required(is_put=False, short_amount=1, strike=1, price=0, upper_bound=1,
                                     spot_shock=1), "price"),
        (lambda: opyn.required(usdc_put(collateral_asset=opyn.CollateralAsset.OTHER),
                               opyn.Prices(underlying=1), expired=False), "prices.collateral"),
    ],
)  # fmt: skip
def test_bad_input_names_its_field(make: Any, field: str) -> None:
    with pytest.raises(MarginError) as caught:
        make()
    assert caught.value.field == field


def auction(elapsed: int, **changes: Any) -> int | None:
    """Debt price of a put struck at 100 with 20 USDC, spot 90, `elapsed` seconds into its auction."""
    vault = usdc_put(**({"collateral": 20_000_000} | changes))
    start = AuctionRound(90 * 10**8, 1_000_000)
    now = 1_000_000 + elapsed
    return debt_price(vault, start, now, now + 7 * DAY, 999_999, opyn_naked.NakedParameters(), 2 * ONE // 100)


def test_the_auction_runs_from_cash_value_less_deviation_to_all_collateral() -> None:
    # cash value 10, deviation 2 % of 90
    assert auction(0) == 8_200_000
    assert auction(1_800) == (8_200_000 + 20_000_000) // 2
    assert auction(3_600) == auction(10_000) == 20_000_000


@given(st.integers(0, 3_600), st.integers(0, 3_600))
def test_the_auction_price_never_falls(one: int, other: int) -> None:
    first, second = auction(min(one, other)), auction(max(one, other))
    assert first is not None and second is not None
    assert first <= second <= 20_000_000


def test_a_call_auction_is_priced_in_the_underlying() -> None:
    vault = opyn.Vault(False, 10**17, 18, opyn.CollateralAsset.UNDERLYING, 10**8, 80 * 10**8)
    start = AuctionRound(100 * 10**8, 10)
    first = debt_price(vault, start, 10, 10 + DAY, 0, opyn_naked.NakedParameters())
    # cash value 20 in strike asset is 0.2 of the underlying, more than the vault holds
    assert first == 10**17


def test_sound_and_empty_vaults_are_not_taken() -> None:
    assert auction(0, collateral=60_000_000) is None
    assert auction(0, short_amount=0) is None


@pytest.mark.parametrize(
    ("start", "now", "expiry", "updated", "field"),
    [
        (AuctionRound(90 * 10**8, 100), 200, 200, 0, "expiry"),
        (AuctionRound(90 * 10**8, 100), 200, 300, 100, "round.timestamp"),
        (AuctionRound(90 * 10**8, 250), 200, 300, 100, "round.timestamp"),
    ],
)
def test_auctions_the_contract_refuses_are_refused(
    start: AuctionRound, now: int, expiry: int, updated: int, field: str
) -> None:
    with pytest.raises(MarginError) as caught:
        debt_price(usdc_put(), start, now, expiry, updated, opyn_naked.NakedParameters())
    assert caught.value.field == field

"""The anti-procyclical measures, each on its own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from keeper.errors import MarginError
from keeper.margin.interface import Array
from keeper.margin.risk import dynamic

pytestmark = pytest.mark.unit

PLAIN = dynamic.DynamicTerms(2.0)
rates = hnp.arrays(np.float64, st.integers(2, 200), elements=st.floats(0.001, 1.0))


def test_every_rate_is_known_the_day_before() -> None:
    returns = np.random.default_rng(1).normal(0, 0.03, 300)
    terms = dynamic.DynamicTerms(2.3, buffer=0.25, stress_weight=0.25, stress_sigma=0.08, floor_days=100)
    whole = dynamic.margin_rates(returns, terms)
    for days in (60, 150, 299):
        assert whole[: days + 1] == pytest.approx(dynamic.margin_rates(returns[:days], terms))


@given(rates, st.floats(0, 1), st.floats(0, 0.1))
def test_the_buffer_stays_between_the_rate_and_the_rate_with_buffer(
    base: Array, buffer: float, replenish: float
) -> None:
    terms = dynamic.DynamicTerms(2.0, buffer=buffer, replenish=replenish)
    margins = dynamic.with_buffer(base, terms)
    assert (margins >= base * (1 - 1e-12)).all()
    assert (margins <= base * (1 + buffer) * (1 + 1e-12)).all()


def test_the_buffer_absorbs_a_rise_within_it_and_gives_way_to_one_beyond() -> None:
    terms = dynamic.DynamicTerms(2.0, buffer=0.25, replenish=0.0)
    margins = dynamic.with_buffer([0.10, 0.11, 0.12, 0.20, 0.20], terms)
    assert margins == pytest.approx([0.125, 0.125, 0.125, 0.20, 0.20])


@given(rates)
def test_the_buffer_never_makes_the_rise_larger(base: Array) -> None:
    bare = dynamic.largest_rise(base, 1)
    buffered = dynamic.with_buffer(base, dynamic.DynamicTerms(2.0, buffer=0.25, replenish=0.0))
    assert dynamic.largest_rise(buffered, 1) <= bare + 1e-9


def test_stress_weight_pulls_towards_the_stressed_rate() -> None:
    terms = dynamic.DynamicTerms(2.0, stress_weight=0.25, stress_sigma=0.10)
    assert dynamic.with_stress([0.04], terms) == pytest.approx([0.75 * 0.04 + 0.25 * 0.20])


def test_the_floor_is_the_rate_at_long_run_volatility() -> None:
    assert dynamic.with_floor([0.04, 0.10], [0.03, 0.03], PLAIN) == pytest.approx([0.06, 0.10])


def test_the_liquidation_period_enters_by_its_root() -> None:
    four = dynamic.DynamicTerms(2.0, days=4.0)
    assert dynamic.base_rates(0.03, four) == pytest.approx(2 * dynamic.base_rates(0.03, PLAIN))


def test_the_largest_rise_looks_no_further_than_its_days() -> None:
    margins = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6]
    assert dynamic.largest_rise(margins, 1) == pytest.approx(0.1)
    assert dynamic.largest_rise(margins, 5) == pytest.approx(0.5)
    assert dynamic.largest_rise(margins[::-1], 5) == 0
    assert dynamic.peak_to_trough(margins) == pytest.approx(1.6)


@pytest.mark.parametrize(
    ("field", "terms"),
    [
        ("factor", {"factor": 0.0}),
        ("stress_sigma", {"factor": 2.0, "stress_weight": 0.25}),
        ("stress_weight", {"factor": 2.0, "stress_weight": 1.5, "stress_sigma": 0.1}),
        ("buffer", {"factor": 2.0, "buffer": -0.1}),
        ("days", {"factor": 2.0, "days": float("nan")}),
        ("floor_days", {"factor": 2.0, "floor_days": -1}),
    ],
)
def test_terms_that_contradict_themselves_are_refused(field: str, terms: dict[str, float]) -> None:
    with pytest.raises(MarginError) as refused:
        dynamic.DynamicTerms(**terms)  # type: ignore[arg-type]
    assert refused.value.field == field

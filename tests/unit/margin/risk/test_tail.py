"""The library's one convention of VaR and Expected Shortfall."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from keeper.errors import MarginError
from keeper.margin.interface import Array
from keeper.margin.risk import tail

pytestmark = pytest.mark.unit

losses = hnp.arrays(
    np.float64,
    st.integers(4, 400),
    elements=st.floats(-1e6, 1e6, allow_nan=False, allow_subnormal=False),
)
levels = st.sampled_from([0.6, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995])


def test_of_500_losses_the_fifth_worst_is_var_at_99_percent_in_spite_of_floats() -> None:
    values = np.arange(500.0)
    assert tail.value_at_risk(values, 0.99) == 495
    assert tail.expected_shortfall(values, 0.99) == pytest.approx(497)
    assert tail.mean_beyond_var(values, 0.99) == pytest.approx(497.5)


def test_a_tail_that_ends_within_a_loss_counts_its_part() -> None:
    values = np.arange(10.0)
    assert tail.value_at_risk(values, 0.75) == 7
    assert tail.expected_shortfall(values, 0.75) == pytest.approx((9 + 8 + 0.5 * 7) / 2.5)


@given(losses, levels)
def test_shortfall_is_the_average_of_var_over_the_tail(values: Array, level: float) -> None:
    """VaR_u is constant between the points 1 − k/n, so its integral from `level` to 1 is a finite sum."""
    n, ordered = len(values), np.sort(values)[::-1]
    edges = [level, *(u for u in (1 - np.arange(n - 1, -1, -1) / n) if u > level)]
    total = sum(
        (high - low) * ordered[min(int(np.floor((1 - (low + high) / 2) * n)), n - 1)]
        for low, high in pairwise(edges)
    )
    expected = total / (1 - level)
    assert tail.expected_shortfall(values, level) == pytest.approx(expected, rel=1e-6, abs=1e-3)


@given(losses, levels)
def test_shortfall_is_never_below_var_nor_above_the_worst_loss(values: Array, level: float) -> None:
    var, shortfall = tail.value_at_risk(values, level), tail.expected_shortfall(values, level)
    slack = 1e-9 * (1 + np.abs(values).max())
    assert var - slack <= shortfall <= values.max() + slack


@given(losses, levels, st.integers(0, 2**32 - 1))
def test_shortfall_is_subadditive(values: Array, level: float, seed: int) -> None:
    other = np.random.default_rng(seed).permutation(values)
    together = tail.expected_shortfall(values + other, level)
    apart = tail.expected_shortfall(values, level) + tail.expected_shortfall(other, level)
    assert together <= apart + 1e-9 * (1 + np.abs(values).max())


@given(losses, levels, st.floats(0.01, 100), st.floats(-1e3, 1e3))
def test_shortfall_scales_and_shifts_with_the_losses(
    values: Array, level: float, scale: float, shift: float
) -> None:
    moved = tail.expected_shortfall(scale * values + shift, level)
    expected = scale * tail.expected_shortfall(values, level) + shift
    assert moved == pytest.approx(expected, rel=1e-9, abs=1e-6)


@given(hnp.arrays(np.float64, (5, 60), elements=st.floats(-1e3, 1e3)), levels)
def test_rows_of_an_array_give_what_they_give_alone(values: Array, level: float) -> None:
    for measure in (tail.value_at_risk, tail.expected_shortfall):
        together = measure(values, level)
        assert together.tolist() == [float(measure(row, level)) for row in values]


@given(st.integers(0, 2**32 - 1), st.sampled_from([8_192, 9_001, 50_000]), levels, st.booleans())
def test_the_tail_of_a_long_row_is_found_whatever_its_order(
    seed: int, count: int, level: float, rising: bool
) -> None:
    """A sorted row, or one whose tail the sample misses, must not mislead the search."""
    values = np.random.default_rng(seed).standard_t(2, count)
    if rising:
        values.sort()
    ordered = np.sort(values)[::-1]
    mass, k = tail.tail_mass(count, level)
    assert tail.value_at_risk(values, level) == ordered[k - 1]
    expected = (ordered[: k - 1].sum() + float(mass - k + 1) * ordered[k - 1]) / float(mass)
    assert tail.expected_shortfall(values, level) == pytest.approx(expected, rel=1e-12)
    hidden = np.zeros(count)
    hidden[1 : k + 1 : 1] = 1.0
    assert tail.value_at_risk(hidden, level) == 1.0


@pytest.mark.parametrize("level", [0.5, 1.0, 0.0, float("nan"), 99])
def test_a_level_that_is_none_is_refused(level: float) -> None:
    with pytest.raises(MarginError) as refused:
        tail.value_at_risk([1.0, 2.0], level)
    assert refused.value.field == "level"


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [1.0, float("inf")], 3.0])
def test_losses_that_cannot_be_ranked_are_refused(values: object) -> None:
    with pytest.raises(MarginError) as refused:
        tail.expected_shortfall(values, 0.9)  # type: ignore[arg-type]
    assert refused.value.field == "losses"
